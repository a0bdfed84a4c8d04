"""A Label Studio that knows nothing but tokens."""

import base64
import itertools
import json

from tests.fakes.http_server import Asked, Reply

PERSONAL = "header.payload.signature"
LIFETIME = 300


class FakeTokens:
    """Answers refreshes with numbered access tokens, and other paths to the newest one only."""

    def __init__(self) -> None:
        self.valid = ""
        self.refreshes = 0
        self._numbers = itertools.count(1)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/api/token/refresh/"):
            return self._refresh(asked)
        if asked.headers.get("Authorization") == f"Bearer {self.valid}":
            return Reply(body={"path": asked.path})
        return Reply(401, {"detail": "token not valid"})

    def revoke(self) -> None:
        """Make the newest access token worthless before its time."""
        self.valid = "none"

    def _refresh(self, asked: Asked) -> Reply:
        if asked.json != {"refresh": PERSONAL}:
            return Reply(401, {"detail": "Token is invalid", "code": "token_not_valid"})
        self.refreshes += 1
        issued = 1_000_000 + next(self._numbers)
        claims = {"iat": issued, "exp": issued + LIFETIME}
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        self.valid = f"h.{payload}.s"
        return Reply(body={"access": self.valid})
