"""The one function that takes secrets out of text for people: messages, reasons and logs."""

import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "**********"

SHORTEST: Final = 4
"""Letters of the shortest secret that is looked for by itself: others would hide common words."""

_LOGIN: Final = re.compile(r"(?<=://)[^\s/?#'\"<>]*@")
_QUERY: Final = re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s?'\"<>]*\?)[^\s'\"<>]+", re.IGNORECASE)
_PARAMETER: Final = re.compile(
    r"""\b(x-(?:amz|goog)-[a-z-]+ | signature | sig | policy | key-pair-id | awsaccesskeyid
    | googleaccessid | access_token | token | api_?key | password)=[^\s&'"<>]+""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADER: Final = re.compile(r"\b(token|bearer|basic) +(?=\S*[0-9=])[\w+/=.~-]{8,}", re.IGNORECASE)
_JWT: Final = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_AWS_KEY: Final = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Hide logins and queries of addresses, credentials by their form, and these `secrets`.

    Queries of image addresses may be signatures; those of other addresses help nobody.
    """
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    text = _LOGIN.sub("", text)
    text = _QUERY.sub(r"\1…", text)
    text = _PARAMETER.sub(r"\1=…", text)
    text = _HEADER.sub(rf"\1 {HIDDEN}", text)
    return _AWS_KEY.sub(HIDDEN, _JWT.sub(HIDDEN, text))
