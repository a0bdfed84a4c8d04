"""Fit a model although some images have disappeared since the job read them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import Answer, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import UnreadableImage
from backend.domain.steps import Step
from backend.ports.model_family import Family, Model, TrainingSet

log = logging.getLogger(__name__)

MOST_LOST = 0.02
"""Share of the labeled images that a training may do without; one image in any case. If more are
lost, their server is away, and a model of what is left would be worse."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, what it was fitted to, and the labeled images that had to be left out."""

    model: Model
    training_set: TrainingSet
    unreadable: tuple[NoPrediction, ...] = ()


def fit(family: Family, training_set: TrainingSet) -> Fitted:
    """Fit a model; where an image cannot be read any more, fit it again without that image.

    Raises:
        UnreadableImage: when too many labeled images are lost, or it is unknown which.
        Stopped: when the progress of the training set raises it.
    """
    whole = len(training_set.train) + len(training_set.held_out)
    lost: tuple[NoPrediction, ...] = ()
    while True:
        try:
            return Fitted(family.fit(training_set), training_set, lost)
        except UnreadableImage as exc:
            before = len(training_set.unlabeled)
            training_set, more = _readable(training_set)
            if not more and len(training_set.unlabeled) == before:
                raise
            lost += more
            if len(lost) > max(1, MOST_LOST * whole) or not len(training_set.train):
                raise
            log.warning("training again without images that cannot be read any more: %s", exc)


def _readable(training_set: TrainingSet) -> tuple[TrainingSet, tuple[NoPrediction, ...]]:
    """Leave out what cannot be fetched; name the labeled images among that."""
    train, lost = _split(training_set, training_set.train)
    held_out, more = _split(training_set, training_set.held_out)
    unlabeled, _ = _split(training_set, training_set.unlabeled)
    kept = replace(
        training_set,
        train=training_set.train.take(train),
        train_answers=_taken(training_set.train_answers, train),
        held_out=training_set.held_out.take(held_out),
        held_out_answers=_taken(training_set.held_out_answers, held_out),
        unlabeled=training_set.unlabeled.take(unlabeled),
    )
    return kept, (*lost, *more)


def _split(training_set: TrainingSet, images: ImageBatch) -> tuple[list[int], list[NoPrediction]]:
    """Return the rows that can be fetched, and the images that cannot."""
    rows, lost = list[int](), list[NoPrediction]()
    for row, ref in enumerate(images.refs):
        training_set.progress(Step.TRAIN, 0, 1, "reading images")
        try:
            training_set.fetch(ref)
            rows.append(row)
        except UnreadableImage as exc:
            lost.append(NoPrediction(ref.task, str(exc)))
    return rows, lost


def _taken(answers: Sequence[Answer], rows: Sequence[int]) -> list[Answer]:
    return [answers[row] for row in rows]
