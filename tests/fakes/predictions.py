"""A model that predicts what the test says, and datasets and predictions around it."""

from dataclasses import dataclass, field

import numpy as np

from backend.domain.answers import Choices, ImageRef, LabeledImage
from backend.domain.batches import PredictionBatch, ProjectPredictions
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.ports.model_family import TrainingSet
from backend.services.training.dataset import Dataset
from backend.services.training.train import TrainedModels
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.steps import quiet

CAT, DOG = Label("cat"), Label("dog")
PETS = Control(ControlName("pets"), "image", TaskKind.SINGLE, (CAT, DOG))
CELLS = Control(ControlName("cells"), "image", TaskKind.DETECTION, (CAT, DOG))


@dataclass
class ScriptedModel:
    """Predicts what `answers_of` has for a task, else cat; `files` collects the names it opened."""

    answers_of: dict[int, object] = field(default_factory=dict)
    otherwise: object = Choices((CAT,))
    files: list[str] = field(default_factory=list)

    def predict(self, images, fetch, progress):
        self.files += [fetch(ref).name for ref in images.refs]
        answers = tuple(self.answers_of.get(task, self.otherwise) for task in images.tasks)
        cats = np.array([answer.labels == (CAT,) for answer in answers], dtype=np.float64)
        table = np.stack([cats, 1 - cats], axis=1)
        return PredictionBatch(answers, np.full(len(answers), 0.5), table)


def image_batch(tasks):
    refs = [ImageRef(TaskId(task), "") for task in tasks]
    return FakeFeatureExtractor().extract(refs, quiet)[0]


def trained(control, model, answer, held_out):
    """A model of one control, and held-out images that all have the same answer."""
    nothing, held = image_batch(()), image_batch(held_out)
    training_set = TrainingSet(
        control=control,
        train=nothing,
        train_answers=[],
        held_out=held,
        held_out_answers=[answer] * len(held),
        unlabeled=nothing,
        algorithm=Algorithm.FAST,
        previous=None,
        fetch=FakeFeatureExtractor().fetch,
        progress=quiet,
        seed=0,
        max_minutes=1,
    )
    return TrainedModels({control.name: training_set}, {control.name: model})


def dataset(control, labeled=(), answer=None):
    shown = image_batch(labeled)
    people = {ref.task: LabeledImage(ref, {control.name: answer}) for ref in shown.refs}
    return Dataset(LabelSchema("image", (control,)), people, shown, image_batch(()))


def predicted(control, answer, count=40):
    """The same answer for all; the third and the last are the least certain."""
    confidence = np.full(count, 0.9)
    confidence[[2, count - 1]] = 0.2
    predictions = PredictionBatch((answer,) * count, confidence, np.tile([1.0, 0.0], (count, 1)))
    return ProjectPredictions(
        image_batch(range(100, 100 + count)), {control.name: predictions}, confidence
    )
