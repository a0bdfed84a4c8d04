"""Register a backend with a Label Studio project: its ML backend entry and its webhook."""

import base64
import re
from collections.abc import Sequence

from connectors.errors import ConnectorError, Denied, Rejected
from connectors.label_studio.calls import Calls, JsonObject
from connectors.retry import with_retries

WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)

_TOO_SLOW = ("health check failed", "timed out")
_CHECKS = 4
"""Label Studio waits one second for the health of a backend and three for its setup; a backend
that is starting or busy takes longer."""

_CREATED, _UPDATED, _UNCHANGED = "created", "updated", "already there"

_BLOCKED = ("reserved network address", "local network", "ssrf", "banned")
_ALLOW_LOCAL = (
    "Start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false, or give"
    " the backend a public address"
)
_DOTTED_HOST = (
    "Label Studio refuses webhooks to a host name without a dot: use localhost, an IP address or"
    " a dotted alias such as autolabel.internal"
)
_MUST_ANSWER = (
    "Label Studio must be able to reach it: check that it runs, that AUTOLABEL_PUBLIC_URL is its"
    " address as seen from Label Studio, and that user and password are right if it needs them"
)


class Registration:
    """Connects backends to projects, and disconnects them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def backends(self, project: int) -> list[JsonObject]:
        """The project's ML backends. Label Studio checks the health of each for this list."""
        return self._calls.array("/api/ml/", params={"project": project})

    def webhooks(self, project: int) -> list[JsonObject]:
        return self._calls.array("/api/webhooks/", params={"project": project})

    def connect(
        self, project: int, url: str, title: str, user: str = "", password: str = ""
    ) -> str:
        """Create or update a backend and its webhook, and return what was done. Safe to repeat.

        The webhook is created first. Otherwise Label Studio creates one itself, for all actions
        and without credentials, or keeps a backend without a webhook if it refuses the address.

        Raises:
            Rejected: with a hint, when Label Studio may not call this address, refuses it for a
                webhook, or gets no healthy answer from it.
        """
        url = url.rstrip("/")
        webhook, webhook_change = self._ensure_webhook(
            project, f"{url}/webhook", _basic_auth(user, password)
        )
        try:
            existing = self.backends(project)
            body = {"project": project, "url": url, "title": title, **_login(user, password)}
            body["is_interactive"] = False  # there are no suggestions while a person draws
            backend_change = self._ensure_backend(body, existing)
            backend = self._only(project, url)
        except ConnectorError:
            if webhook_change == _CREATED:
                self._calls.delete(f"/api/webhooks/{webhook}/")
            raise
        done = f"backend {backend_change}, webhook {webhook_change}"
        return done + _shadowed_by(backend, existing)

    def disconnect(self, project: int, url: str) -> None:
        """Remove all backends and webhooks with this address. Safe to repeat."""
        url = url.rstrip("/")
        for backend in self.backends(project):
            if backend["url"].rstrip("/") == url:
                self._calls.delete(f"/api/ml/{backend['id']}")
        self._delete_webhook(project, url)

    def _delete_webhook(self, project: int, url: str) -> None:
        for hook in self.webhooks(project):
            if hook["url"] == f"{url}/webhook":
                self._calls.delete(f"/api/webhooks/{hook['id']}/")

    def _ensure_webhook(self, project: int, url: str, headers: JsonObject) -> tuple[int, str]:
        """Create or update the webhook; return its id and what was done."""
        wanted = {
            "url": url,
            "headers": headers,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": sorted(WEBHOOK_ACTIONS),
            "is_active": True,
        }
        existing = next((hook for hook in self.webhooks(project) if hook["url"] == url), None)
        try:
            if existing is None:
                body = {**wanted, "project": project}
                return self._calls.object("POST", "/api/webhooks/", json=body)["id"], _CREATED
            if wanted.items() <= {**existing, "actions": sorted(existing["actions"])}.items():
                return existing["id"], _UNCHANGED
            self._calls.object("PATCH", f"/api/webhooks/{existing['id']}/", json=wanted)
        except (Denied, Rejected) as exc:
            raise _refusal(exc, url, _DOTTED_HOST) from exc
        return existing["id"], _UPDATED

    def _only(self, project: int, url: str) -> int:
        """Delete all backends with this address but the first, which is asked; returns its id.

        0 if somebody deleted it meanwhile. Label Studio stores a second one where SQLite was
        locked: it then runs the whole call again.
        """
        same = sorted(one["id"] for one in self.backends(project) if one["url"].rstrip("/") == url)
        for double in same[1:]:
            self._calls.delete(f"/api/ml/{double}")
        return same[0] if same else 0

    def _ensure_backend(self, body: JsonObject, known: Sequence[JsonObject]) -> str:
        """Create or update the backend, matched by address, then by title; says what was done."""
        url, title = body["url"], body["title"]
        existing = next((one for one in known if url == one["url"].rstrip("/")), None)
        existing = existing or next((one for one in known if title == one["title"]), None)
        try:
            if existing is None:
                self._checked("POST", "/api/ml/", body)
                return _CREATED
            self._checked("PATCH", f"/api/ml/{existing['id']}", body)
        except (Denied, Rejected) as exc:
            raise _refusal(exc, url, _MUST_ANSWER) from exc
        if (old := existing["url"].rstrip("/")) != url:
            self._delete_webhook(body["project"], old)
        return _UPDATED

    def _checked(self, method: str, path: str, body: JsonObject) -> JsonObject:
        """Send a backend, again while Label Studio finds it unhealthy or slow, up to _CHECKS times.

        A refused backend is not stored, so repeating does not create a second one.
        """

        def wait(seconds: float) -> bool:
            self._calls.http.pause(seconds)
            return True

        return with_retries(
            lambda: self._calls.object(method, path, json=body),
            _seconds_to_next_check,
            wait,
        )


def unreported_by(webhook: JsonObject) -> tuple[str, ...]:
    """The changes of annotations that a webhook leaves out."""
    actions = WEBHOOK_ACTIONS if webhook.get("send_for_all_actions") else webhook["actions"]
    return tuple(one for one in WEBHOOK_ACTIONS if one not in actions)


def _seconds_to_next_check(exc: ConnectorError, attempts: int) -> float | None:
    slow = isinstance(exc, Rejected) and any(words in exc.message for words in _TOO_SLOW)
    return float(attempts) if slow and attempts < _CHECKS else None


def _shadowed_by(backend: int, existing: Sequence[JsonObject]) -> str:
    """A warning if another backend was connected earlier: Label Studio asks only the first one."""
    first = min(existing, key=lambda one: one["id"], default={"id": backend})
    if first["id"] >= backend:
        return ""
    return f"; but {first['title']!r} was connected first, and Label Studio asks only the first"


def _login(user: str, password: str) -> JsonObject:
    if not user:
        return {"auth_method": "NONE"}
    return {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": password}


def _basic_auth(user: str, password: str) -> JsonObject:
    """The header with which Label Studio authenticates at the webhook."""
    if not user:
        return {}
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _refusal(exc: ConnectorError, url: str, hint: str) -> ConnectorError:
    """Tell a blocked address from a wrong one, and from a missing permission of the token."""
    if any(word in exc.message.lower() for word in _BLOCKED):
        return Rejected(f"Label Studio may not call {url}", _ALLOW_LOCAL)
    if isinstance(exc, Denied):
        return exc
    text = re.sub(r"<[^>]*>", "", exc.message)  # Label Studio's text has HTML links
    return Rejected(f"Label Studio does not accept {url}: {text}", hint)
