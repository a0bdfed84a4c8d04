import numpy as np

from backend.domain.answers import Choices, LabeledImage
from backend.domain.batches import PredictionBatch, ProjectPredictions
from backend.domain.schema import TaskKind
from backend.policies.certification.certificates import Terms
from backend.policies.certification.verdict import AcceptanceData, judge
from tests.fakes.predictions import CAT, DOG, PETS, image_batch

CATS, DOGS = Choices((CAT,)), Choices((DOG,))


def said(first_task: int, cats: int, dogs: int) -> ProjectPredictions:
    """Predictions of a model that is sure of all its answers."""
    count = cats + dogs
    scores = np.full(count, 0.99)
    batch = PredictionBatch((CATS,) * cats + (DOGS,) * dogs, scores, np.zeros((count, 2)))
    images = image_batch(range(first_task, first_task + count))
    return ProjectPredictions(images, {PETS.name: batch}, scores)


def where_all_dogs_are_cats() -> AcceptanceData:
    """400 cats and 400 dogs in the audit sample; people say that all of them are cats."""
    audit = said(0, 400, 400)
    people = {ref.task: LabeledImage(ref, {PETS.name: CATS}) for ref in audit.images.refs}
    return AcceptanceData(audit, said(10_000, 1000, 1000), said(20_000, 0, 0), people)


def test_where_all_labels_together_fail_each_is_tested_on_its_own():
    data = where_all_dogs_are_cats()
    verdict = judge(data, {PETS.name: TaskKind.SINGLE}, Terms())
    assert [certificate.label for certificate in verdict.certificates] == [CAT]
    assert verdict.tasks == data.pool.images.tasks[:1000]
    assert verdict.attempts == 2


def test_boxes_are_not_tested_label_by_label():
    verdict = judge(where_all_dogs_are_cats(), {PETS.name: TaskKind.DETECTION}, Terms())
    assert verdict.certificates == ()
    assert verdict.attempts == 1
    assert "too few" in verdict.reason


def test_where_each_label_fails_too_nothing_is_accepted_and_both_attempts_count():
    data = where_all_dogs_are_cats()
    wrong = {
        task: LabeledImage(one.image, {PETS.name: DOGS}) for task, one in data.annotations.items()
    }
    mixed = {**wrong, **{task: data.annotations[task] for task in data.audit.images.tasks[::2]}}
    verdict = judge(
        AcceptanceData(data.audit, data.pool, data.labeled_since, mixed),
        {PETS.name: TaskKind.SINGLE},
        Terms(),
    )
    assert verdict.certificates == ()
    assert verdict.attempts == 2
