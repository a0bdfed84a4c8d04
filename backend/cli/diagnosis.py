"""What the doctor found, and how it is printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.markup import escape

SEE_LOG = "Read the log of the web process and of the worker"

WHY = {
    "Label Studio": "tasks, labels and predictions are there",
    "token": "everything in Label Studio is done with its owner's rights",
    "Redis": "it holds the queue; without it no job starts",
    "worker": "jobs wait until one takes them",
    "web": "Label Studio, the commands and the page call it",
    "exposure": "whoever reaches the address can start and undo jobs",
    "device": "models are trained on it",
    "backbone": "it turns images and texts into what a model learns from",
    "detector": "rectangles cannot be learned without its weights",
    "disk": "model versions, features and fetched files are kept there",
    "labeling config": "it says what is to be learned",
    "connection": "Label Studio asks it for predictions of new tasks, and starts trainings by it",
    "webhook": "it tells of new annotations, which start trainings",
    "switches": "they change what people see of the predictions, and what we learn of their work",
    "imports": "a job's predictions appear after one to five of them",
    "images": "what cannot be read is neither learned from nor predicted",
}
"""Why each check matters."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check: what was found, why that matters, and what to do about it."""

    name: str
    good: bool
    found: str
    why: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results of all checks."""

    checks: Sequence[CheckResult]

    @property
    def good(self) -> bool:
        return all(check.good for check in self.checks)


def diagnosis_lines(diagnosis: Diagnosis) -> Iterable[str]:
    """Yield each result on a line, with its hint where the check failed."""
    for check in diagnosis.checks:
        mark = "[green]ok  [/]" if check.good else "[red]FAIL[/]"
        yield f"{mark} {escape(check.name)}: {escape(check.found)}"
        if not check.good:
            yield f"     Why it matters: {escape(check.why)}"
            yield f"     {escape(check.hint or SEE_LOG)}"
