"""How a backend is made known to a Label Studio project: its entry and its webhook."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.errors import ConnectorError, Denied, Rejected
from connectors.label_studio.calls import Calls, Json

WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)

_CREATED, _UPDATED, _KEPT = "created", "updated", "already there"

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
    "It must answer Label Studio, not only you: check that it runs, that AUTOLABEL_PUBLIC_URL is"
    " its address as seen from Label Studio, and user and password if it wants any"
)


@dataclass(frozen=True, slots=True)
class Registration:
    """The ids of a backend's entry and webhook, and what was done to them, in words."""

    backend: int
    webhook: int
    done: str

    def __str__(self) -> str:
        return self.done


class Registrations(Calls):
    """Connect and disconnect backends."""

    def backends(self, project: int) -> list[Json]:
        """The project's backends; Label Studio asks each for its health meanwhile."""
        return self._list("/api/ml", params={"project": project})

    def webhooks(self, project: int) -> list[Json]:
        return self._list("/api/webhooks/", params={"project": project})

    def connect_backend(
        self, project: int, url: str, title: str, user: str = "", password: str = ""
    ) -> Registration:
        """Create or update a backend and its webhook. Safe to repeat.

        The webhook comes first: Label Studio would else make one for every action and without
        credentials, or, where it refuses the address, keep a backend that has none.

        Raises:
            Rejected: with the cure, when Label Studio may not call this address, refuses it as a
                webhook, or finds no healthy backend there.
        """
        url = url.rstrip("/")
        webhook, made = self._ensure_webhook(project, f"{url}/webhook", _basic(user, password))
        try:
            known = self.backends(project)
            body = {"project": project, "url": url, "title": title, **_login(user, password)}
            backend, entered = self._ensure_backend(body, known)
        except ConnectorError:
            if made == _CREATED:
                self._delete(f"/api/webhooks/{webhook}/")
            raise
        done = f"backend {entered}, webhook {made}" + _shadow(backend, known)
        return Registration(backend, webhook, done)

    def disconnect(self, project: int, url: str) -> None:
        """Remove the backends and webhooks with this address; none is fine."""
        url = url.rstrip("/")
        for backend in self.backends(project):
            if backend["url"].rstrip("/") == url:
                self._delete(f"/api/ml/{backend['id']}")
        self._forget_webhook(project, url)

    def _forget_webhook(self, project: int, url: str) -> None:
        for hook in self.webhooks(project):
            if hook["url"] == f"{url}/webhook":
                self._delete(f"/api/webhooks/{hook['id']}/")

    def _ensure_webhook(self, project: int, url: str, headers: Json) -> tuple[int, str]:
        wanted = {
            "url": url,
            "headers": headers,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": sorted(WEBHOOK_ACTIONS),
            "is_active": True,
        }
        same = next((hook for hook in self.webhooks(project) if hook["url"] == url), None)
        try:
            if same is None:
                body = {**wanted, "project": project}
                return self._object("POST", "/api/webhooks/", json=body)["id"], _CREATED
            if wanted.items() <= {**same, "actions": sorted(same["actions"])}.items():
                return same["id"], _KEPT
            self._object("PATCH", f"/api/webhooks/{same['id']}/", json=wanted)
        except (Denied, Rejected) as exc:
            raise _refusal(exc, url, _DOTTED_HOST) from exc
        return same["id"], _UPDATED

    def _ensure_backend(self, body: Json, known: Sequence[Json]) -> tuple[int, str]:
        url, title = body["url"], body["title"]
        same = next((one for one in known if url == one["url"].rstrip("/")), None)
        same = same or next((one for one in known if title == one["title"]), None)
        try:
            if same is None:
                return self._object("POST", "/api/ml", json=body)["id"], _CREATED
            self._object("PATCH", f"/api/ml/{same['id']}", json=body)
        except (Denied, Rejected) as exc:
            raise _refusal(exc, url, _MUST_ANSWER) from exc
        if (old := same["url"].rstrip("/")) != url:
            self._forget_webhook(body["project"], old)
        return same["id"], _UPDATED


def _shadow(backend: int, known: Sequence[Json]) -> str:
    """Label Studio asks a project's first backend for predictions, and no other."""
    first = min(known, key=lambda one: one["id"], default={"id": backend})
    if first["id"] >= backend:
        return ""
    return f"; but {first['title']!r} was connected first, and Label Studio asks only the first"


def _login(user: str, password: str) -> Json:
    if not user:
        return {"auth_method": "NONE"}
    return {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": password}


def _basic(user: str, password: str) -> Json:
    if not user:
        return {}
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _refusal(exc: ConnectorError, url: str, hint: str) -> ConnectorError:
    """Tell a blocked address from a wrong one, and from a token that may not do this."""
    if any(word in exc.message.lower() for word in _BLOCKED):
        return Rejected(f"Label Studio may not call {url}", _ALLOW_LOCAL)
    if isinstance(exc, Denied):
        return exc
    said = re.sub(r"<[^>]*>", "", exc.message)  # it comes with links
    return Rejected(f"Label Studio does not take {url}: {said}", hint)
