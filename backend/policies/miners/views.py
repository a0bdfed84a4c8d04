"""Does the answer hold when the picture is altered? ModelArts' aug_consistent_mining (19 to 29)."""

from collections.abc import Iterable

import numpy as np

from backend.domain import Answer, Regions
from backend.policies.correctness import is_right, pairs
from backend.policies.miners.evidence import Evidence, Finding, spoken
from backend.ports import Guesses

ALTERATIONS = {
    19: "blurred",
    20: "mirrored",
    21: "cropped",
    22: "upside down",
    23: "scaled",
    24: "shifted",
    25: "sheared",
    26: "reduced to superpixels",
    27: "sharpened",
    28: "brightened",
    29: "inverted",
}


def changing_answers(evidence: Evidence) -> Iterable[Finding]:
    """How much the answer moves: total variation of probabilities, at least half if it differs."""
    for number, view in evidence.views.items():
        yield _finding(number, evidence.guesses, view)


def _finding(number: int, plain: Guesses, view: Guesses) -> Finding:
    apart = np.array(
        [_distance(one, other) for one, other in zip(plain.answers, view.answers, strict=True)]
    )
    moved = np.abs(plain.probabilities - view.probabilities).sum(axis=1) / 2
    strength = np.where(apart > 0, np.maximum(apart, (1 + moved) / 2), 0)
    return Finding(
        number,
        np.clip(strength, 0, 1),
        lambda i: f"answer changes when {ALTERATIONS[number]} ({spoken(view.answers[i])})",
    )


def _distance(one: Answer, other: Answer) -> float:
    """0 for the same answer; for boxes one minus the F1 of one against the other."""
    if isinstance(one, Regions) and isinstance(other, Regions):
        boxes = len(one.regions) + len(other.regions)
        return 1 - 2 * len(pairs(one, other)) / boxes if boxes else 0.0
    return 0.0 if is_right(one, other) else 0.5
