"""How many labels by hand does a whole project save? Prints it, and writes a plot.

A simulated person who knows the truth lives a project through the product's own jobs on the
clothing photos: labels what is suggested, 150 images between two jobs; from 300 labels on each
job may draw an audit, which the person labels at once; in the end labels by hand all that no
certificate took. Beside it the same project with images chosen by chance and by least confidence,
and labeling everything:

    python -m tests.bench.bench_labels_saved [FOLDER]

Both promises: at most 5 % mistakes in the finished set, and among the labels accepted.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from backend.domain.answers import Choices, ImageRef
from backend.domain.audits import Promise
from backend.domain.errors import Refused
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.jobs import Job, JobRequest, JobState, Mode
from backend.domain.schema import TaskKind
from backend.domain.tab_titles import TabTitle
from backend.models.classification.family import ClassifierFamily
from backend.settings import Settings
from backend.stores.ledgers import LedgerFiles
from backend.use_cases import use_cases
from tests.bench.bench_few_shot import DATA, Data, load, silent
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.steps import FakeSteps
from tests.fakes.world import parts_in

mpl.use("Agg")
import matplotlib.pyplot as plt

PROJECT = ProjectId(1)
STEP, ACCEPT_FROM, ASKED = 150, 300, 0.05
SEEDS = range(5)


@dataclass(frozen=True)
class Shelf:
    """A feature extractor whose images were all embedded before."""

    data: Data
    backbone: str = "as computed"
    device: str = "cpu"

    def choose(self, kinds, algorithm, items=None):
        return self.backbone

    def extract(self, refs: Sequence[ImageRef], progress, backbone=""):
        return self.data.images.take([ref.task for ref in refs]), ()

    def fetch(self, ref: ImageRef) -> Path:
        return self.data.files.path(ref)

    def timings(self):
        return {}

    def remarks(self, backbone):
        return ()

    def notes(self):
        return {}


class Project:
    """A project of the product with a person who is always right; nothing labeled yet."""

    def __init__(self, data: Data, folder: Path, seed: int, promise: Promise) -> None:
        self.data, self.seed, self.promise = data, seed, promise
        self.audited = 0
        options = "".join(f'<Choice value="{label}"/>' for label in data.labels)
        config = '<View><Image name="i" value="$image"/><Choices name="class" toName="i">{}'
        self.studio = FakeLabelStudio(
            label_config=config.format(options) + "</Choices></View>",
            people={TaskId(task): None for task in range(len(data.truth))},
        )
        self.ledgers, extractor = LedgerFiles(folder), Shelf(data)
        families = dict.fromkeys(TaskKind, ClassifierFamily())
        cases = use_cases(
            parts_in(
                folder,
                self.studio,
                settings=Settings(data_dir=folder, seed=seed, augmented_images=0),
                ledgers=self.ledgers,
                extractor=lambda: extractor,
                families=lambda device: families,
            )
        )
        self.suggest = cases.jobs()[Mode.SUGGESTING]
        self.active_learning = cases.jobs()[Mode.ACTIVE_LEARNING]
        self.jobs = 0

    def truth(self, task: int) -> Choices:
        return Choices((self.data.labels[self.data.truth[task]],))

    def label(self, tasks: Sequence[TaskId]) -> None:
        name = self.data.control.name
        self.studio.people |= {task: {name: self.truth(task)} for task in tasks}

    @property
    def waiting(self) -> list[TaskId]:
        """Unlabeled, and not in an open audit."""
        audit = self.ledgers.load(PROJECT).withheld
        return [
            t for t, answers in self.studio.people.items() if answers is None and t not in audit
        ]

    @property
    def accepted(self) -> frozenset[TaskId]:
        return self.ledgers.load(PROJECT).accepted

    @property
    def by_hand(self) -> int:
        return sum(answers is not None for answers in self.studio.people.values()) - len(
            self.accepted
        )

    @property
    def mistakes(self) -> int:
        name = self.data.control.name
        return sum(self.studio.people[task][name] != self.truth(task) for task in self.accepted)

    def run(self, *, accept: bool) -> str:
        request = JobRequest(PROJECT, accept=accept, max_error=ASKED, promise=self.promise)
        return self.active_learning(self._job(request), FakeSteps(silent)).reason

    def suggested(self, count: int) -> list[TaskId]:
        request = JobRequest(PROJECT, mode=Mode.SUGGESTING, count=count)
        suggested = self.suggest(self._job(request), FakeSteps(silent))
        return [pick["task"] for pick in suggested.sections["picks"]]

    def _job(self, request: JobRequest) -> Job:
        self.jobs += 1
        return Job(JobId(f"job-{self.jobs}"), request, JobState.RUNNING)


Choose = Callable[[Project, np.random.Generator, int], Sequence[TaskId]]


def ours(project: Project, rng: np.random.Generator, count: int) -> Sequence[TaskId]:
    return project.suggested(count)


def random(project: Project, rng: np.random.Generator, count: int) -> Sequence[TaskId]:
    left = project.waiting
    return [TaskId(int(t)) for t in rng.choice(left, min(count, len(left)), replace=False)]


def least_confident(project: Project, rng: np.random.Generator, count: int) -> Sequence[TaskId]:
    """By the score column, as Label Studio's own Uncertainty sampling orders."""
    scores = {task: one.score for (task, _), one in project.studio.predictions.items()}
    if not scores:
        return random(project, rng, count)
    return sorted(project.waiting, key=lambda task: scores.get(task, 1.0))[:count]


RULES: dict[str, Choose] = {"ours": ours, "random": random, "least confidence": least_confident}


@dataclass(frozen=True)
class Outcome:
    """`path` has (labels by hand, accepted) after each job; `wrong` is the share of the set."""

    by_hand: int
    accepted: int
    audit: int
    wrong_accepted: float
    wrong: float
    path: Sequence[tuple[int, int]]


def live(project: Project, choose: Choose) -> Outcome:
    rng, path = np.random.default_rng(project.seed), []
    project.label(choose(project, rng, STEP))
    while project.waiting:
        accept = project.by_hand >= ACCEPT_FROM
        try:
            project.run(accept=accept)
            audit = project.studio.lists.get(TabTitle.AUDIT, ())
            if accept and audit:
                project.label(audit)
                project.audited += len(audit)
                project.run(accept=True)
        except Refused:
            pass  # a label short of images: label on
        path.append((project.by_hand, len(project.accepted)))
        project.label(choose(project, rng, STEP))
    total, taken = len(project.data.truth), len(project.accepted)
    return Outcome(
        by_hand=total - taken,
        accepted=taken,
        audit=project.audited,
        wrong_accepted=project.mistakes / max(1, taken),
        wrong=project.mistakes / total,
        path=path,
    )


def measure(data: Data, choose: Choose, promise: Promise, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return live(Project(data, Path(folder), seed, promise), choose)


def plot(runs: dict[str, list[Outcome]], total: int, folder: Path) -> None:
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    for name, outcomes in runs.items():
        for run in outcomes[:1]:
            hand, taken = zip(*run.path, (run.by_hand, run.accepted), strict=True)
            axes.plot(hand, np.add(hand, taken) / total, "o-", label=name)
    axes.plot([0, total], [0, 1], ":", color="gray", label="labeling everything")
    axes.set(xlabel="labels by hand", ylabel="share of the set labeled", title="clothing")
    axes.legend(fontsize=8)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "labels_saved.png", dpi=120)
    plt.close(figure)


def main(folder: Path) -> None:
    if not DATA.is_dir():
        sys.exit(f"no images to label: {DATA} is missing")
    data, runs = load(), {}
    total = len(data.truth)
    print(f"{total} images, {len(data.labels)} classes; means over {len(SEEDS)} seeds")
    print("labels by hand (audit included) | saved | wrong among accepted | wrong in the set")
    for promise in (Promise.DATASET, Promise.ACCEPTED):
        goal = f"5 % of the {promise.value}"
        for name, choose in RULES.items():
            began = time.perf_counter()
            found = [measure(data, choose, promise, seed) for seed in SEEDS]
            runs[f"{name}, {goal}"] = found
            hand, audit, taken, wrong = np.mean(
                [(o.by_hand, o.audit, o.wrong_accepted, o.wrong) for o in found], axis=0
            )
            print(
                f"{goal:20} {name:17} {hand:6.0f} ({audit:3.0f}) | {1 - hand / total:5.1%} | "
                f"{taken:5.1%} | {wrong:5.1%}   {time.perf_counter() - began:4.0f} s",
                flush=True,
            )
    plot(runs, total, folder)
    print(f"\nplot in {folder}; vendors claim 70 % saved (on sets far larger than this)")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".bench"))
