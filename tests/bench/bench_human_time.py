"""How many seconds do people spend on a whole project? Prints a table, and writes a plot.

    python -m tests.bench.bench_human_time [FOLDER]

Nothing is measured here. Seconds per action are published ones, or assumed where none were found;
what the models get right is measured by `few_shot` and `labels_saved` on the 1,485 photos of
`clothing` (docs/benchmarks.md). Rectangles are left out: no measurement says yet how many images of
a project need no edit at all.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
    """

    blind: float = 4.0
    shown: float = 2.0
    grid: float = 0.5
    repair: float = 3.0


LEAST = Seconds(blind=2.5, shown=1.6, grid=0.1, repair=2.0)
MOST = Seconds(blind=9.5, shown=5.3, grid=1.6, repair=5.0)
"""The ends of the published ranges, all at once."""


@dataclass(frozen=True)
class Work:
    """What people do in one project, in images.

    Attributes:
        blind: labeled without a prediction: to train, and for the audit.
        shown: looked at one by one in the editor.
        grid: looked at on walls.
        repaired: of those looked at, the ones whose prediction was wrong.
        accepted: not looked at at all.
    """

    blind: int
    shown: int = 0
    grid: int = 0
    repaired: int = 0
    accepted: int = 0

    def seconds(self, cost: Seconds) -> float:
        return (
            self.blind * cost.blind
            + self.shown * cost.shown
            + self.grid * cost.grid
            + self.repaired * cost.repair
        )


IMAGES = 1485
TAUGHT, ACCURACY = 200, 0.778
"""Labels of the first training, and the accuracy then: `few_shot`, 20 labels a class, fast."""

BY_HAND, AUDITED = 886, 80
"""Labels by hand and in audits until a certificate took the rest: `labels_saved`, `dataset`."""

FIRST_AUDIT, LATER = 300, 0.82
"""Labels before the first audit, and the accuracy from there on: `few_shot`, 60 a class."""


def ways() -> Mapping[str, Work]:
    """Return the work of each way to label all images."""
    rest = IMAGES - TAUGHT
    wrong = round(rest * (1 - ACCURACY))
    looked = BY_HAND - AUDITED - FIRST_AUDIT
    return {
        "by hand": Work(blind=IMAGES),
        "predictions in the editor": Work(blind=TAUGHT, shown=rest, repaired=wrong),
        "walls": Work(blind=TAUGHT, grid=rest, repaired=wrong),
        "walls and certificate": Work(
            blind=FIRST_AUDIT + AUDITED,
            grid=looked,
            repaired=round(looked * (1 - LATER)),
            accepted=IMAGES - BY_HAND,
        ),
    }


def saved(work: Work, cost: Seconds) -> float:
    """Return the share of the seconds by hand that this way saves."""
    return 1 - work.seconds(cost) / Work(blind=IMAGES).seconds(cost)


def labels_saved(work: Work) -> float:
    """Return the share of images that nobody had to name."""
    return 1 - (work.blind + work.repaired) / IMAGES


def dearest_grid(work: Work, other: Work, cost: Seconds) -> float:
    """Return the seconds an image in the grid from which on `other` is faster."""
    without = work.seconds(replace(cost, grid=0)) - other.seconds(replace(cost, grid=0))
    return without / (other.grid - work.grid)


def table() -> Sequence[str]:
    lines = [
        f"clothing, {IMAGES:,} photos, ten classes",
        f"{'':28}{'minutes':>9}{'time saved':>12}{'least..most':>16}{'labels saved':>14}",
    ]
    for name, work in ways().items():
        ends = sorted((saved(work, LEAST), saved(work, MOST)))
        lines.append(
            f"{name:28}{work.seconds(Seconds()) / 60:9.0f}{saved(work, Seconds()):12.0%}"
            f"{ends[0]:>10.0%}..{ends[1]:<4.0%}{labels_saved(work):14.0%}"
        )
    found = ways()
    limit = dearest_grid(found["walls"], found["walls and certificate"], Seconds())
    lines.append(f"the certificate saves time from {limit:.1f} s an image in the grid on")
    return lines


def draw(target: Path) -> None:
    """Write the plot: the share of time saved beside the share of labels saved."""
    found = ways()
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    places = range(len(found))
    time = [100 * saved(work, Seconds()) for work in found.values()]
    labels = [100 * labels_saved(work) for work in found.values()]
    axes.barh([place - 0.2 for place in places], time, 0.4, label="time saved")
    axes.barh([place + 0.2 for place in places], labels, 0.4, label="labels saved")
    axes.set_yticks(list(places), list(found))
    axes.invert_yaxis()
    axes.set_xlabel("percent of labeling everything by hand")
    axes.legend()
    figure.savefig(target, dpi=150)
    plt.close(figure)


def main(folder: Path) -> None:
    print("\n".join(table()))
    folder.mkdir(exist_ok=True)
    draw(folder / "human-time.png")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]) if sys.argv[1:] else Path(".bench"))
