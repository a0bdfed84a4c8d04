"""A complete trial run: a separate Label Studio, a project of real images, one active-learning job.

It follows a user's steps: start everything, upload images, label a few of each class, start a job.
The true labels of all other images are held back and compared with the predictions.
"""

import shutil
import signal
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import RenderableType

from backend import real_parts, wiring
from backend.demo import images as demo_images
from backend.demo import processes
from backend.demo.images import DemoSet, Sample
from backend.domain.errors import BadInput, OutOfSpace, Unavailable
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.json import Json
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.tab_titles import WALL, TabTitle
from backend.label_studio import codec, labeling_config
from backend.label_studio.project_setup import ProjectSetup
from backend.policies.certification import correctness
from backend.presentation import job_progress, terminal, terminal_views
from backend.presentation.serializers import JobJson
from backend.processes import action_install
from backend.processes.label_studio_server import BESIDE, LabelStudioProcess, installed_command
from backend.processes.supervisor import with_signals
from backend.settings import Settings

NEEDED_BYTES = 500_000_000
_ON_THE_PAGE = ("  version", "  labeled", "  forecast", "  remark", "  seconds")
"""Lines of a finished job that the demo leaves to the page."""

NAMED = 5
"""Largest number of omitted labels to name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Options of the trial run. `images` None means handwritten digits.

    Raises:
        BadInput: when the kind of task needs a folder of images.
    """

    images: Path | None
    kind: TaskKind
    per_class: int
    keep: bool
    label_studio: Path | None

    def __post_init__(self) -> None:
        if self.images is None and self.kind is TaskKind.DETECTION:
            hint = "Give a folder of images with Pascal VOC or YOLO files with --images"
            raise BadInput("the demo has no images with rectangles of its own", hint)


@dataclass(frozen=True, slots=True)
class Upload:
    """The project in Label Studio, and the sample of each of its tasks, in order."""

    project: ProjectId
    schema: LabelSchema
    samples: Mapping[TaskId, Sample]


def run(settings: Settings, plan: Plan) -> int:
    """Run the demo and return the exit status.

    Raises:
        Unavailable: when Label Studio is not installed, or another demo is running.
        OutOfSpace: when there is not enough disk space.
    """
    folder = settings.data_dir / "demo"
    binary = plan.label_studio or installed_command()
    if binary == BESIDE.absolute():
        action_install.install(binary)
        terminal.say("Added 'Auto Labeling' to the actions menu of the Label Studio in this clone")
    for number in processes.ENDING_SIGNALS:
        signal.signal(number, signal.default_int_handler)  # what runs is stopped on the way out
    with ExitStack() as running:
        running.enter_context(_alone(folder))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _require_room(folder)
        images = _images(plan, folder, 2 * settings.min_images_per_label)
        studio = running.enter_context(processes.label_studio(binary, folder))
        ours = processes.demo_settings(settings, folder, studio.url, studio.token)
        supervisor = running.enter_context(processes.backend(ours, folder / "autolabel.log"))
        client = running.enter_context(real_parts.label_studio_client(ours, patience=30))
        setup = ProjectSetup(client)
        upload = _upload(setup, images)
        annotated = _annotate(setup, upload, demo_images.to_annotate(images, plan.per_class))
        job = _auto_label(ours, upload.project)
        if job.state is JobState.FINISHED and job.version:
            _compare(setup, upload, annotated, job.version)
        _invite(studio, ours, upload.project, plan.kind)
        if plan.keep:
            terminal.say("Running until Ctrl-C.")
            with_signals(supervisor)
            supervisor.watch()
    return 0 if job.state is JobState.FINISHED else 1


# --- preparation -------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Lock the demo's folder. Raises Unavailable if another demo is running in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(folder.with_suffix(".lock")).acquire(blocking=False)
    except Timeout:
        raise Unavailable(
            f"another `autolabel demo` is running in {folder}",
            "Stop it, or set AUTOLABEL_DATA_DIR to another folder",
        ) from None
    with held:
        yield


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise OutOfSpace(
            f"{folder} has {free // 1_000_000} MB free, the demo needs {NEEDED_BYTES // 1_000_000}",
            "Free some space, or set AUTOLABEL_DATA_DIR to a folder elsewhere",
        )


def _images(plan: Plan, folder: Path, least: int) -> DemoSet:
    """Choose the images, with only those labels that are on at least `least` of them."""
    found = _found(plan, folder)
    kept = demo_images.without_rare_labels(found, least)
    if rare := [label for label in found.labels if label not in kept.labels]:
        names = ", ".join(rare[:NAMED]) + (" and others" if len(rare) > NAMED else "")
        terminal.say(f"Left out {len(rare)} labels on fewer than {least} images: {names}")
    return kept


def _found(plan: Plan, folder: Path) -> DemoSet:
    if plan.images is None:
        return demo_images.digits(folder / "digits")
    if plan.kind is TaskKind.DETECTION:
        return demo_images.box_folder(plan.images)
    return demo_images.class_folders(plan.images)


# --- the user's steps -------------------------------------------------------------------------


def _upload(setup: ProjectSetup, images: DemoSet) -> Upload:
    project = setup.create(f"Autolabel demo: {images.name}", images.label_config())
    paths = [sample.path for sample in images.samples]
    with terminal.waiting(f"Uploading {len(paths)} images"):
        tasks = setup.upload(project, paths)
    samples = dict(zip(tasks, images.samples, strict=True))
    return Upload(project, labeling_config.parse(images.label_config()), samples)


def _annotate(setup: ProjectSetup, upload: Upload, positions: Sequence[int]) -> frozenset[TaskId]:
    """Annotate the images at these positions with their true labels."""
    tasks = list(upload.samples)
    chosen = [tasks[position] for position in positions]
    with terminal.waiting(f"Annotating {len(chosen)} of {len(tasks)} images"):
        for task in chosen:
            setup.annotate(task, _annotation(upload, task))
    return frozenset(chosen)


def _annotation(upload: Upload, task: TaskId) -> Sequence[Json]:
    """Return the truth as a person would have given it, which no prediction has suggested."""
    sample = upload.samples[task]
    answers = {upload.schema.controls[0].name: sample.truth}
    return codec.results(answers, upload.schema, demo_images.size_of(sample.path))


def _auto_label(settings: Settings, project: ProjectId) -> Job:
    backend = wiring.backend(settings)
    connected = backend.label_studio.connect(
        project,
        settings.public_url,
        settings.basic_auth_user,
        settings.basic_auth_password.get_secret_value(),
    )
    terminal.say(connected)
    job, _ = backend.start(JobRequest(project))
    job = job_progress.follow(backend.jobs, job, quiet=not terminal.out.is_terminal)
    terminal.show(JobJson.of(job), as_json=False, lines=_brief)
    return job


def _brief(job: JobJson) -> Iterable[RenderableType]:
    """Yield how the job ended and what it predicted; the page has the rest."""
    lines = terminal_views.job_lines(job)
    if job.state != JobState.FINISHED:
        return lines
    return [line for line in lines if not str(line).startswith(_ON_THE_PAGE)]


# --- the result --------------------------------------------------------------------------------


def _compare(
    setup: ProjectSetup, upload: Upload, annotated: frozenset[TaskId], version: VersionName
) -> None:
    control = upload.schema.controls[0].name
    predicted = {
        TaskId(row["task"]): codec.answers(row["result"], upload.schema)[control]
        for row in setup.predictions(upload.project, version)
    }
    tasks = [task for task in predicted if task not in annotated]
    truth = [upload.samples[task].truth for task in tasks]
    right = correctness.right([predicted[task] for task in tasks], truth)
    agreed = [
        correctness.agreement(predicted[task], one) for task, one in zip(tasks, truth, strict=True)
    ]
    terminal.say(
        f"Compared with the held-back labels: {int(right.sum())} of {len(tasks)} images "
        f"need no edit ({right.mean():.1%}); "
        f"predictions agree to {sum(agreed) / len(tasks):.1%} on average."
    )


def tabs_to_confirm(kind: TaskKind) -> str:
    """Name the tabs on which people confirm; rectangles have no walls."""
    if kind is TaskKind.DETECTION:
        return f"the tab '{TabTitle.TO_BE_CONFIRMED}'"
    return f"the tabs '{WALL}…'"


def _invite(
    studio: LabelStudioProcess, settings: Settings, project: ProjectId, kind: TaskKind
) -> None:
    page = f"{settings.public_url}/projects/{project}"
    tabs = tabs_to_confirm(kind)
    terminal.say(f"Open  {studio.url}/projects/{project}/data  to confirm, on {tabs}")
    terminal.say(f"  user {studio.username}   password {studio.password}")
    terminal.say(f"Open  {page}/review  to confirm with keys, boxes drawn")
    terminal.say(f"Open  {page}  for jobs, versions and reports")
