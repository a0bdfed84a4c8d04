"""The errors that connectors raise.

ConnectorError          what happened, and what to do about it
├── Unreachable         no answer, or none that makes sense; a later attempt may succeed
├── Denied              the token is wrong, expired or lacks a permission
├── ResourceNotFound    no such project, task, tab or address
├── Rejected            the request was understood and refused, for the reason given
│   └── TooLarge        the body of the request was; a smaller one may be accepted
├── FetchFailed         one image cannot be fetched; other images are not affected
│   └── TransientError  the same, but a later attempt may succeed
└── DiskFull            what was fetched cannot be stored
"""


class ConnectorError(Exception):
    """What happened (`message`) and what to do about it (`hint`).

    Messages quote addresses and answers that others wrote, so control characters are escaped:
    they must not break lines or move the cursor in a log or terminal.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _printable(message)
        self.hint = _printable(hint)
        super().__init__(f"{self.message}. {self.hint}" if hint else self.message)


class Unreachable(ConnectorError):
    """No answer, or none that makes sense."""


class Denied(ConnectorError):
    """The token is wrong, expired or lacks a permission."""


class ResourceNotFound(ConnectorError):
    """The requested resource does not exist."""


class Rejected(ConnectorError):
    """The request was understood and refused."""


class TooLarge(Rejected):
    """The body of a request is larger than a proxy in front of Label Studio lets through."""


class FetchFailed(ConnectorError):
    """One image cannot be fetched.

    `image` names it in front of the message. `fault` is message and hint without it, so that
    images with the same fault can be counted.
    """

    def __init__(self, message: str, hint: str = "", *, image: str = "") -> None:
        super().__init__(message, hint)
        self.fault = str(self)
        if image:
            super().__init__(f"{image}: {message}", hint)


class TransientError(FetchFailed):
    """One image cannot be fetched now; a later attempt may succeed.

    `retry_after` is how many seconds the server asked to wait, 0 if it did not say.
    """

    def __init__(
        self, message: str, hint: str = "", retry_after: float = 0.0, *, image: str = ""
    ) -> None:
        super().__init__(message, hint, image=image)
        self.retry_after = retry_after


class DiskFull(ConnectorError):
    """What was fetched cannot be stored."""


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
