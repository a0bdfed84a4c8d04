"""Auto grouping: unlabeled images that look alike, so that many can be labeled together."""

from dataclasses import dataclass

import numpy as np

from backend.domain.batches import ImageBatch
from backend.domain.ids import TaskId
from backend.domain.jobs import FEWEST_GROUPS, MOST_GROUPS
from backend.policies.kmeans import kmeans


@dataclass(frozen=True, slots=True)
class Group:
    """Images that look alike, the most typical first, and a title to show."""

    title: str
    tasks: tuple[TaskId, ...]


def group(images: ImageBatch, count: int, chance: np.random.Generator) -> tuple[Group, ...]:
    """At most `count` groups, the largest first; every image is in exactly one.

    Raises:
        ValueError: when `count` is not within FEWEST_GROUPS and MOST_GROUPS.
    """
    if not FEWEST_GROUPS <= count <= MOST_GROUPS:
        raise ValueError(f"groups must be {FEWEST_GROUPS} to {MOST_GROUPS}, not {count}")
    clusters = kmeans(images.features, count, chance)
    nearness = np.einsum(
        "nd,nd->n", images.features.astype(np.float32), clusters.centers[clusters.of]
    )
    tasks, width = images.tasks, len(str(len(clusters.centers)))
    groups = list[Group]()
    for number in range(len(clusters.centers)):
        rows = np.flatnonzero(clusters.of == number)
        rows = rows[np.argsort(-nearness[rows], kind="stable")]
        title = f"group {number + 1:0{width}}: {len(rows)} images"
        groups.append(Group(title, tuple(tasks[int(row)] for row in rows)))
    return tuple(groups)
