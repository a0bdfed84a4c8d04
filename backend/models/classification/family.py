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
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.domain.targets import multi_hot
from backend.models.classification import evaluation, out_of_fold, semi_supervised
from backend.models.classification.classifier import Classifier
from backend.models.classification.cross_validation import CrossValidated, cross_validate
from backend.models.classification.decision_rule import rule
from backend.models.classification.feature_source import Features, FeatureSource
from backend.models.classification.finetune_config import ENCODER_FILE, FinetuneConfig
from backend.models.classification.head import Head, read
from backend.models.embedding.backbones import Backbone, backbone, backbones, named, slug
from backend.models.embedding.encoders import check
from backend.models.folds import stratified
from backend.models.link_functions import link_of
from backend.models.texts.availability import check as check_text_encoder
from backend.models.texts.names import is_text_encoder
from backend.ports.model_family import TrainingSet
from backend.settings import Settings

ENOUGH_HELD_OUT = 20
"""With fewer held-out images, metrics come from out-of-fold predictions."""

FOLDS = 5
"""Folds of the images that a fine-tuned backbone was not trained on."""


@dataclass(frozen=True, slots=True)
class ClassifierFamily:
    """The model family of classification, single- and multi-label.

    Attributes:
        tuning: how `precise` fine-tunes the backbone; None if it does not.
        check_backbone: raises NoWeights when the weights of the encoder of images, or of texts,
            are missing.
        joined: the backbones of a name, none where it embeds texts; None where the only one is that
            of `tuning`.
        extractor: opens the extractor for images that another encoder has embedded.
    """

    tuning: FinetuneConfig | None = None
    check_backbone: Callable[[ItemKind], None] = lambda _: None
    joined: Callable[[str], Sequence[Backbone]] | None = None
    extractor: Callable[[], Features] | None = None

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return frozenset({TaskKind.SINGLE, TaskKind.MULTI})

    def check(self, items: ItemKind = ItemKind.IMAGE) -> None:
        """Check that features can be computed; a head needs no weights to start from."""
        self.check_backbone(items)

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
        backbone = training_set.train.backbone
        notes = self._notes(head, validated, tried, time.monotonic() - began, backbone)
        model = _measured(training_set, head, validated, rows, notes)
        model = replace(model, source=FeatureSource(backbone, self.extractor))
        tuning = self._tuning(backbone)
        if tuning is None or training_set.algorithm is not Algorithm.PRECISE:
            return model
        return _finetuned(training_set, model, validated, learned, rows, tuning)

    def _notes(
        self,
        head: Head,
        validated: CrossValidated,
        tried: Sequence[Mapping[str, Any]],
        seconds: float,
        backbone: str,
    ) -> Mapping[str, Any]:
        """Return what the report and the model card say about the training."""
        losses = {
            str(c): round(loss, 4) for c, loss in validated.tried.items() if np.isfinite(loss)
        }
        return {
            "learned_labels": list(head.labels),
            "encoder": backbone,
            "backbone": self._slug(backbone),
            "c": validated.c,
            **_finite("log_loss", validated.log_loss),
            "log_loss_by_c": losses,
            "folds": int(validated.folds.max()) + 1,
            "tried": list(tried),
            "seconds": round(seconds, 3),
        }

    def load(self, folder: Path, control: Control) -> Classifier:
        """Load a saved model; labels that the control no longer has are dropped.

        Raises:
            BadInput: no label is left, or the weights of the backbone have changed since.
        """
        head, about = read(folder)
        backbone: str = about["notes"].get("encoder") or self._only_backbone()
        self._require_weights(backbone, about["notes"].get("backbone"))
        known = head.within(control)
        if not known.labels:
            raise BadInput(f"the model knows no label of '{control.name}'", "Train a new one")
        source = FeatureSource(backbone, self.extractor)
        source.load(folder)
        model = Classifier(control, known, about["metrics"], about["notes"], source=source)
        tuning = self._tuning(backbone)
        if tuning is None or not (folder / ENCODER_FILE).is_file():
            return model
        from backend.models.classification.finetuned_encoder import FinetunedEncoder  # noqa: PLC0415 - imports torch

        return replace(model, encoder=FinetunedEncoder.load(folder, tuning))

    def _require_weights(self, backbone: str, learned_on: str | None) -> None:
        """Raise BadInput when the head was trained on features of other weights."""
        now = self._slug(backbone)
        if learned_on and now and learned_on != now:
            what = f"this version was trained on features of {learned_on}, not of {now}"
            hint = "Set AUTOLABEL_BACKBONE and AUTOLABEL_BACKBONE_WEIGHTS as they were"
            raise BadInput(what, f"{hint}, or train again")

    def _only_backbone(self) -> str:
        """Return the backbone of heads from before a version could choose its own."""
        return self.tuning.backbone.name if self.tuning else ""

    def _backbones(self, name: str) -> Sequence[Backbone]:
        if self.tuning is None:
            return ()
        return self.joined(name) if self.joined and name else (self.tuning.backbone,)

    def _slug(self, name: str) -> str:
        return slug(self._backbones(name))

    def _tuning(self, name: str) -> FinetuneConfig | None:
        """Return how to fine-tune a backbone, the first one of several; None for texts."""
        found = self._backbones(name)
        return replace(self.tuning, backbone=found[0]) if self.tuning and found else None


def classifier_family(
    settings: Settings, device: str, extractor: Callable[[], Features] | None = None
) -> ClassifierFamily:
    """Build the family that the settings ask for; torch computes on `device`."""
    return ClassifierFamily(
        FinetuneConfig(backbone(settings), device, settings.max_image_megapixels),
        partial(_check, settings),
        partial(_of_images, settings),
        extractor,
    )


def _check(settings: Settings, items: ItemKind) -> None:
    if items.is_text:
        check_text_encoder(settings.text_encoder)
        return
    for one in backbones(named(settings), settings):
        check(one, settings.data_dir)


def _of_images(settings: Settings, name: str) -> Sequence[Backbone]:
    return () if is_text_encoder(name) else backbones(name, settings)


def _finite(name: str, value: float) -> Mapping[str, float]:
    """Return a note of this value; none where it could not be measured, as JSON has no infinity."""
    return {name: round(value, 6)} if np.isfinite(value) else {}


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
    notes = {**model.notes, "tried": tried, "log_loss": attempt.entry["log_loss"]}
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
