"""How many seconds do people spend on a whole project? Prints a table each, and writes a plot.

    python -m tests.bench.bench_human_time [FOLDER]

Nothing is measured here. Seconds per action are published ones, or assumed where none were found.
What the models get right was measured: on the 1,485 photos of `clothing` by `few_shot` and
`labels_saved`, on the boxes of `bccd` and `coco256` by `box_work` (docs/benchmarks.md).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


@dataclass(frozen=True)
class Seconds:
    """What one action costs a person.

    Attributes:
        blind: name the class of an image in an editor; 2.5 to 9.5, Russakovsky et al., CVPR 2015.
        shown: confirm a shown class in an editor; 1.6 to 5.3, from the same.
        grid: confirm an image in a grid of one predicted class; 0.1 is the lower bound of Krishna
            et al., CHI 2016.
        repair: put a wrong one right, on top of seeing it; assumed.
        draw: draw a box; 7.0 by extreme clicking, Papadopoulos et al., ICCV 2017; 25.5 in a careful
            interface, Konyushkova et al., CVPR 2018.
        accept: accept a shown box; 1.6 to 1.8, Papadopoulos et al., CVPR 2016.
        move: move or resize a box; assumed.
        delete: delete a box; assumed.
        relabel: give a box another label; assumed, as `delete`.
        search: look for missing boxes in an image; 1.6 to 7.8, Su et al., 2012.
    """

    blind: float = 4.0
    shown: float = 2.0
    grid: float = 0.5
    repair: float = 3.0
    draw: float = 7.0
    accept: float = 1.7
    move: float = 5.0
    delete: float = 2.0
    relabel: float = 2.0
    search: float = 3.0


LEAST = Seconds(2.5, 1.6, 0.1, 2.0, 7.0, 1.6, 5.0, 2.0, 2.0, 1.6)
MOST = Seconds(9.5, 5.3, 1.6, 5.0, 25.5, 1.8, 5.0, 2.0, 2.0, 7.8)
"""The ends of the published ranges, all at once."""


class Work(Protocol):
    """What people do in one project."""

    @property
    def saved(self) -> float:
        """The share of labels that nobody had to give: images to name, or boxes to draw."""
        ...

    def seconds(self, cost: Seconds) -> float: ...


@dataclass(frozen=True)
class ChoiceWork:
    """Work on labels of whole images, in images.

    Attributes:
        images: of the project.
        blind: labeled without a prediction: to train, and for the audit.
        shown: looked at one by one in the editor.
        grid: looked at on walls.
        repaired: of those looked at, the ones whose prediction was wrong.
    """

    images: int
    blind: int
    shown: int = 0
    grid: int = 0
    repaired: int = 0

    @property
    def saved(self) -> float:
        return 1 - (self.blind + self.repaired) / self.images

    def seconds(self, cost: Seconds) -> float:
        return (
            self.blind * cost.blind
            + self.shown * cost.shown
            + self.grid * cost.grid
            + self.repaired * cost.repair
        )


@dataclass(frozen=True)
class BoxWork:
    """Work on rectangles: `boxes` of the project, and how many of them cost what.

    `searched` images are looked through for missing boxes.
    """

    boxes: int
    drawn: int
    searched: int
    accepted: int = 0
    moved: int = 0
    deleted: int = 0
    relabeled: int = 0

    @property
    def saved(self) -> float:
        return 1 - self.drawn / self.boxes

    def seconds(self, cost: Seconds) -> float:
        return (
            self.drawn * cost.draw
            + self.searched * cost.search
            + self.accepted * cost.accept
            + self.moved * cost.move
            + self.deleted * cost.delete
            + self.relabeled * cost.relabel
        )


Ways = Mapping[str, Work]
BY_HAND_WAY = "by hand"

IMAGES = 1485
TAUGHT, ACCURACY = 200, 0.778
"""Labels of the first training, and the accuracy then: `few_shot`, 20 labels a class, fast."""

BY_HAND, AUDITED, WRONG_ACCEPTED = 770, 100, 0.045
"""Labels by hand, audits among them, until a certificate took the rest, and the share of it that is
wrong: `labels_saved`, `dataset`, the mean of five seeds."""


def clothing() -> Ways:
    """Return the work of each way to label all photos.

    No way counts what is learned while people look through walls: they correct all mistakes of the
    first training but those that a certificate accepts.
    """
    rest = IMAGES - TAUGHT
    wrong = round(rest * (1 - ACCURACY))
    looked = BY_HAND - AUDITED - TAUGHT
    return {
        BY_HAND_WAY: ChoiceWork(IMAGES, blind=IMAGES),
        "predictions in the editor": ChoiceWork(IMAGES, blind=TAUGHT, shown=rest, repaired=wrong),
        "walls": ChoiceWork(IMAGES, blind=TAUGHT, grid=rest, repaired=wrong),
        "walls and certificate": ChoiceWork(
            IMAGES,
            blind=TAUGHT + AUDITED,
            grid=looked,
            repaired=wrong - round(WRONG_ACCEPTED * (IMAGES - BY_HAND)),
        ),
    }


@dataclass(frozen=True)
class Boxes:
    """A data set: images and boxes that a person labeled first, and `box_work` on the rest."""

    labeled: int
    drawn: int
    images: int
    boxes: int
    accepted: int
    add: int
    delete: int
    move: int
    relabel: int

    @property
    def wrong(self) -> float:
        """The share of the shown boxes that cannot stay as they are."""
        edited = self.delete + self.move + self.relabel
        return edited / (self.accepted + edited)

    @property
    def missed(self) -> float:
        """The share of the true boxes that nothing is shown for."""
        return self.add / self.boxes

    def ways(self) -> Ways:
        """Return the work by hand, and when predictions are corrected.

        With a certificate it is the same: no audit pays while so many boxes are wrong or missed.
        """
        images, boxes = self.labeled + self.images, self.drawn + self.boxes
        return {
            BY_HAND_WAY: BoxWork(boxes, drawn=boxes, searched=images),
            "predicted boxes, corrected": BoxWork(
                boxes,
                drawn=self.drawn + self.add,
                searched=images,
                accepted=self.accepted,
                moved=self.move,
                deleted=self.delete,
                relabeled=self.relabel,
            ),
        }


COCO256 = Boxes(
    labeled=60,
    drawn=444,
    images=196,
    boxes=1383,
    accepted=646,
    add=681,
    delete=119,
    move=38,
    relabel=18,
)
"""`box_work`: YOLO11n imported and calibrated, nothing trained."""

BCCD = Boxes(
    labeled=60,
    drawn=857,
    images=304,
    boxes=4029,
    accepted=2542,
    add=1447,
    delete=767,
    move=39,
    relabel=1,
)
"""`box_work`: one training on 60 images."""


def saved(ways: Ways, name: str, cost: Seconds) -> float:
    """Return the share of the seconds by hand that this way saves."""
    return 1 - ways[name].seconds(cost) / ways[BY_HAND_WAY].seconds(cost)


def dearest_grid(work: ChoiceWork, other: ChoiceWork, cost: Seconds) -> float:
    """Return the seconds an image in the grid from which on `other` is faster."""
    without = work.seconds(replace(cost, grid=0)) - other.seconds(replace(cost, grid=0))
    return without / (other.grid - work.grid)


def table(title: str, ways: Ways) -> Sequence[str]:
    lines = [
        title,
        f"{'':28}{'minutes':>9}{'time saved':>12}{'least..most':>16}{'labels saved':>14}",
    ]
    for name, work in ways.items():
        ends = sorted((saved(ways, name, LEAST), saved(ways, name, MOST)))
        lines.append(
            f"{name:28}{work.seconds(Seconds()) / 60:9.0f}{saved(ways, name, Seconds()):12.0%}"
            f"{ends[0]:>10.0%}..{ends[1]:<4.0%}{work.saved:14.0%}"
        )
    return lines


def certificate_pays() -> str:
    found = clothing()
    walls, certified = found["walls"], found["walls and certificate"]
    assert isinstance(walls, ChoiceWork) and isinstance(certified, ChoiceWork)
    limit = dearest_grid(walls, certified, Seconds())
    return f"the certificate saves time from {limit:.1f} s an image in the grid on"


def no_certificate(boxes: Boxes) -> str:
    return (
        f"no certificate at 5 %: {boxes.wrong:.0%} of the shown boxes are wrong, and "
        f"{boxes.missed:.0%} of the true ones are missed"
    )


def draw(target: Path, projects: Mapping[str, Ways]) -> None:
    """Write the plot: the share of time saved beside the share of labels saved, a panel each."""
    heights = [len(ways) for ways in projects.values()]
    figure, panels = plt.subplots(
        len(projects), figsize=(7, 0.75 * sum(heights)), height_ratios=heights, layout="constrained"
    )
    for axes, (title, ways) in zip(panels, projects.items(), strict=True):
        places = range(len(ways))
        time = [100 * saved(ways, name, Seconds()) for name in ways]
        labels = [100 * work.saved for work in ways.values()]
        axes.barh([place - 0.2 for place in places], time, 0.4, label="time saved")
        axes.barh([place + 0.2 for place in places], labels, 0.4, label="labels saved")
        axes.set_yticks(list(places), list(ways))
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_title(title, loc="left", fontsize=10)
    panels[-1].set_xlabel("percent of labeling everything by hand")
    panels[0].legend()
    figure.savefig(target, dpi=150)
    plt.close(figure)


def main(folder: Path) -> None:
    projects = {
        f"clothing, {IMAGES:,} photos, ten classes": clothing(),
        f"bccd, {BCCD.labeled + BCCD.images} images of blood cells": BCCD.ways(),
        f"coco256, {COCO256.labeled + COCO256.images} photos": COCO256.ways(),
    }
    notes = (certificate_pays(), no_certificate(BCCD), no_certificate(COCO256))
    for (title, ways), note in zip(projects.items(), notes, strict=True):
        print("\n".join((*table(title, ways), note, "")))
    folder.mkdir(exist_ok=True)
    draw(folder / "human-time.png", projects)


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]) if sys.argv[1:] else Path(".bench"))
