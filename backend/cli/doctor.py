"""`autolabel doctor`: check every link between Label Studio, backend, Redis, worker and disk.

Each check is a function that describes what it found, or raises what is wrong, with a hint.
"""

import shutil
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from backend import real_parts
from backend.cli import project_checks
from backend.cli.diagnosis import SEE_LOG, WHY, CheckResult, Diagnosis
from backend.domain.errors import AutolabelError, BadInput, NotFound, OutOfSpace, Unavailable
from backend.domain.ids import ProjectId
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.shards import WorkerQueue
from backend.jobs.redis_client import RedisClient
from backend.jobs.workforce import WorkerWatch
from backend.label_studio import labeling_config as schema
from backend.label_studio.errors import errors_translated
from backend.models.embedding import backbones, encoders
from backend.models.embedding.encoder_choice import choose
from backend.models.embedding.licences import restriction
from backend.models.embedding.machine import this_machine
from backend.presentation.workforce import NO_WORKER, START_ONE, summary
from backend.processes import exposure
from backend.processes.embedded_redis import redis_url
from backend.services.connecting import POLLING_HINT
from backend.settings import Settings, without_login
from backend.stores.atomic_files import require_writable
from backend.stores.polled_projects import PolledProjectFiles

SMALL_DISK = 2_000_000_000
"""Bytes below which a training may run out of space."""

LOCAL = {"localhost", "127.0.0.1", "::1"}


Check = Callable[[Settings], str]
"""Describes what it found; raises AutolabelError where something is wrong."""


def examine(settings: Settings, project: ProjectId | None = None) -> Diagnosis:
    """Run all checks; those of a project only if one is given."""
    checks: list[tuple[str, Check]] = [
        ("Label Studio", label_studio),
        ("token", token),
        ("Redis", redis),
        ("worker", worker),
        ("web", web),
        ("exposure", exposure_of),
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
            ("switches", partial(project_checks.switches, project=project)),
            ("imports", partial(project_checks.imports, project=project)),
            ("images", partial(project_checks.images, project=project)),
        ]
    return Diagnosis([_result(name, check, settings) for name, check in checks])


def label_studio(settings: Settings) -> str:
    url = without_login(settings.label_studio_url)
    try:
        with (
            errors_translated(),
            real_parts.label_studio_client(settings, patience=0) as client,
        ):
            return f"{client.version()} at {url}"
    except (Unavailable, NotFound, BadInput) as exc:
        start = "Start it, and set LABEL_STUDIO_URL to its address, with its path if it has one"
        hint = exc.hint if isinstance(exc, BadInput) and exc.hint else start
        raise Unavailable(f"no Label Studio at {url}: {exc.message}", hint) from exc


def token(settings: Settings) -> str:
    with errors_translated(), real_parts.label_studio_client(settings, patience=0) as client:
        return f"belongs to {client.whoami()['email']}"


def redis(settings: Settings) -> str:
    with RedisClient(partial(redis_url, settings)).reach() as connection:
        return f"{connection.info('server')['redis_version']} answers"


def worker(settings: Settings) -> str:
    found = WorkerWatch(partial(redis_url, settings), settings.data_dir).look()
    if not found.takers(WorkerQueue.JOBS):
        raise Unavailable(NO_WORKER, START_ONE)
    return summary(found)


def web(settings: Settings) -> str:
    """Request the address that Label Studio is given, from this machine."""
    try:
        with errors_translated(), real_parts.http_client(settings, settings.public_url) as client:
            health = client.request_json("GET", "/health", timeout=3)
        unwatched, nameless = health["unwatched_projects"], health.get("nameless_webhooks", 0)
    except (AutolabelError, LookupError, TypeError, AttributeError) as exc:
        start = "Run `autolabel up`, and set AUTOLABEL_PUBLIC_URL to its address"
        hint = exc.hint if isinstance(exc, BadInput) and exc.hint else start
        raise Unavailable(f"{without_login(settings.public_url)} does not answer", hint) from exc
    if unwatched:
        raise Unavailable(
            f"{unwatched} projects cannot be watched for new annotations",
            "The log of the web process names them; no training starts automatically for them",
        )
    if nameless:
        raise Unavailable(
            f"{nameless} webhooks named no project, so their annotations were not counted",
            "Run `autolabel connect PROJECT` for each project: it switches 'Send payload' on again",
        )
    return f"answers at {without_login(settings.public_url)}"


def exposure_of(settings: Settings) -> str:
    """Say who may call the backend."""
    if exposure.is_open(settings) and settings.insecure:
        return f"AUTOLABEL_INSECURE is set: {exposure.warning(settings)}"
    exposure.refuse_open(settings)
    address = f"{settings.host}:{settings.port}"
    if exposure.has_credentials(settings):
        return f"{address} asks for user name and password"
    return f"only this machine reaches {address}"


def device(settings: Settings) -> str:
    return encoders.compute_device(settings.device)


def backbone(settings: Settings) -> str:
    """Check the encoder of the next training, and the stronger one if there is one."""
    choice = choose(settings.backbone, this_machine(settings, download=False), precise=False)
    found = _encoder(choice.backbone, settings)
    if choice.shortfall:
        found += f"; {choice.shortfall}"
    if settings.upgrade_backbone:
        found += f"; {_encoder(settings.upgrade_backbone, settings)} when it has embedded a project"
    return found


def _encoder(name: str, settings: Settings) -> str:
    found = backbones.backbones(name, settings)
    for one in found:
        encoders.check(one, settings.data_dir)
    return ", ".join(map(_described, found))


def _described(one: backbones.Backbone) -> str:
    licence = restriction(one.name)
    under = f" under {licence}" if licence else ""
    return f"{one.name} from {one.file or one.downloaded() or one.host}{under}"


def detector(settings: Settings) -> str:
    real_parts.families(settings, "cpu")[TaskKind.DETECTION].check()
    return settings.detector


def detector_of(settings: Settings, project: ProjectId) -> str:
    """Check the detector only if the project's labeling config has rectangles."""
    asked = {control.kind for control in _schema(settings, project).controls}
    return detector(settings) if TaskKind.DETECTION in asked else "not needed for this project"


def disk(settings: Settings) -> str:
    folder = settings.data_dir
    require_writable(folder)
    free = shutil.disk_usage(folder).free
    if free < SMALL_DISK:
        hint = "Free some space, or set AUTOLABEL_DATA_DIR to a folder elsewhere"
        raise OutOfSpace(f"{free / 1e9:.1f} GB free at {folder}", hint)
    return f"{free / 1e9:.0f} GB free at {folder}"


def labeling_config(settings: Settings, project: ProjectId) -> str:
    controls = _schema(settings, project).controls
    return ", ".join(f"{control.kind} '{control.name}'" for control in controls)


def connection(settings: Settings, project: ProjectId) -> str:
    """Check that this backend is connected and that Label Studio reaches it, or need not."""
    try:
        return _connection(settings, project)
    except Unavailable as exc:
        if not _polls(settings, project):
            raise
        return f"{_polling(settings)}, as it must here: {exc.message}"


def _connection(settings: Settings, project: ProjectId) -> str:
    with errors_translated(), real_parts.label_studio_client(settings, patience=0) as client:
        backends = client.registration.backends(project)
    ours = [one for one in backends if _is_ours(one["url"], settings)]
    if not ours:
        raise Unavailable(
            f"project {project} is not connected to {without_login(settings.public_url)}",
            f"Run `autolabel connect {project}`",
        )
    if ours[0]["state"] != "CO":
        problem = ours[0].get("error_message") or ours[0]["state"]
        message = f"Label Studio cannot reach this backend: {problem}"
        raise Unavailable(message, _reach_hint(settings))
    return f"connected as {ours[0]['title']}"


def webhook(settings: Settings, project: ProjectId) -> str:
    with errors_translated(), real_parts.label_studio_client(settings, patience=0) as client:
        webhooks = client.registration.webhooks(project)
    ours = [one for one in webhooks if _is_ours(one["url"], settings)]
    if not any(one["is_active"] for one in ours):
        if _polls(settings, project):
            return f"none is needed: {_polling(settings)}"
        raise Unavailable(
            f"project {project} has no active webhook to this backend",
            f"Run `autolabel connect {project}`; Label Studio refuses host names without a dot",
        )
    return f"reports {', '.join(ours[0]['actions']) or 'all events'}"


def _polls(settings: Settings, project: ProjectId) -> bool:
    return settings.poll_seconds > 0 and project in PolledProjectFiles(settings.data_dir).all()


def _polling(settings: Settings) -> str:
    return f"the backend looks for new annotations itself every {settings.poll_seconds:g} s"


def _schema(settings: Settings, project: ProjectId) -> LabelSchema:
    with errors_translated(), real_parts.label_studio_client(settings, patience=0) as client:
        return schema.parse(client.projects.get(project)["label_config"])


def _result(name: str, check: Check, settings: Settings) -> CheckResult:
    try:
        return CheckResult(name, good=True, found=check(settings), why=WHY[name])
    except AutolabelError as exc:
        return CheckResult(name, False, exc.message, WHY[name], exc.hint or SEE_LOG)


def _is_ours(url: str, settings: Settings) -> bool:
    """Whether an address is on our host and port, and below our path: others may be beside it."""
    theirs, ours = urlsplit(url), urlsplit(settings.public_url)
    is_below = f"{theirs.path.rstrip('/')}/".startswith(f"{ours.path.rstrip('/')}/")
    return (theirs.hostname, theirs.port) == (ours.hostname, ours.port) and is_below


def _reach_hint(settings: Settings) -> str:
    """Suggest both remedies where the address may be private.

    Label Studio resolves host names, so this machine cannot tell.
    """
    unblock = (
        "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false: since "
        "1.23.1 it blocks backends on local and private addresses"
    )
    elsewhere = "Set AUTOLABEL_PUBLIC_URL to an address that Label Studio can reach"
    host = urlsplit(settings.public_url).hostname
    if host in LOCAL:
        return f"{unblock[:1].upper()}{unblock[1:]}. {POLLING_HINT}"
    return f"{elsewhere}; if this is one, {unblock}. {POLLING_HINT}"
