"""Determine who can reach the web process: only this machine, or a network."""

from ipaddress import ip_address

from backend.domain.errors import BadInput
from backend.settings import Settings

OPEN = "everyone who reaches {address} may start, stop and undo jobs without a password"
HINT = (
    "Set AUTOLABEL_BASIC_AUTH_USER and AUTOLABEL_BASIC_AUTH_PASSWORD; on a network that you trust "
    "in every part, AUTOLABEL_INSECURE=true starts without them"
)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is one that only this machine reaches."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def has_credentials(settings: Settings) -> bool:
    """Return whether requests must carry a user name and a password."""
    return bool(settings.basic_auth_user or settings.basic_auth_password.get_secret_value())


def is_open(settings: Settings) -> bool:
    """Return whether a network may call without credentials."""
    return not has_credentials(settings) and not is_loopback(settings.host)


def warning(settings: Settings) -> str:
    """Return the warning about an open backend."""
    return OPEN.format(address=f"{settings.host}:{settings.port}")


def refuse_open(settings: Settings) -> None:
    """Refuse to listen on a network without credentials, unless AUTOLABEL_INSECURE allows it.

    Raises:
        BadInput: naming the settings that protect the backend.
    """
    if is_open(settings) and not settings.insecure:
        raise BadInput(f"not started: {warning(settings)}", HINT)
