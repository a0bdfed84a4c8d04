"""What to label next: chosen by the policies, shown in a tab, spread by cluster."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

import numpy as np

from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.schema import Control, TaskKind
from backend.domain.tab_titles import TabTitle
from backend.policies.selection import Pick, select
from backend.ports.label_studio import ClusterEditor, ProjectContents, TabEditor
from backend.services.prediction.inference import ProjectPredictions
from backend.services.training.dataset import Dataset, answered

RANDOM_SHARE = 0.2
"""Of the picks, taken from the random lane while it waits to be labeled."""


def next_picks(
    dataset: Dataset,
    predicted: ProjectPredictions | None,
    count: int,
    seed: int,
    waiting: Sequence[TaskId] = (),
) -> tuple[Pick, ...]:
    """At most `count` images that a person should label next, the most useful first.

    Args:
        material: whose `unlabeled` images may be picked.
        guessed: a version's guesses on them; None before the first model.
        count: how many picks.
        seed: same seed, same picks.
        waiting: tasks of the random lane that nobody labeled yet.
    """
    random = waiting[: round(RANDOM_SHARE * count)]
    rng = np.random.default_rng(seed)
    wanted = count - len(random)
    useful = _in_turn(
        [
            _of_control(control, dataset, predicted, wanted, rng)
            for control in _asking(dataset, predicted)
        ]
    )[:wanted]
    last = max((pick.cluster for pick in useful), default=-1)
    return (*useful, *(Pick(task, last + 1, random=True) for task in random))


class PickEditor(TabEditor, ClusterEditor, Protocol):
    """Lists picks in a tab, and spreads them over clusters."""


class SuggestingProject(ProjectContents, PickEditor, Protocol):
    """A project whose tasks are read, and some of them listed to be labeled next."""


def show(
    label_studio: PickEditor,
    project: ProjectId,
    version: VersionName | None,
    picks: Sequence[Pick],
) -> None:
    """List the picks in their tab; predictions of `version` on them get their cluster."""
    label_studio.list_in_tab(project, TabTitle.NEXT_PICKS, [pick.task for pick in picks])
    if version:
        clusters = {pick.task: pick.cluster for pick in picks if not pick.random}
        label_studio.set_clusters(project, version, clusters)


def _asking(dataset: Dataset, predicted: ProjectPredictions | None) -> Sequence[Control]:
    """The controls that have a say: those with a model; before any, one of the whole image."""
    controls = dataset.schema.controls
    if predicted is not None:
        return [control for control in controls if control.name in predicted.predictions]
    return sorted(controls, key=lambda control: control.kind is TaskKind.DETECTION)[:1]


def _of_control(
    control: Control,
    dataset: Dataset,
    predicted: ProjectPredictions | None,
    count: int,
    rng: np.random.Generator,
) -> Sequence[Pick]:
    images = dataset.unlabeled if predicted is None else predicted.images
    if not len(images):
        return ()
    predictions = predicted.predictions[control.name] if predicted else None
    labeled = dataset.labeled.take(answered(control, dataset)[0])
    return select(control.kind, images, predictions, labeled, count, rng)


def _in_turn(lists: Sequence[Sequence[Pick]]) -> list[Pick]:
    """The first of each control, then the second; no task twice, no cluster of two controls."""
    found: dict[TaskId, Pick] = {}
    for turn in zip_longest(*lists):
        for control, pick in enumerate(turn):
            if pick is not None and pick.task not in found:
                cluster = pick.cluster * len(lists) + control
                found[pick.task] = Pick(pick.task, cluster, pick.random)
    return list(found.values())
