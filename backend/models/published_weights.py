"""Weights that others publish: where torch keeps them, and whether their host can be reached.

Imports no torch, so that the web process can ask.
"""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def answers(host: str) -> bool:
    """Whether a host, or the proxy on the way to it, takes connections; knows in two seconds."""
    proxy = urlsplit("" if proxy_bypass(host) else getproxies().get("https", ""))
    address = (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, 443)
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def torch_folder() -> Path:
    """Torch's own folder of downloaded weights, which other programs may have filled."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return (Path(os.environ.get("TORCH_HOME", cache)) / "hub" / "checkpoints").expanduser()
