"""Which boxes are taken for which others."""

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.models.detection.comparison import BoxComparison
from backend.models.detection.confusion import confusion

LEFT, RIGHT, LOW = Box(0, 0, 0.4, 0.4), Box(0.5, 0, 0.9, 0.4), Box(0, 0.5, 0.4, 0.9)
LABELS = ("cat", "dog")


def compared(shown, true):
    regions = (tuple(Region(box, label, 0.5) for box, label in boxes) for boxes in (shown, true))
    return BoxComparison.of(*map(Regions, regions))


def test_a_box_is_compared_with_the_true_one_in_its_place():
    image = compared([(LEFT, "cat"), (RIGHT, "cat")], [(LEFT, "cat"), (RIGHT, "dog")])
    assert confusion([image], LABELS).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_missed_boxes_and_boxes_of_nothing_have_a_row_and_a_column():
    image = compared([(LEFT, "dog")], [(RIGHT, "cat"), (LOW, "cat")])
    assert confusion([image], LABELS).tolist() == [[0, 0, 2], [0, 0, 0], [0, 1, 0]]


def test_of_two_boxes_in_one_place_the_one_of_the_right_label_counts():
    image = compared([(LEFT, "dog"), (LEFT, "cat")], [(LEFT, "cat")])
    assert confusion([image], LABELS).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_images_without_boxes_count_nothing():
    assert confusion([compared([], [])], LABELS).sum() == 0
