import numpy as np
import pytest

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.models.detection import evaluation
from backend.models.detection.comparison import compare
from backend.models.detection.evaluation import Evaluation, box_metrics, cross_fitted, label_rows
from tests.fakes.boxes import CAT, DOG, answer, slot

HERE, THERE = Box(0.1, 0.1, 0.3, 0.3), Box(0.6, 0.6, 0.9, 0.9)
TRUTH = Regions((Region(HERE, CAT), Region(THERE, DOG)))
FOUND = Regions((Region(HERE, CAT, 0.9), Region(THERE, DOG, 0.8)))


def evaluate(found, truths, labels, seed) -> Evaluation:
    return evaluation.evaluate(compare(found, truths), labels, seed)


def test_a_perfect_detector_needs_no_edit():
    metrics = evaluate([FOUND] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).metrics
    assert metrics["map50"] == metrics["map50_95"] == metrics["accuracy"] == 1
    assert metrics["edits_per_image"] == 0
    assert metrics["recall/cat"] == metrics["precision/dog"] == 1
    assert metrics["ece"] < 0.3


def test_a_label_that_is_missed_shows_by_name():
    half = Regions(FOUND.regions[:1])
    metrics = evaluate([half] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).metrics
    assert metrics["map50"] == pytest.approx(0.5)
    assert metrics["recall/cat"] == 1
    assert metrics["recall/dog"] == 0
    assert metrics["edits_per_image"] == 1
    assert metrics["accuracy"] == 0


def test_the_tables_have_a_row_per_label_and_count_every_image_once():
    half = Regions(FOUND.regions[:1])
    tables = evaluate([half] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).tables
    cat, dog = tables["per_label"]
    assert (cat["label"], cat["ap50"], cat["recall"], cat["boxes"]) == ("cat", 1, 1, 20)
    assert (dog["label"], dog["ap50"], dog["recall"], dog["boxes"]) == ("dog", 0, 0, 20)
    assert sum(point["count"] for point in tables["reliability"]) == 20
    assert {point["accuracy"] for point in tables["reliability"]} == {0}


def test_thresholds_of_an_image_are_fitted_on_other_images():
    # given one image whose only box is right, among images whose boxes are wrong
    wrong = [Regions((Region(HERE, CAT, 0.8),))] * 9
    found = [*wrong, Regions((Region(HERE, CAT, 0.8),))]
    truths = [*[Regions(())] * 9, Regions((Region(HERE, CAT),))]
    # when
    shown = cross_fitted(compare(found, truths), (CAT,), seed=0)
    # then the others say that such boxes are wrong, so it is hidden
    assert shown.images[9].detections == ()


def test_without_held_out_images_nothing_is_claimed():
    nothing = evaluate([], [], (CAT, DOG), seed=0)
    assert nothing.metrics == nothing.tables == {}


def test_a_label_that_no_held_out_image_has_is_not_measured():
    cats = Regions(TRUTH.regions[:1])
    metrics = evaluate([FOUND] * 8, [cats] * 8, (CAT, DOG), seed=0).metrics
    assert metrics["images"] == 8
    assert {name for name in metrics if "/" in name} == {"precision/cat", "recall/cat"}


def test_empty_images_alone_say_nothing_of_average_precision():
    metrics = evaluate([Regions(())] * 3, [Regions(())] * 3, (CAT,), seed=0).metrics
    assert metrics["accuracy"] == 1
    assert "map50" not in metrics
    assert all(np.isfinite(list(metrics.values())))


def test_same_seed_same_metrics():
    found = [FOUND, Regions(()), FOUND, Regions(FOUND.regions[1:])] * 4
    one, two = (evaluate(found, [TRUTH] * 16, (CAT, DOG), seed=5) for _ in range(2))
    assert one == two


def test_precision_and_recall_are_those_of_the_shown_boxes():
    truth = answer(slot(1), slot(2))
    metrics = box_metrics(compare([answer(slot(1, score=0.9))], [truth]), [CAT])
    assert metrics == {"precision": 1.0, "recall": 0.5}


def test_there_is_one_row_per_label():
    truth = answer(slot(1), slot(2, DOG))
    found = answer(slot(1, score=0.9), slot(5, DOG, score=0.9))
    cat, dog = label_rows(compare([found], [truth]), [CAT, DOG], np.array([1.0, 0.0]))
    assert (cat.precision, cat.recall, cat.ap50) == (1.0, 1.0, 1.0)
    assert (dog.precision, dog.recall, dog.boxes) == (0.0, 0.0, 1)
