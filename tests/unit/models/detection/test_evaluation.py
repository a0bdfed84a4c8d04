import numpy as np
import pytest

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection.evaluation import cross_fitted, evaluate

CAT, DOG = Label("cat"), Label("dog")
HERE, THERE = Box(0.1, 0.1, 0.3, 0.3), Box(0.6, 0.6, 0.9, 0.9)
TRUTH = Regions((Region(HERE, CAT), Region(THERE, DOG)))
FOUND = Regions((Region(HERE, CAT, 0.9), Region(THERE, DOG, 0.8)))


def test_a_perfect_detector_needs_no_edit():
    figures = evaluate([FOUND] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).figures
    assert figures["map50"] == figures["map50_95"] == figures["accuracy"] == 1
    assert figures["edits_per_image"] == 0
    assert figures["recall/cat"] == figures["precision/dog"] == 1
    assert figures["ece"] < 0.3


def test_a_label_that_is_missed_shows_by_name():
    half = Regions(FOUND.regions[:1])
    figures = evaluate([half] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).figures
    assert figures["map50"] == pytest.approx(0.5)
    assert figures["recall/cat"] == 1
    assert figures["recall/dog"] == 0
    assert figures["edits_per_image"] == 1
    assert figures["accuracy"] == 0


def test_the_tables_tell_labels_apart_and_count_every_image_once():
    half = Regions(FOUND.regions[:1])
    tables = evaluate([half] * 20, [TRUTH] * 20, (CAT, DOG), seed=0).tables
    cat, dog = tables["per_label"]
    assert (cat["label"], cat["ap50"], cat["recall"], cat["boxes"]) == ("cat", 1, 1, 20)
    assert (dog["label"], dog["ap50"], dog["recall"], dog["boxes"]) == ("dog", 0, 0, 20)
    assert sum(point["count"] for point in tables["reliability"]) == 20
    assert {point["accuracy"] for point in tables["reliability"]} == {0}


def test_no_image_is_judged_by_what_itself_taught():
    # given one image whose only box is right, among images whose boxes are wrong
    wrong = [Regions((Region(HERE, CAT, 0.8),))] * 9
    found = [*wrong, Regions((Region(HERE, CAT, 0.8),))]
    truths = [*[Regions(())] * 9, Regions((Region(HERE, CAT),))]
    # when
    shown = cross_fitted(found, truths, (CAT,), seed=0)
    # then the others say that such boxes are wrong, so it is hidden
    assert shown.answers[9] == Regions(())


def test_without_held_out_images_nothing_is_claimed():
    nothing = evaluate([], [], (CAT, DOG), seed=0)
    assert nothing.figures == nothing.tables == {}


def test_a_label_that_no_held_out_image_has_is_not_measured():
    cats = Regions(TRUTH.regions[:1])
    figures = evaluate([FOUND] * 8, [cats] * 8, (CAT, DOG), seed=0).figures
    assert figures["images"] == 8
    assert {name for name in figures if "/" in name} == {"precision/cat", "recall/cat"}


def test_empty_images_alone_say_nothing_of_average_precision():
    figures = evaluate([Regions(())] * 3, [Regions(())] * 3, (CAT,), seed=0).figures
    assert figures["accuracy"] == 1
    assert "map50" not in figures
    assert all(np.isfinite(list(figures.values())))


def test_same_seed_same_figures():
    found = [FOUND, Regions(()), FOUND, Regions(FOUND.regions[1:])] * 4
    one, two = (evaluate(found, [TRUTH] * 16, (CAT, DOG), seed=5) for _ in range(2))
    assert one == two
