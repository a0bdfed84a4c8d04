"""`autolabel doctor`: every link between Label Studio, backend, Redis, worker and disk, checked.

Each check is a small function that finds one thing; what it raises is what is wrong, with its cure.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from backend import wiring
from backend.domain.errors import AutolabelError, BadInput, NotFound, OutOfSpace, Unavailable
from backend.domain.ids import ProjectId
from backend.domain.schema import LabelSchema, TaskKind
from backend.jobs.records import QUEUE
from backend.jobs.redis_client import RedisClient
from backend.label_studio import labeling_config as schema
from backend.label_studio.errors import errors_translated
from backend.models.embedding import backbones, encoders
from backend.processes.embedded_redis import redis_url
from backend.settings import Settings

SMALL_DISK = 2_000_000_000
"""Bytes below which a training may run out of space."""

LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and the cure where it is not good."""

    name: str
    good: bool
    found: str
    hint: str = ""

    def json(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[Settings], str]
"""Says what it found; raises AutolabelError where something is wrong."""


def examine(settings: Settings, project: ProjectId | None = None) -> list[Finding]:
    """Run all checks; those of a project only when one is named."""
    checks: list[tuple[str, Check]] = [
        ("Label Studio", label_studio),
        ("token", token),
        ("Redis", redis),
        ("worker", worker),
        ("web", web),
        ("device", device),
        ("backbone", backbone),
        ("disk", disk),
    ]
    if project is None:
        checks.append(("detector", detector))
    else:
        checks += [
            ("detector", partial(detector_of, project=project)),
            ("labeling config", partial(labeling_config, project=project)),
            ("connection", partial(connection, project=project)),
            ("webhook", partial(webhook, project=project)),
        ]
    return [_finding(name, check, settings) for name, check in checks]


def label_studio(settings: Settings) -> str:
    url = settings.label_studio_url
    try:
        with (
            errors_translated(),
            wiring.label_studio_client(settings, patience=0) as client,
        ):
            return f"{client.version()} at {url}"
    except (Unavailable, NotFound, BadInput) as exc:
        hint = "Start it, and set LABEL_STUDIO_URL to its address"
        raise Unavailable(f"no Label Studio at {url}: {exc.message}", hint) from exc


def token(settings: Settings) -> str:
    with errors_translated(), wiring.label_studio_client(settings, patience=0) as client:
        return f"belongs to {client.whoami()['email']}"


def redis(settings: Settings) -> str:
    with RedisClient(partial(redis_url, settings)).reach() as connection:
        return f"{connection.info('server')['redis_version']} answers"


def worker(settings: Settings) -> str:
    with RedisClient(partial(redis_url, settings)).reach() as connection:
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        found = Worker.all(queue=queue)  # pyright: ignore[reportUnknownMemberType] - rq types half
    if not found:
        raise Unavailable("no worker takes jobs", "Run `autolabel up`, or `autolabel worker`")
    return f"{len(found)} running"


def web(settings: Settings) -> str:
    """Asks the address that Label Studio is told, from here."""
    try:
        answer = httpx.get(f"{settings.public_url}/health", timeout=3)
        answer.raise_for_status()
    except httpx.HTTPError as exc:
        hint = "Run `autolabel up`, and set AUTOLABEL_PUBLIC_URL to its address"
        raise Unavailable(f"{settings.public_url} does not answer", hint) from exc
    return f"answers at {settings.public_url}"


def device(settings: Settings) -> str:
    return encoders.compute_device(settings.device)


def backbone(settings: Settings) -> str:
    found = backbones.backbone(settings)
    encoders.check(found, settings.data_dir)
    return f"{found.name} from {found.file or found.downloaded() or found.host}"


def detector(settings: Settings) -> str:
    wiring.families(settings, "cpu")[TaskKind.DETECTION].check()
    return settings.detector


def detector_of(settings: Settings, project: ProjectId) -> str:
    """The same for a project, which may ask for no rectangles."""
    asked = {control.kind for control in _schema(settings, project).controls}
    return detector(settings) if TaskKind.DETECTION in asked else "not needed for this project"


def disk(settings: Settings) -> str:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".doctor").write_text("can be written")
        (folder / ".doctor").unlink()
    except OSError as exc:
        hint = "Make it writable, or set AUTOLABEL_DATA_DIR"
        raise OutOfSpace(f"{folder} cannot be written: {exc.strerror}", hint) from exc
    free = shutil.disk_usage(folder).free
    if free < SMALL_DISK:
        hint = "Free some space, or set AUTOLABEL_DATA_DIR to a folder elsewhere"
        raise OutOfSpace(f"{free / 1e9:.1f} GB free at {folder}", hint)
    return f"{free / 1e9:.0f} GB free at {folder}"


def labeling_config(settings: Settings, project: ProjectId) -> str:
    controls = _schema(settings, project).controls
    return ", ".join(f"{control.kind} '{control.name}'" for control in controls)


def connection(settings: Settings, project: ProjectId) -> str:
    """Is this backend connected, and does Label Studio reach it?"""
    with errors_translated(), wiring.label_studio_client(settings, patience=0) as client:
        backends = client.registration.backends(project)
    ours = [one for one in backends if _is_ours(one["url"], settings)]
    if not ours:
        raise Unavailable(
            f"project {project} does not know {settings.public_url}",
            f"Run `autolabel connect {project}`",
        )
    if ours[0]["state"] != "CO":
        raise Unavailable(
            f"Label Studio cannot reach us: {ours[0].get('error_message') or ours[0]['state']}",
            _reach_hint(settings),
        )
    return f"connected as {ours[0]['title']}"


def webhook(settings: Settings, project: ProjectId) -> str:
    with errors_translated(), wiring.label_studio_client(settings, patience=0) as client:
        webhooks = client.registration.webhooks(project)
    ours = [one for one in webhooks if _is_ours(one["url"], settings)]
    if not any(one["is_active"] for one in ours):
        raise Unavailable(
            f"project {project} has no active webhook to us",
            f"Run `autolabel connect {project}`; Label Studio refuses host names without a dot",
        )
    return f"tells us of {', '.join(ours[0]['actions']) or 'everything'}"


def _schema(settings: Settings, project: ProjectId) -> LabelSchema:
    with errors_translated(), wiring.label_studio_client(settings, patience=0) as client:
        return schema.parse(client.projects.get(project)["label_config"])


def _finding(name: str, check: Check, settings: Settings) -> Finding:
    try:
        return Finding(name, good=True, found=check(settings))
    except AutolabelError as exc:
        return Finding(name, good=False, found=exc.message, hint=exc.hint)


def _is_ours(url: str, settings: Settings) -> bool:
    theirs, ours = urlsplit(url), urlsplit(settings.public_url)
    return (theirs.hostname, theirs.port) == (ours.hostname, ours.port)


def _reach_hint(settings: Settings) -> str:
    """Both cures where the address may be private: names are resolved there, not here."""
    unblock = (
        "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false: since "
        "1.23.1 it blocks backends on local and private addresses"
    )
    elsewhere = "Set AUTOLABEL_PUBLIC_URL to an address that Label Studio can reach"
    host = urlsplit(settings.public_url).hostname
    if host in LOCAL:
        return unblock[:1].upper() + unblock[1:]
    return f"{elsewhere}; if this is one, {unblock}"
