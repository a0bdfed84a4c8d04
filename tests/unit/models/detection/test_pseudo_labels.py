from pathlib import Path

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection.comparison import compare
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.pseudo_labels import confident_thresholds, extended, select
from tests.fakes.detection_training_sets import shapes, training_set

CAT, DOG = Label("cat"), Label("dog")
HERE, THERE = Box(0.1, 0.1, 0.3, 0.3), Box(0.6, 0.6, 0.9, 0.9)
SURE = {CAT: 0.7, DOG: 0.9}


def image(*boxes: tuple[Box, Label, float]) -> Regions:
    return Regions(tuple(Region(*box) for box in boxes))


def test_the_threshold_of_a_label_is_where_nine_boxes_in_ten_are_right():
    good, bad = image((HERE, CAT, 0.8)), image((HERE, CAT, 0.5))
    truths = [Regions((Region(HERE, CAT),))] * 20 + [Regions(())] * 20
    seen = [good] * 20 + [bad] * 20
    images = compare(seen, truths)
    fitted = BoxConfidence.fit(images, (CAT, DOG))
    sure = confident_thresholds(images, fitted.thresholds)
    assert 0.5 < sure[CAT] <= 0.8
    assert sure[DOG] > 1, "a label never seen right is never sure"


def test_an_image_with_an_undecided_box_is_not_selected():
    found = [
        image((HERE, CAT, 0.8)),
        image((HERE, CAT, 0.8), (THERE, DOG, 0.6)),
        image((HERE, CAT, 0.75), (THERE, DOG, 0.1)),
    ]
    selected = select(found, np.array([0.5, 0.9, 0.4]), SURE, limit=10)
    assert selected.positions == (0, 2)
    assert selected.answers[1] == image((HERE, CAT, 0.75))


def test_an_image_without_a_confident_box_is_not_selected():
    found = [Regions(()), image((HERE, CAT, 0.1))]
    assert select(found, np.array([1.0, 1.0]), SURE, limit=10).positions == ()


def test_the_most_confident_images_are_selected_first():
    found = [image((HERE, CAT, 0.8))] * 4
    selected = select(found, np.array([0.1, 0.9, 0.3, 0.8]), SURE, limit=2)
    assert selected.positions == (1, 3)


def test_pseudo_labeled_images_join_the_training_images(tmp_path: Path):
    unlabeled, _ = shapes(tmp_path / "more", 3, seed=9, first=500)
    selected = select(
        [Regions(()), image((HERE, CAT, 0.8)), Regions(())], np.zeros(3), SURE, limit=10
    )
    more = extended(training_set(tmp_path, train=4, unlabeled=unlabeled), selected)
    assert more.train.tasks[-1] == 501
    assert len(more.train) == len(more.train_answers) == len(more.train.image_stats) == 5
    assert more.held_out.tasks == training_set(tmp_path, train=4).held_out.tasks
