import math

import pytest

from backend.domain.geometry import Box, clipped, from_percent, iou, is_cut, to_percent


def test_a_box_without_area_is_refused():
    with pytest.raises(ValueError, match="not a box"):
        Box(0.2, 0.2, 0.2, 0.5)


def test_percent_survives_the_round_trip():
    box = Box(*from_percent(10, 20, 30, 40))
    assert to_percent(box) == pytest.approx({"x": 10, "y": 20, "width": 30, "height": 40})


def test_a_rectangle_past_the_edge_is_clipped_and_one_outside_is_nothing():
    assert clipped(-0.5, 0.5, 0.5, 1.5) == Box(0, 0.5, 0.5, 1)
    assert clipped(1.1, 0, 1.2, 1) is None
    assert clipped(math.nan, 0, 1, 1) is None


def test_a_quarter_turn_encloses_what_the_rotated_rectangle_covers():
    # given an image twice as wide as high, and a rectangle of 20 x 10 pixels turned about (50, 25)
    # in an image of 100 x 50 pixels
    corners = from_percent(50, 50, 20, 20, rotation=90, aspect=2)
    # then it spans 10 pixels to the left and 20 pixels down
    assert corners == pytest.approx((0.40, 0.50, 0.50, 0.90))


def test_iou_of_halves_is_a_third():
    assert iou(Box(0, 0, 0.5, 1), Box(0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 0.4, 1), Box(0.5, 0, 1, 1)) == 0


def test_corners_that_are_no_numbers_give_no_box():
    assert clipped(0.1, 0.1, math.nan, 0.5) is None
    assert clipped(0.1, 0.1, math.inf, 0.5) is None


def test_a_box_is_cut_where_clipping_took_more_than_rounding():
    inside, outside = (0.1, 0.1, 0.5, 1 + 1e-12), (0.1, 0.1, 0.5, 1.2)
    assert not is_cut(clipped(*inside), inside)
    assert is_cut(clipped(*outside), outside)
