"""What can go wrong outside, as the connectors name it.

ConnectorError        what happened, and what to do about it
├── Unreachable       no answer, or none that makes sense; trying again later may help
├── Denied            an answer, but not to this token
├── NotFound          no such project, task, view or address
├── Rejected          understood and refused: the answer says why
├── FetchFailed       one image cannot be fetched; costs that image only
└── DiskFull          what was fetched cannot be kept
"""


class ConnectorError(Exception):
    """What happened (`message`) and what to do about it (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.hint = hint


class Unreachable(ConnectorError):
    """No answer, or none that makes sense."""


class Denied(ConnectorError):
    """An answer, but not to this token."""


class NotFound(ConnectorError):
    """What was asked for is not there."""


class Rejected(ConnectorError):
    """The request was understood and refused."""


class FetchFailed(ConnectorError):
    """One image cannot be fetched."""


class DiskFull(ConnectorError):
    """What was fetched cannot be kept."""
