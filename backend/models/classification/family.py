"""The model family that classifies whole images, with one label or several."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.answers import Answer
from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.batches import PredictionBatch
from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.domain.targets import multi_hot
from backend.models.classification import evaluation, out_of_fold, semi_supervised
from backend.models.classification.classifier import Classifier
from backend.models.classification.cross_validation import CrossValidated, cross_validate
from backend.models.classification.decision_rule import rule
from backend.models.classification.finetune_config import ENCODER_FILE, FinetuneConfig
from backend.models.classification.head import Head, read
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import check
from backend.models.folds import stratified
from backend.models.link_functions import link_of
from backend.ports.model_family import TrainingSet
from backend.settings import Settings

ENOUGH_HELD_OUT = 20
"""With fewer held-out images, metrics come from out-of-fold predictions."""

FOLDS = 5
"""Folds of the images that a fine-tuned backbone was not trained on."""


@dataclass(frozen=True, slots=True)
class ClassifierFamily:
    """The model family of classification, single- and multi-label.

    Without `tuning` the `precise` algorithm does not fine-tune the backbone. `check_backbone`
    raises NoWeights when the backbone's weights are missing.
    """

    tuning: FinetuneConfig | None = None
    check_backbone: Callable[[], None] = lambda: None

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return frozenset({TaskKind.SINGLE, TaskKind.MULTI})

    def check(self) -> None:
        """Check that features can be computed; a head needs no weights to start from."""
        self.check_backbone()

    def fit(self, training_set: TrainingSet) -> Classifier:
        """Learn the labels used in `training_set.train`; all others get probability 0.

        Raises:
            BadInput: no training image has a label.
            Stopped: raised by `training_set.progress`.
        """
        began = time.monotonic()
        control = training_set.control
        targets, rows = _usable(control, training_set.train_answers)
        used = np.flatnonzero(targets[rows].sum(axis=0))
        if not len(used):
            raise BadInput(f"nobody used a label of '{control.name}'", "Label some images")
        learned = targets[np.ix_(rows, used)]
        validated, tried = _trained(training_set, training_set.train.features[rows], learned)
        head = _head(tuple(control.labels[int(k)] for k in used), validated, learned)
        notes = self._notes(head, validated, tried, time.monotonic() - began)
        model = _measured(training_set, head, validated, rows, notes)
        if self.tuning is None or training_set.algorithm is not Algorithm.PRECISE:
            return model
        return _finetuned(training_set, model, validated, learned, rows, self.tuning)

    def _notes(
        self,
        head: Head,
        validated: CrossValidated,
        tried: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> Mapping[str, Any]:
        """Return what the report and the model card say about the training."""
        losses = {
            str(c): round(loss, 4) for c, loss in validated.tried.items() if np.isfinite(loss)
        }
        return {
            "learned_labels": list(head.labels),
            "backbone": self.tuning.backbone.slug if self.tuning else "",
            "c": validated.c,
            "log_loss_by_c": losses,
            "folds": int(validated.folds.max()) + 1,
            "tried": list(tried),
            "seconds": round(seconds, 3),
        }

    def load(self, folder: Path, control: Control) -> Classifier:
        """Load a saved model; labels that the control no longer has are dropped.

        Raises:
            BadInput: no label is left, or the backbone has changed since.
        """
        head, about = read(folder)
        self._require_backbone(about["notes"].get("backbone"))
        known = head.within(control)
        if not known.labels:
            raise BadInput(f"the model knows no label of '{control.name}'", "Train a new one")
        model = Classifier(control, known, about["metrics"], about["notes"])
        if self.tuning is None or not (folder / ENCODER_FILE).is_file():
            return model
        from backend.models.classification.finetuned_encoder import FinetunedEncoder  # noqa: PLC0415 - imports torch

        return replace(model, encoder=FinetunedEncoder.load(folder, self.tuning))

    def _require_backbone(self, learned_on: str | None) -> None:
        """Raise BadInput when the head was trained on features of another backbone or weights."""
        now = self.tuning.backbone.slug if self.tuning else ""
        if learned_on and now and learned_on != now:
            what = f"this version was trained on features of {learned_on}, not of {now}"
            raise BadInput(what, "Set AUTOLABEL_BACKBONE as it was, or train again")


def classifier_family(settings: Settings, device: str) -> ClassifierFamily:
    """Build the family that the settings ask for; torch computes on `device`."""
    chosen = backbone(settings)
    return ClassifierFamily(
        FinetuneConfig(chosen, device, settings.max_image_megapixels),
        partial(check, chosen, settings.data_dir),
    )


def _usable(control: Control, answers: Sequence[Answer]) -> tuple[Targets, Rows]:
    """Return the targets of all answers, and the usable rows: exclusive labels need exactly one."""
    targets = multi_hot(answers, control.labels)
    if control.kind is TaskKind.SINGLE:
        return targets, np.flatnonzero(targets.sum(axis=1) == 1)
    return targets, np.arange(len(targets))


def _trained(
    training_set: TrainingSet, features: Floats, targets: Targets
) -> tuple[CrossValidated, Sequence[Mapping[str, Any]]]:
    """Train the head on features (n, d), and list what the precise algorithm tried besides."""
    link, seed, progress = (
        link_of(training_set.control.kind),
        training_set.seed,
        training_set.progress,
    )
    validated = cross_validate(features, targets, link, seed, progress)
    if training_set.algorithm is not Algorithm.PRECISE:
        return validated, []
    unlabeled = training_set.unlabeled.features
    return semi_supervised.improve(validated, features, targets, unlabeled, seed, progress)


def _head(labels: tuple[Label, ...], validated: CrossValidated, targets: Targets) -> Head:
    logits = validated.calibration(validated.out_of_fold[validated.scored])
    probabilities = validated.link.probabilities(logits)
    fitted = rule(validated.link, probabilities, targets[validated.scored])
    return Head(labels, validated.head, validated.calibration, fitted)


def _measured(
    training_set: TrainingSet,
    head: Head,
    validated: CrossValidated,
    rows: Rows,
    notes: Mapping[str, Any],
) -> Classifier:
    """Return the model on frozen features, with its metrics."""
    folds = np.where(validated.scored, validated.folds, out_of_fold.NO_FOLD)
    answers = _out_of_fold(training_set, head, validated.out_of_fold, folds, rows)
    model = Classifier(training_set.control, head, {}, notes, answers)
    return _with_metrics(model, training_set, answers, rows[validated.scored])


def _finetuned(
    training_set: TrainingSet,
    model: Classifier,
    validated: CrossValidated,
    targets: Targets,
    rows: Rows,
    tuning: FinetuneConfig,
) -> Classifier:
    """Return the model with a fine-tuned backbone if that is better, else the same model.

    Either way `notes["tried"]` says what was tried.
    """
    earlier: Sequence[Mapping[str, Any]] = model.notes["tried"]
    obstacle = tuning.obstacle(len(rows), training_set.max_minutes)
    if obstacle:
        skipped = {"name": tuning.name, "kept": False, "reason": obstacle}
        return replace(model, notes={**model.notes, "tried": [*earlier, skipped]})
    from backend.models.classification.finetune import Finetuning  # noqa: PLC0415 - imports torch

    attempt = Finetuning(training_set, model.head, validated, targets, rows, tuning).run()
    better = attempt.model
    if better is None:
        return replace(model, notes={**model.notes, "tried": [*earlier, attempt.entry]})
    tried = [*({**other, "kept": False} for other in earlier), attempt.entry]
    truth = multi_hot(training_set.train_answers, better.head.labels)[better.rows]
    folds = stratified(truth, FOLDS, training_set.seed)
    answers = _out_of_fold(training_set, better.head, better.logits, folds, better.rows)
    notes = {**model.notes, "tried": tried}
    tuned = replace(model, head=better.head, encoder=better.encoder, notes=notes)
    return _with_metrics(tuned, training_set, answers, better.rows)


def _out_of_fold(
    training_set: TrainingSet, head: Head, logits: Floats, folds: Rows, rows: Rows
) -> PredictionBatch:
    """Answer all of `training_set.train`, given logits and folds of some `rows` of it."""
    targets = multi_hot(training_set.train_answers, head.labels)
    all_logits = np.zeros(targets.shape, dtype=np.float32)
    all_folds = np.full(len(targets), out_of_fold.NO_FOLD, dtype=np.intp)
    all_logits[rows], all_folds[rows] = logits, folds
    return out_of_fold.answers(training_set.control, head, all_logits, targets, all_folds)


def _with_metrics(
    model: Classifier, training_set: TrainingSet, answers: PredictionBatch, scored: Rows
) -> Classifier:
    """Measure on held-out images if there are enough, else on out-of-fold answers.

    Args:
        model: to measure.
        training_set: with the held-out images.
        answers: out-of-fold, to `training_set.train`.
        scored: rows of `answers` to measure on; without any, few held-out images serve.
    """
    control = model.control
    truth, rows = _usable(control, training_set.held_out_answers)
    if len(rows) >= ENOUGH_HELD_OUT or (len(rows) and not len(scored)):
        source, (fetch, progress) = "held-out", (training_set.fetch, training_set.progress)
        predictions = model.predict(training_set.held_out, fetch, progress)
    else:
        source, predictions = "out-of-fold", answers
        truth, rows = multi_hot(training_set.train_answers, control.labels), scored
    metrics, tables = evaluation.evaluate(control, predictions.take(rows.tolist()), truth[rows])
    return replace(model, metrics=metrics, notes={**model.notes, "metrics_from": source, **tables})
