"""What a person should do after a job, in one sentence and with one link."""

from dataclasses import dataclass
from enum import Enum, auto

from backend.domain.json import Json
from backend.domain.tab_titles import TabTitle


class NextPlace(Enum):
    """Where the next step is done."""

    REVIEW_PAGE = auto()
    LABEL_STUDIO = auto()


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next; `action` is the text of the link that leads there."""

    sentence: str
    action: str
    place: NextPlace


def next_step(report: Json) -> NextStep | None:
    """Return what the report of a finished job asks for; None if it asks for nothing."""
    verdict, predicted = str(report.get("verdict") or ""), _count(report, "predicted")
    if f"'{TabTitle.AUDIT}'" in verdict and not report.get("certificate"):
        return NextStep(verdict, f"Open the tab {TabTitle.AUDIT}", NextPlace.LABEL_STUDIO)
    if picks := report.get("picks"):
        tab = TabTitle.NEXT_PICKS
        items = report.get("items", "images")
        sentence = f"label the {len(picks)} {items} in the tab '{tab}': they teach the model most"
        return NextStep(sentence, f"Open the tab {tab}", NextPlace.LABEL_STUDIO)
    if predicted:
        sentence = f"look through {predicted:,} predictions and mark only what is wrong"
        return NextStep(sentence, "Review them", NextPlace.REVIEW_PAGE)
    if report.get("version") and report.get("unlabeled") == 0:
        noun = str(report.get("items", "images")).removesuffix("s")
        return NextStep(f"every {noun} has a label", "Export them", NextPlace.LABEL_STUDIO)
    return None


def _count(report: Json, name: str) -> int:
    value = report.get(name)
    return value if isinstance(value, int) else 0
