"""The steps of a job, in the order in which they happen."""

from collections.abc import Mapping
from enum import StrEnum


class Step(StrEnum):
    """A step, by its name in reports and in the JSON of a job.

    In `WAIT` nothing is done but repeating a call until Label Studio answers again.
    """

    LIST = "list"
    FETCH = "fetch"
    EMBED = "embed"
    TRAIN = "train"
    PREDICT = "predict"
    PUSH = "push"
    ACCEPT = "accept"
    UNDO = "undo"
    RELABEL = "relabel"
    WAIT = "waiting for Label Studio"

    @property
    def doing(self) -> str:
        """The step as part of a sentence: `training`."""
        return _DOING.get(self, self.value)


_DOING: Mapping[Step, str] = {
    Step.LIST: "listing the tasks",
    Step.FETCH: "fetching the data",
    Step.EMBED: "embedding the data",
    Step.TRAIN: "training",
    Step.PREDICT: "predicting",
    Step.PUSH: "writing to Label Studio",
    Step.ACCEPT: "accepting labels",
    Step.UNDO: "taking accepted labels back",
    Step.RELABEL: "changing labels",
}

EXPECTED_SHARES: Mapping[Step, float] = {
    Step.LIST: 1,
    Step.EMBED: 10,
    Step.TRAIN: 10,
    Step.PREDICT: 3,
    Step.PUSH: 4,
    Step.ACCEPT: 1,
}
"""Relative duration of the steps. Images are fetched while others are embedded."""

UNDO_SHARES: Mapping[Step, float] = {Step.UNDO: 1}
"""An undo has no other steps."""

RELABEL_SHARES: Mapping[Step, float] = {Step.RELABEL: 1}
"""Nor has a label operation."""

TIMED_STEPS = (Step.LIST, Step.FETCH, Step.EMBED, Step.TRAIN, Step.PREDICT, Step.PUSH)
"""Every report gives the seconds of each, 0 for a step that its job did not have."""
