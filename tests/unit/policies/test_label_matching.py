"""Class names of a model from elsewhere, and the labels that they stand for."""

import pytest

from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, TaskKind
from backend.policies.label_matching import match


def control(*labels, **outside):
    names = {name: Label(label) for name, label in outside.items()}
    return Control(ControlName("box"), "img", TaskKind.DETECTION, tuple(map(Label, labels)), names)


def test_equal_names_match_and_the_others_are_listed():
    found = match(["person", "car", "boat"], control("car", "person"), {})
    assert found.labels == {"person": "person", "car": "car"}
    assert (found.unmatched, found.suggestions, found.unused) == ((), {}, ("boat",))


def test_names_that_the_labeling_config_declares_match():
    found = match(["person", "car"], control("Mensch", person="Mensch"), {})
    assert found.labels == {"person": "Mensch"}


def test_a_map_says_what_a_class_stands_for_and_several_may_stand_for_one():
    given = {"car": Label("vehicle"), "truck": Label("vehicle"), "person": Label("nobody")}
    found = match(["person", "car", "truck"], control("vehicle", "person"), given)
    assert found.labels == {"car": "vehicle", "truck": "vehicle"}
    assert (found.unmatched, found.unused) == (("person",), ("person",))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Person", "person"),
        ("Cell_Phone", "cell phone"),
        ("cars", "car"),
        ("Buses", "bus"),
        ("Berries", "berry"),
        ("Glass", "glass"),
        ("people", "person"),
        ("mice", "mouse"),
        ("sofa", "couch"),
        ("Motorbikes", "motorcycle"),
        ("fridge", "refrigerator"),
    ],
)
def test_names_that_mean_the_same_are_suggested_and_not_taken(label, name):
    found = match(["boat", name], control(label), {})
    assert found.labels == {}
    assert found.suggestions == {label: name}


def test_nothing_is_suggested_for_what_the_model_does_not_know():
    found = match(["boat"], control("unicorn"), {})
    assert (found.unmatched, found.suggestions) == (("unicorn",), {})
