"""How many images are missing until the first training, and how many are offered for it."""

import pytest

from backend.domain.ids import ControlName, Label
from backend.domain.projects import LabelCount
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.policies.first_training import images_missing, images_offered
from backend.policies.preconditions import Counts, Minimum

MINIMUM = Minimum(labels=2, images=5)
PETS = (
    '<View><Image name="img" value="$image"/><Choices name="c" toName="img"{several}>'
    '<Choice value="cat"/><Choice value="dog"/><Choice value="cow"/></Choices>{more}</View>'
)
TAILS = '<RectangleLabels name="b" toName="img"><Label value="tail"/></RectangleLabels>'


def schema_of(several=False, more=""):
    choice = ' choice="multiple"' if several else ""
    return labeling_config.parse(PETS.format(several=choice, more=more))


def counts_of(unlabeled=100, **images):
    """Images by label; those of the label `tail` are of the control `b`."""
    per_label = [
        LabelCount(ControlName("b" if label == "tail" else "c"), Label(label), count)
        for label, count in images.items()
    ]
    return Counts(per_label, labeled=sum(images.values()), unlabeled=unlabeled)


@pytest.mark.parametrize(
    ("images", "missing"),
    [
        ({}, 10),
        ({"cat": 1}, 9),
        ({"cat": 7}, 5),
        ({"cat": 5, "dog": 3}, 2),
        ({"cat": 5, "dog": 5}, 0),
        ({"cat": 5, "dog": 5, "cow": 1}, 4),
    ],
)
def test_each_label_in_use_needs_its_images(images, missing):
    assert images_missing(schema_of(), counts_of(**images), MINIMUM) == missing


@pytest.mark.parametrize("images", [{}, {"cat": 2}, {"cat": 5, "dog": 3}, {"cat": 5, "dog": 5}])
@pytest.mark.parametrize("several", [False, True])
def test_nothing_is_missing_exactly_if_no_precondition_lacks_labels(images, several):
    schema, counts = schema_of(several), counts_of(**images)
    assert bool(images_missing(schema, counts, MINIMUM)) == bool(
        preconditions.reasons(schema, counts, MINIMUM)
    )


def test_one_image_may_have_several_labels():
    assert images_missing(schema_of(several=True), counts_of(), MINIMUM) == 5
    assert images_missing(schema_of(several=True), counts_of(cat=4, dog=2), MINIMUM) == 3


def test_one_image_answers_all_controls_in_use():
    schema = schema_of(more=TAILS)
    assert images_missing(schema, counts_of(cat=5, dog=5, tail=2), MINIMUM) == 3
    assert images_missing(schema, counts_of(cat=3, dog=1, tail=2), MINIMUM) == 6


def test_before_the_first_label_the_control_that_needs_least_counts():
    assert images_missing(schema_of(more=TAILS), counts_of(), MINIMUM) == 5


def test_rectangles_of_one_label_are_enough_beside_other_labels():
    schema = schema_of(more=TAILS)
    assert images_missing(schema, counts_of(cat=5, dog=5, tail=5), MINIMUM) == 0


def test_more_images_are_offered_than_the_minimum_and_never_too_many():
    assert images_offered(schema_of(), MINIMUM) == 30
    assert images_offered(schema_of(), Minimum(labels=2, images=1)) == 24
    assert images_offered(schema_of(), Minimum(labels=2, images=500)) == 200
