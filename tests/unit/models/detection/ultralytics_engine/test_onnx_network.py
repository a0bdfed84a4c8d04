import numpy as np
import pytest

from backend.models.detection.ultralytics_engine.onnx_network import (
    MOST_BOXES,
    decode,
    suppressed,
)

APART = np.array([[0, 0, 10, 10], [20, 20, 40, 40], [21, 20, 41, 40], [60, 0, 70, 10]], float)


def test_raw_outputs_are_centers_sizes_and_a_score_for_each_label():
    found = np.zeros((4 + 2, 21))
    found[:, 3] = [15, 30, 10, 20, 0.2, 0.7]
    found[:, 7] = [15, 30, 10, 20, 0.04, 0.05]
    corners, labels, scores = decode(found, 0.05)
    assert corners.tolist() == [[10, 20, 20, 40]]
    assert (labels.tolist(), scores.tolist()) == ([1], [0.7])


def test_end_to_end_networks_give_corners_score_and_label():
    raw = np.array([[10, 20, 30, 40, 0.9, 1], [0, 0, 5, 5, 0.1, 0], [0, 0, 5, 5, 0.01, 0]])
    corners, labels, scores = decode(raw, 0.05)
    assert corners.tolist() == [[10, 20, 30, 40], [0, 0, 5, 5]]
    assert (labels.tolist(), scores.tolist()) == ([1, 0], [0.9, 0.1])


@pytest.mark.parametrize(("across", "kept"), [(False, [1, 2, 0]), (True, [1, 0])])
def test_of_boxes_that_overlap_the_best_one_of_a_label_is_kept(across, kept):
    scores = np.array([0.5, 0.9, 0.8, 0.02])
    found = suppressed(APART, np.array([0, 0, 1, 0]), scores, 0.05, across_labels=across)
    assert found.boxes.tolist() == APART[kept].tolist()
    assert found.scores.tolist() == scores[kept].tolist()


def test_boxes_of_one_label_that_overlap_are_one():
    found = suppressed(
        APART, np.zeros(4, int), np.array([0.5, 0.8, 0.9, 0.4]), 0.05, across_labels=False
    )
    assert found.labels.tolist() == [0, 0, 0]
    assert found.boxes[0].tolist() == APART[2].tolist()


def test_nothing_found_is_no_error():
    corners, labels, scores = decode(np.zeros((4 + 2, 21)), 0.05)
    assert (corners.shape, len(labels), len(scores)) == ((0, 4), 0, 0)
    found = suppressed(APART, np.zeros(4, int), np.zeros(4), 0.05, across_labels=False)
    assert (found.boxes.shape, len(found.scores)) == ((0, 4), 0)


def test_no_image_has_more_boxes_than_ultralytics_gives():
    corners = np.array([[20 * k, 0, 20 * k + 10, 10] for k in range(400)], float)
    found = suppressed(
        corners, np.zeros(400, int), np.linspace(0.9, 0.1, 400), 0.05, across_labels=False
    )
    assert len(found.scores) == MOST_BOXES
