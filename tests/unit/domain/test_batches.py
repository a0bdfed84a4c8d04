import numpy as np

from backend.domain.answers import Choices, ImageRef
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import Label, TaskId


def images(*tasks):
    refs = tuple(ImageRef(TaskId(task), f"/{task}.png") for task in tasks)
    rows = np.array(tasks, dtype=np.float32)[:, None]
    return ImageBatch(refs, np.tile(rows, 3), np.tile(rows, 6))


def predictions(*labels):
    confidence = np.arange(len(labels)) / 10
    answers = tuple(Choices((Label(label),)) for label in labels)
    return PredictionBatch(answers, confidence, np.stack([confidence, 1 - confidence], axis=1))


def test_taking_images_keeps_refs_features_and_statistics_together():
    taken = images(5, 6, 7, 8).take([3, 0])
    assert taken.tasks == (8, 5)
    assert taken.features[:, 0].tolist() == taken.image_stats[:, 0].tolist() == [8, 5]
    assert len(taken.take([])) == 0


def test_taking_neighboring_images_shares_their_memory():
    whole = images(5, 6, 7, 8)
    assert np.shares_memory(whole.take([1, 2]).features, whole.features)
    assert not np.shares_memory(whole.take([1, 3]).features, whole.features)


def test_taking_predictions_keeps_answers_and_figures_together():
    taken = predictions("cat", "dog", "emu").take([2, 0])
    assert [answer.labels for answer in taken.answers] == [("emu",), ("cat",)]
    assert taken.confidence.tolist() == [0.2, 0.0]
    assert taken.probabilities[:, 0].tolist() == [0.2, 0.0]


def test_rows_are_replaced_in_a_copy():
    whole = predictions("cat", "dog", "emu")
    changed = whole.with_rows([1], predictions("yak", "gnu").take([1]))
    assert [answer.labels for answer in changed.answers] == [("cat",), ("gnu",), ("emu",)]
    assert changed.confidence.tolist() == [0.0, 0.1, 0.2]
    assert [answer.labels for answer in whole.answers] == [("cat",), ("dog",), ("emu",)]
