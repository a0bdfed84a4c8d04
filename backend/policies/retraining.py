"""Decide whether a training should start by itself now.

The number of new images that justifies a training follows from the project's own learning curve:
the error falls as a power of the number of labeled images (Hestness et al. 2017, arXiv
1712.00409), and a training should be expected to remove a tenth of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from backend.domain.items import ItemKind
from backend.domain.jobs import Decision
from backend.policies.learning_curve import PastTraining, power


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of a project when an event arrives; times in seconds.

    Attributes:
        obstacle: the first unmet precondition, empty if all are met.
        new: images annotated since the last training.
        quiet: time since the last annotation.
        rested: time since the last training ended.
        waited: time for which only the missing quiet has held a training back.
        items: what the project's tasks show.
        history: past trainings, oldest first.
        busy: a job of this project is running.
    """

    obstacle: str
    new: int
    quiet: float
    rested: float = float("inf")
    history: Sequence[PastTraining] = ()
    busy: bool = False
    waited: float = 0.0
    items: ItemKind = ItemKind.IMAGE


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """When to train.

    Attributes:
        debounce: seconds without an annotation before a training starts.
        longest_wait: seconds after which it starts although people go on annotating.
        cooldown: least seconds between two trainings.
        gain: the share of the error that a training should be expected to remove.
        fewest: least number of new images.
        least_share: least number of new images as a share of the labeled ones.
        first_debounce: upper limit of `debounce` before the first training, which people wait for.
        first_longest_wait: upper limit of `longest_wait` before it.
    """

    debounce: float = 5
    longest_wait: float = 300
    cooldown: float = 60
    gain: float = 0.1
    fewest: int = 10
    least_share: float = 0.1
    first_debounce: float = 5
    first_longest_wait: float = 15

    def after(self, history: Sequence[PastTraining]) -> "RetrainingPolicy":
        """Return the policy that holds after these trainings; the first one waits less."""
        if history:
            return self
        return replace(
            self,
            debounce=min(self.debounce, self.first_debounce),
            longest_wait=min(self.longest_wait, self.first_longest_wait),
        )


def decide(situation: Situation, policy: RetrainingPolicy | None = None) -> Decision:
    """Return yes, or no with the first reason to wait."""
    policy = (policy or RetrainingPolicy()).after(situation.history)
    wanted = images_wanted(situation.history, policy)
    reasons_to_wait = (
        (situation.busy, "a training of this project is running"),
        (bool(situation.obstacle), situation.obstacle),
        (
            situation.new < wanted,
            f"{situation.new} of {wanted} new {situation.items.plural} for the next training",
        ),
        (
            situation.quiet < policy.debounce and situation.waited < policy.longest_wait,
            f"people are annotating; waiting for {policy.debounce:g} s of quiet",
        ),
        (
            situation.rested < policy.cooldown,
            f"the last training ended less than {policy.cooldown:g} s ago",
        ),
    )
    for applies, reason in reasons_to_wait:
        if applies:
            return Decision(False, reason)
    if not situation.history:
        return Decision(True, "enough labels for the first training")
    return Decision(
        True, f"{situation.new} new {situation.items.plural}, {wanted} are worth a training"
    )


def lacks_only_quiet(situation: Situation, policy: RetrainingPolicy) -> bool:
    """Return whether a training would start now if people paused."""
    paused = replace(situation, quiet=float("inf"))
    debounce = policy.after(situation.history).debounce
    return situation.quiet < debounce and decide(paused, policy).yes


def images_wanted(history: Sequence[PastTraining], policy: RetrainingPolicy) -> int:
    """Return how many new images justify the next training: at most a doubling of the labels."""
    if not history:
        return 0
    have = max(training.images for training in history)
    growth = (1 - policy.gain) ** (-1 / power(history)) - 1
    least = max(policy.fewest, ceil(policy.least_share * have))
    return max(least, min(have, ceil(growth * have)))
