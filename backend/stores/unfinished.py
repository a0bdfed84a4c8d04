"""What unfinished jobs have made so far, beside the versions that people see.

    projects/<id>/.unfinished/job.json                      the job, an `UnfinishedJob`
    projects/<id>/.unfinished/<key>/training.json           the training, written when it is done
    projects/<id>/.unfinished/<key>/models/<control>        its models, as in a version
    projects/<id>/.unfinished/<key>/out-of-fold/<control>   cross-validated predictions
    projects/<id>/.unfinished/<key>/version                 the version published from it
    projects/<id>/.unfinished/<key>/pushing.json            tasks of the call that is being made
    projects/<id>/.unfinished/<key>/predictions/<model>/<control>/<n>.npz

The key stands for all that the work depends on, so other labels lead to another folder. All of it
is deleted when the job ends. Backups leave out names that begin with a dot.
"""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter
from pydantic_core import to_json

from backend.domain.answers import ImageRef
from backend.domain.batches import PredictionBatch
from backend.domain.errors import BadInput
from backend.domain.ids import ControlName, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.steps import Step
from backend.domain.unfinished import KeptTraining, UnfinishedJob
from backend.domain.version_names import VERSION_NAME, control_folder
from backend.stores.atomic_files import room_for, write_whole
from backend.stores.prediction_batches import digest_of, read_batch, write_batch
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

UNFINISHED = ".unfinished"
_JOB = TypeAdapter(UnfinishedJob)
_TASKS = TypeAdapter(tuple[TaskId, ...])
_TRAINING = TypeAdapter(KeptTraining)


class KeptFiles:
    """Implements `backend.ports.unfinished.KeptWork` in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reused: list[Step] = []

    @property
    def key(self) -> str:
        return self.folder.name

    def reuse(self, step: Step) -> None:
        if step not in self.reused:
            self.reused.append(step)

    def training(self) -> KeptTraining | None:
        try:
            text = (self.folder / "training.json").read_bytes()
            return parse_json(_TRAINING, text, "a training")
        except FileNotFoundError:
            return None
        except (BadInput, OSError) as exc:
            log.warning("training again: %s cannot be read: %s", self.folder, exc)
            return None

    def out_of_fold(self, control: ControlName) -> PredictionBatch | None:
        path = self._out_of_fold(control)
        found = read_batch(path) if path.is_file() else None
        return found[1] if found else None

    def model(self, control: ControlName) -> Path:
        return control_folder(self.folder / "models", control)

    def keep_training(
        self,
        training: KeptTraining,
        out_of_fold: Mapping[ControlName, PredictionBatch],
        write: Callable[[Path], None],
    ) -> None:
        models = self.folder / "models"
        shutil.rmtree(self.folder, ignore_errors=True)
        with room_for(self.folder):
            models.mkdir(parents=True)
            write(models)
        for control, batch in out_of_fold.items():
            write_batch(self._out_of_fold(control), (), batch)
        text = to_json(training, inf_nan_mode="constants").decode()
        write_whole(self.folder / "training.json", text)  # last: it says that all is there

    def version(self) -> VersionName | None:
        try:
            name = (self.folder / "version").read_text("utf-8")
        except OSError:
            return None
        return VersionName(name) if VERSION_NAME.fullmatch(name) else None

    def keep_version(self, version: VersionName) -> None:
        write_whole(self.folder / "version", version)

    def pushing(self) -> Sequence[TaskId]:
        try:
            text = (self.folder / "pushing.json").read_bytes()
            return parse_json(_TASKS, text, "a list of tasks")
        except (BadInput, OSError):
            return ()

    def keep_pushing(self, tasks: Sequence[TaskId]) -> None:
        if tasks:
            text = _TASKS.dump_json(tuple(tasks)).decode()
            write_whole(self.folder / "pushing.json", text)
        else:
            (self.folder / "pushing.json").unlink(missing_ok=True)

    def predictions(
        self, model: str, control: ControlName, refs: Sequence[ImageRef]
    ) -> tuple[Sequence[int], PredictionBatch | None]:
        files = [read_batch(path) for path in self._predictions(model, control).glob("*.npz")]
        sound = [one for one in files if one]
        if not sound:
            return (), None
        images = [image for known, _ in sound for image in known]
        rows = {image: row for row, image in enumerate(images)}
        (first, *rest) = (batch for _, batch in sound)
        digests = [digest_of(ref) for ref in refs]
        known = [row for row, digest in enumerate(digests) if digest in rows]
        return known, first.joined(*rest).take([rows[digests[row]] for row in known])

    def keep_predictions(
        self, model: str, control: ControlName, refs: Sequence[ImageRef], made: PredictionBatch
    ) -> None:
        folder = self._predictions(model, control)
        name = digest_of(refs[0]).hex() if refs else "none"
        write_batch(folder / f"{name}.npz", refs, made)

    def _predictions(self, model: str, control: ControlName) -> Path:
        return control_folder(self.folder / "predictions" / (model or "new"), control)

    def _out_of_fold(self, control: ControlName) -> Path:
        return control_folder(self.folder / "out-of-fold", control) / "predictions.npz"


class UnfinishedJobFiles:
    """Implements `backend.ports.unfinished.UnfinishedJobs` below one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"
        self._opened: dict[ProjectId, KeptFiles] = {}

    def begin(self, job: Job) -> UnfinishedJob | None:
        project = job.request.project
        before = self.of(project)
        deaths = before.deaths + 1 if before and not before.paused else 0
        self._opened.pop(project, None)
        self._write(UnfinishedJob(project, job.id, deaths))
        return before

    def open(self, project: ProjectId, key: str) -> KeptFiles:
        folder = self._folder(project)
        for other in folder.glob("*/"):
            if other.name != key:
                shutil.rmtree(other, ignore_errors=True)
        self._opened[project] = KeptFiles(folder / key)
        return self._opened[project]

    def work(self, project: ProjectId, key: str) -> KeptFiles:
        return KeptFiles(self._folder(project) / key)

    def opened(self, project: ProjectId) -> KeptFiles | None:
        return self._opened.get(project)

    def version(self, project: ProjectId) -> VersionName | None:
        kept = (KeptFiles(path.parent) for path in self._folder(project).glob("*/version"))
        return next((name for one in kept if (name := one.version())), None)

    def pause(self, job: Job) -> None:
        project = job.request.project
        now = self.of(project)
        if now and now.job == job.id:
            self._write(UnfinishedJob(project, job.id, paused=True))

    def end(self, job: Job) -> None:
        now = self.of(job.request.project)
        if now and now.job == job.id:
            self.forget(job.request.project)

    def of(self, project: ProjectId) -> UnfinishedJob | None:
        path = self._folder(project) / "job.json"
        try:
            return parse_json(_JOB, path.read_bytes(), "an unfinished job")
        except FileNotFoundError:
            return None
        except (BadInput, OSError) as exc:
            log.warning("%s cannot be read, so nothing is resumed: %s", path, exc)
            return None

    def all(self) -> Sequence[UnfinishedJob]:
        notes = self._projects.glob(f"*/{UNFINISHED}/job.json")
        numbers = [path.parent.parent.name for path in notes]
        found = (self.of(ProjectId(int(number))) for number in numbers if number.isdecimal())
        return [one for one in found if one]

    def forget(self, project: ProjectId) -> None:
        folder = self._folder(project)
        (folder / "job.json").unlink(missing_ok=True)  # first: half of it is not to be resumed
        shutil.rmtree(folder, ignore_errors=True)

    def _write(self, unfinished: UnfinishedJob) -> None:
        path = self._folder(unfinished.project) / "job.json"
        write_whole(path, _JOB.dump_json(unfinished).decode())

    def _folder(self, project: ProjectId) -> Path:
        return self._projects / str(project) / UNFINISHED
