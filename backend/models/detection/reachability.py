"""Whether a place that publishes weights can be reached."""

import socket


def answers(host: str) -> bool:
    """Whether a host takes connections for HTTPS; knows within two seconds."""
    try:
        socket.create_connection((host, 443), timeout=2).close()
    except OSError:
        return False
    return True
