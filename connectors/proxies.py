"""Which proxy the environment sets for an address: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`."""

import ipaddress
import re
import urllib.request
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from connectors.errors import Rejected

_SCHEMES: Final = {"http", "https", "socks5", "socks5h"}
_HINT: Final = "Correct or unset the variable, or add the host to NO_PROXY"


class Proxies:
    """Chooses a proxy by scheme and host. This machine itself is never asked through one.

    Args:
        environment: proxies by scheme, with `all` and `no`; that of the process by default.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = urllib.request.getproxies() if environment is None else environment
        self._proxies = {name: value.strip() for name, value in found.items()}
        self._exceptions = re.split(r"[,\s]+", self._proxies.get("no", "").strip())

    def of(self, scheme: str, host: str, port: int | None = None) -> str:
        """Return the URL of the proxy, "" for a direct connection.

        Raises:
            Rejected: when the proxy has a scheme that is not supported.
        """
        proxy = self._proxies.get(scheme) or self._proxies.get("all", "")
        if not proxy or _is_loopback(host) or self._is_excepted(host, port):
            return ""
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        proxy = re.sub(r"^socks://", "socks5://", proxy)
        if urlsplit(proxy).scheme not in _SCHEMES:
            raise unusable(proxy, "only http, https and socks5 are supported")
        return proxy

    def _is_excepted(self, host: str, port: int | None) -> bool:
        return any(_matches(entry, host.lower(), port) for entry in self._exceptions if entry)


def shown(proxy: str) -> str:
    """Return the address of a proxy without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", proxy)


def unusable(proxy: str, why: str) -> Rejected:
    hint = _HINT
    if urlsplit(proxy).scheme.startswith("socks"):
        hint = f"pip install 'httpx[socks]' for a SOCKS proxy. {hint} (all_proxy, ALL_PROXY)"
    return Rejected(f"the proxy {shown(proxy)} cannot be used: {why}", hint)


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    ip = _ip(host)
    return ip is not None and ip.is_loopback


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of NO_PROXY names a host: `*`, a name, a domain, an address or a network."""
    entry = entry.lower()
    if entry == "*":
        return True
    if (network := _network(entry)) is not None:
        ip = _ip(host)
        return ip is not None and ip in network
    name, _, wanted = entry.partition(":")
    if wanted and wanted != str(port):
        return False
    if "*" in name[1:]:  # `192.168.*`
        return fnmatchcase(host, name)
    domain = name.removeprefix("*").lstrip(".")
    return bool(domain) and (host == domain or host.endswith("." + domain))


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None
