"""Auto grouping: cluster similar unlabeled images so that many can be labeled together."""

from dataclasses import dataclass

import numpy as np

from backend.domain.batches import ImageBatch
from backend.domain.ids import TaskId
from backend.domain.jobs import FEWEST_GROUPS, MOST_GROUPS
from backend.policies.kmeans import kmeans


@dataclass(frozen=True, slots=True)
class Group:
    """Images that look alike, the most typical first."""

    tasks: tuple[TaskId, ...]


def group(images: ImageBatch, count: int, rng: np.random.Generator) -> tuple[Group, ...]:
    """Split the images into at most `count` groups, largest first.

    Every image is in exactly one group.

    Raises:
        ValueError: when `count` is not within FEWEST_GROUPS and MOST_GROUPS.
    """
    if not FEWEST_GROUPS <= count <= MOST_GROUPS:
        raise ValueError(f"groups must be {FEWEST_GROUPS} to {MOST_GROUPS}, not {count}")
    clusters = kmeans(images.features, count, rng)
    tasks = images.tasks
    groups = list[Group]()
    for number in range(len(clusters.centers)):
        rows = np.flatnonzero(clusters.of == number)
        rows = rows[np.argsort(-clusters.nearness[rows], kind="stable")]
        groups.append(Group(tuple(tasks[int(row)] for row in rows)))
    return tuple(groups)
