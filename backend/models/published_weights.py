"""Where published weights are cached, and whether their hosts can be reached.

Imports no torch, so that the web process can check before a job starts.
"""

import os
import socket
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def is_reachable(host: str) -> bool:
    """Return whether a host, or the proxy to it, accepts connections; takes 2 s at most."""
    proxy = urlsplit("" if proxy_bypass(host) else getproxies().get("https", ""))
    address = (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, 443)
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def torch_folder() -> Path:
    """Torch's cache of downloaded weights, shared with other programs of this user."""
    cache = _user_cache() / "torch"
    return _expanded(Path(os.environ.get("TORCH_HOME", cache)) / "hub" / "checkpoints")


def hub_folder() -> Path:
    """Return the Hugging Face hub's cache, shared with other programs of this user."""
    home = os.environ.get("HF_HOME", _user_cache() / "huggingface")
    return _expanded(Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub")))


def hub_host() -> str:
    """Return the host of the Hugging Face hub, or of its mirror that `HF_ENDPOINT` names."""
    return urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).netloc


def _expanded(path: Path) -> Path:
    """Expand `~`; for a user without a home folder, as containers may have, it is a temporary one.

    A user id without an entry in the list of users has no home, and `expanduser` raises.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        return Path(tempfile.gettempdir(), *path.parts[1:])


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
