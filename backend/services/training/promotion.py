"""Compare the new version with the current one, on the same held-out images."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.errors import BadInput, NoWeights, UnreadableImage
from backend.domain.ids import ControlName
from backend.domain.jobs import Decision
from backend.domain.schema import LabelSchema
from backend.domain.versions import ModelVersion, Trials
from backend.policies import preconditions, promotion
from backend.policies.certification.correctness import agreement
from backend.ports.model_family import Model, TrainingSet
from backend.ports.progress import Progress
from backend.ports.stores import VersionFolders
from backend.services.training.train import Models, TrainedModels, Trainer


@dataclass(frozen=True, slots=True)
class ShownModels:
    """The models whose predictions people are to see, and why these.

    `stays` is the current version where it is not replaced.
    """

    models: Models
    decision: Decision
    stays: ModelVersion | None

    def trials(self, of_new: Trials) -> Trials:
        """Return the augmentations that were tried with these models."""
        return self.stays.augmentations if self.stays else of_new


@dataclass(frozen=True, slots=True)
class Promotion:
    """Decides whether a new version replaces the current one."""

    trainer: Trainer
    versions: VersionFolders

    def choose(
        self,
        schema: LabelSchema,
        trained: TrainedModels,
        current: ModelVersion | None,
        progress: Progress,
    ) -> ShownModels:
        """Return what was trained, or the current version where that is better."""
        decision = self._decide(schema, trained, current, progress)
        if decision.yes or current is None:
            return ShownModels(trained.models, decision, None)
        models = self.trainer.load(schema, current, self.versions)
        return ShownModels(models, decision, current)

    def _decide(
        self,
        schema: LabelSchema,
        trained: TrainedModels,
        current: ModelVersion | None,
        progress: Progress,
    ) -> Decision:
        """Decide whether the new version replaces the current one."""
        if current is None or preconditions.model_fits(schema, current):
            return promotion.decide((), None)
        held_out = schema.items.plural
        if set(current.kinds) != set(trained.models):
            return Decision(True, "it was trained on other controls than the current version")
        try:
            old = self.trainer.load(schema, current, self.versions)
            new_scores = self._scores(trained, trained.models, progress)
            old_scores = self._scores(trained, old, progress)
        except (BadInput, NoWeights) as exc:
            return Decision(True, f"the current version cannot be used: {exc.message}")
        except UnreadableImage as exc:
            return Decision(True, f"the versions cannot be compared on held-out {held_out}: {exc}")
        return promotion.decide(new_scores, old_scores, schema.items)

    def _scores(
        self, trained: TrainedModels, models: Mapping[ControlName, Model], progress: Progress
    ) -> list[float]:
        """Return the agreement of each held-out answer with people, control by control."""
        return [
            score
            for name, training_set in trained.training_sets.items()
            for score in self._of_control(training_set, models[name], progress)
        ]

    def _of_control(
        self, training_set: TrainingSet, model: Model, progress: Progress
    ) -> list[float]:
        if not len(training_set.held_out):
            return []
        answers = model.predict(training_set.held_out, training_set.fetch, progress).answers
        pairs = zip(answers, training_set.held_out_answers, strict=True)
        return [agreement(answer, truth) for answer, truth in pairs]
