from pathlib import Path

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection import label_powerset
from tests.fakes.detection_training_sets import (
    CONTROL,
    DISC,
    RED,
    SQUARE,
    red_squares,
    training_set,
)

LABELS = (SQUARE, DISC, RED)
HERE, THERE = Box(0.1, 0.1, 0.3, 0.3), Box(0.6, 0.6, 0.9, 0.9)
NEARLY_HERE = Box(0.1, 0.1, 0.3, 0.31)


def regions(*found: tuple[Box, Label] | tuple[Box, Label, float]) -> Regions:
    return Regions(tuple(Region(*one) for one in found))


def test_each_set_of_labels_on_one_box_is_a_class_after_the_labels():
    answers = [
        regions((HERE, RED), (HERE, SQUARE), (THERE, DISC)),
        regions((HERE, DISC), (HERE, RED)),
        regions((THERE, SQUARE), (THERE, RED)),
    ]
    names = label_powerset.classes(LABELS, answers)
    assert names[:3] == LABELS
    assert len(names) == 5
    assert label_powerset.decode(regions((HERE, names[3]))).labels == (SQUARE, RED)
    assert label_powerset.decode(regions((HERE, names[4]))).labels == (DISC, RED)


def test_only_the_most_frequent_sets_are_learned():
    many = tuple(Label(f"label {number}") for number in range(label_powerset.MOST + 5))
    twice = regions((HERE, many[-1]), (HERE, many[0]))
    answers = [regions((HERE, SQUARE), (HERE, label)) for label in many]
    names = label_powerset.classes((SQUARE, *many), [*answers, twice, twice])
    assert len(names) == 1 + len(many) + label_powerset.MOST
    assert label_powerset.decode(regions((HERE, names[-1]))).labels == (many[0], many[-1])


def test_a_network_is_trained_on_one_region_per_box_and_decoded_to_labels(tmp_path: Path):
    asked = red_squares(training_set(tmp_path))
    names = label_powerset.classes(LABELS, asked.train_answers)
    encoded = label_powerset.encode(asked, names)
    assert encoded.control.labels == names
    for learned, answers in zip(encoded.train_answers, asked.train_answers, strict=True):
        assert len({region.box for region in learned.regions}) == len(learned.regions)
        assert set(label_powerset.decode(learned).regions) == set(answers.regions)


def test_a_training_set_without_sets_is_not_changed(tmp_path: Path):
    plain = training_set(tmp_path)
    assert label_powerset.encode(plain, CONTROL.labels) is plain
    assert label_powerset.classes(CONTROL.labels, plain.train_answers) == CONTROL.labels


def test_a_set_that_no_network_learned_stays_one_region_a_label(tmp_path: Path):
    asked = red_squares(training_set(tmp_path))
    encoded = label_powerset.encode(asked, (*LABELS, Label("other\x1fset")))
    assert list(encoded.train_answers) == list(asked.train_answers)


def test_of_classes_that_share_a_label_only_the_best_claims_a_place():
    both = label_powerset.classes(LABELS, [regions((HERE, SQUARE), (HERE, RED))])[-1]
    found = regions((HERE, both, 0.9), (NEARLY_HERE, SQUARE, 0.6), (NEARLY_HERE, DISC, 0.5))
    assert label_powerset.decode(found) == regions(
        (HERE, SQUARE, 0.9), (HERE, RED, 0.9), (NEARLY_HERE, DISC, 0.5)
    )
