"""The promise about boxes: what each image adds to the mistakes, and the test of a prefix.

With the promise `boxes`, at most a share e of the accepted boxes is wrong and at most e of the true
boxes of those images is missed. Both shares are ratios of sums, and a bound for the mean of per-
image ratios would say nothing about them: an image with one box would count as much as one with
thirty. So the test looks at differences, which add up. An image with f boxes, of which w are
wrong, and t true boxes, of which s are missed, has the losses w - e f and s - e t. The promise is
broken exactly where one of the two sums over the accepted images is above 0.

Both losses lie in [-e c, (1 - e) c] if no image has more than c boxes. The region of an audit holds
no prediction with more than its `cap`. How many true boxes an image has is not known, so its missed
boxes count up to the cap, and so do its true ones: t is the matched boxes plus the counted missed
ones. The certificate states the cap.

Each of the two sums is tested with the whole risk: a promise is broken if at least one of them is
above 0, and labels are accepted only if the tests reject both (an intersection-union test, Berger
1982). The sum over a prefix is known for audit images and for images that people labeled in the
meantime; "the rest adds up to more than 0" says that the whole prefix adds up to more than these.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from backend.domain.arrays import Floats, Rows
from backend.domain.audits import Audit, BoxCount
from backend.policies.certification import betting
from backend.policies.certification.risk import share_of


@dataclass(frozen=True, slots=True)
class BoxLosses:
    """Losses of the n images of a region, in its order.

    Attributes:
        least: (n, 2) lowest possible excess of wrong and of missed boxes.
        most: (n, 2) highest possible one; the same where one person labeled the image.
    """

    least: Floats
    most: Floats

    @classmethod
    def of(cls, audit: Audit, counts: Iterable[BoxCount]) -> "BoxLosses":
        """Compute the losses from what people found; there may be several people an image."""
        places = {one.task: place for place, one in enumerate(audit.region)}
        found = np.array([one.boxes for one in audit.region], dtype=np.float64)
        error, cap = audit.terms.max_error, float(audit.cap)
        least = np.stack([-error * found] * 2, axis=1)
        most = (1 - error) * np.stack([found, np.full(len(found), cap)], axis=1)
        known = dict[int, list[tuple[float, float]]]()
        for one in counts:
            place, missed = places[one.task], min(one.missed, cap)
            wrong = found[place] - one.matched
            pair = wrong - error * found[place], missed - error * (one.matched + missed)
            known.setdefault(place, []).append(pair)
        for place, pairs in known.items():
            least[place], most[place] = np.min(pairs, axis=0), np.max(pairs, axis=0)
        return cls(least, most)


def order(audit: Audit) -> Rows:
    """Return the positions of the sample in the random order in which they are bet on."""
    rng = np.random.default_rng([audit.seed, audit.id, 1])
    return rng.permutation(np.array(audit.sample, dtype=np.intp))


def p_value(audit: Audit, losses: BoxLosses, known: Rows, size: int) -> float:
    """Return the p-value of "the images of a prefix that nobody labeled break the promise".

    Args:
        audit: as it was drawn.
        losses: of its region.
        known: positions of audit images and of images that people labeled or deleted.
        size: of the prefix.
    """
    cap, error = max(audit.cap, 1), audit.terms.max_error
    drawn = (chosen := order(audit))[chosen < size]
    sums = losses.least[known[known < size]].sum(axis=0)
    values = losses.most[drawn] / cap + error
    totals = sums / cap + error * size
    return max(
        betting.p_value(column, float(total), size, error)
        for column, total in zip(values.T, totals, strict=True)
    )


def images_that_may_be_wrong(max_error: float, images: int, boxes: int) -> int:
    """Return how many of the accepted images may hold a mistake if the promise is kept.

    Of `boxes` found, e are wrong at most. The true boxes number at most boxes / (1 - e), as all but
    e of them are matched by one that was found, and e of them are missed at most.
    """
    missed = share_of(max_error / (1 - max_error), boxes)
    return min(images, share_of(max_error, boxes) + missed)
