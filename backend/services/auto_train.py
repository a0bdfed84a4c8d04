"""Decide when a training starts automatically, from changes and the project's history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from backend.domain.ids import ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import Decision, Events, Job, JobResult, JobState, Mode
from backend.domain.metrics import Metrics, headline
from backend.domain.versions import ModelVersion
from backend.policies import retraining
from backend.policies.learning_curve import PastTraining
from backend.policies.retraining import RetrainingPolicy, Situation
from backend.ports.jobs import AnnotationChanges, Jobs
from backend.ports.progress import Steps, Work
from backend.ports.stores import PublishedVersions
from backend.settings import Settings

SWITCHED_OFF = Decision(False, "switched off by AUTOLABEL_AUTO_TRAIN")
NOTHING_NEW = Decision(False, "nothing was annotated since the last training")
RECENT_JOBS = 10
"""Jobs among which the last training is looked for."""

SKEW = timedelta(minutes=1)
"""Difference that is tolerated between the clocks of web and worker."""

Obstacle = Callable[[], str]
"""Returns the first reason why no training may start, or ''; may take seconds."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AutoTrain:
    """Decides for one Redis and one data folder."""

    changes: AnnotationChanges
    versions: PublishedVersions
    jobs: Jobs
    policy: RetrainingPolicy
    on: bool = True
    now: Callable[[], datetime] = field(default=_now)
    _due: dict[ProjectId, datetime] = field(default_factory=dict[ProjectId, datetime])
    """Since when each project lacks nothing but a pause."""

    def decide(self, project: ProjectId, obstacle: Obstacle) -> Decision:
        """Decide whether to start a training now; calls `obstacle` only if all else allows it."""
        if not self.on:
            return SWITCHED_OFF
        events = self.changes.read(project)
        if not events.count:
            return NOTHING_NEW
        situation = self._waiting(project, self._situation(project, events))
        decision = retraining.decide(situation, self.policy)
        if not decision.yes:
            return decision
        return retraining.decide(replace(situation, obstacle=obstacle()), self.policy)

    def _waiting(self, project: ProjectId, situation: Situation) -> Situation:
        """Note how long a training waits for people who never pause."""
        if not retraining.lacks_only_quiet(situation, self.policy):
            self._due.pop(project, None)
            return situation
        since = self._due.setdefault(project, self.now())
        return replace(situation, waited=(self.now() - since).total_seconds())

    def _situation(self, project: ProjectId, events: Events) -> Situation:
        jobs = self.jobs.history(project, RECENT_JOBS, reports=False)
        cards = self.versions.all(project)  # newest first
        last = next((job for job in jobs if job.request.mode is Mode.ACTIVE_LEARNING), None)
        return Situation(
            obstacle=_in_vain(last, events, self.now()),
            new=events.count,
            quiet=self._since(events.last),
            rested=self._since(last.ended_at if last else events.trained),
            history=_history(cards),
            busy=any(job.state.is_live for job in jobs),
            items=cards[0].items if cards else ItemKind.IMAGE,
        )

    def _since(self, moment: datetime | None) -> float:
        """Return the seconds since a moment; infinite for none and for one in the future."""
        now = self.now()
        past = _past(moment, now)
        return max(0.0, (now - past).total_seconds()) if past else float("inf")


def _history(cards: Sequence[ModelVersion]) -> Sequence[PastTraining]:
    """Return the past trainings, oldest first, without versions that were trained elsewhere."""
    return [
        PastTraining(card.trained_on["images"], _score(card.metrics))
        for card in reversed(cards)
        if card.trained_on.get("images")
    ]


def retraining_policy(settings: Settings) -> RetrainingPolicy:
    """Return the policy that the settings ask for."""
    return RetrainingPolicy(
        debounce=settings.train_debounce_seconds,
        longest_wait=settings.train_longest_wait_seconds,
        cooldown=settings.train_cooldown_seconds,
        gain=settings.train_gain,
        fewest=settings.train_fewest,
        least_share=settings.train_least_share,
    )


def consuming(changes: AnnotationChanges, work: Work) -> Work:
    """Wrap work so that a training that ends well corrects the counter of changed annotations.

    It consumes what was counted before the training listed its tasks; later changes still count.
    """

    def run(job: Job, steps: Steps) -> JobResult:
        project = job.request.project
        known = changes.read(project).count
        result = work(job, steps)
        if job.request.mode is Mode.ACTIVE_LEARNING:
            changes.consumed(project, known)
        return result

    return run


def _in_vain(last: Job | None, events: Events, now: datetime) -> str:
    """Return why a training that failed or was stopped is not repeated yet; '' if it may be."""
    if last is None or last.state not in {JobState.FAILED, JobState.STOPPED}:
        return ""
    ended, changed = _past(last.ended_at, now), _past(events.last, now)
    if ended is None or (changed and changed > ended):
        return ""
    return f"the last training {last.state.value} ({last.reason}); waiting for new annotations"


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    """Return the moment; None if it is in the future, written while the clock ran ahead."""
    return moment if moment and moment <= now + SKEW else None


def _score(metrics: Metrics) -> float:
    """Average the headline metric over the controls; 0 where none was measured."""
    scores = [own[name] for own in metrics.values() if (name := headline(own))]
    return sum(scores) / len(scores) if scores else 0.0
