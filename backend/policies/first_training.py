"""What is missing until the first training, and how many images to offer for it."""

from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.policies import preconditions
from backend.policies.preconditions import Counts, Minimum

FEWEST_OFFERED, MOST_OFFERED = 24, 200
"""Images on the wall of those to label first: four rows, and as many as a suggestion may have."""

SPARE = 2
"""So many times the images of the minimum are offered: nobody knows yet which label each gets."""


def images_missing(schema: LabelSchema, counts: Counts, minimum: Minimum) -> int:
    """Return the least number of images to label before a training may start.

    One image can answer every control, and have several labels where they are not exclusive. While
    no control has any label, the one that needs least is enough.
    """
    asked = preconditions.trained(schema, counts)
    in_use = preconditions.labels_in_use(asked or schema.controls, counts)
    missing = [_missing(control, counts, minimum, in_use) for control in asked or schema.controls]
    return (max if asked else min)(missing, default=0)


def images_offered(schema: LabelSchema, minimum: Minimum) -> int:
    """Return how many images to offer to be labeled first, by the control with most labels."""
    labels = max((len(control.labels) for control in schema.controls), default=0)
    return min(MOST_OFFERED, max(FEWEST_OFFERED, SPARE * minimum.images * labels))


def _missing(control: Control, counts: Counts, minimum: Minimum, in_use: int) -> int:
    images = counts.of(control)
    used = [count for count in images.values() if count]
    new = max(0, preconditions.labels_needed(control, images, minimum, in_use) - len(used))
    short = [max(0, minimum.images - count) for count in used] + [minimum.images] * new
    return sum(short) if control.kind is TaskKind.SINGLE else max(short, default=0)
