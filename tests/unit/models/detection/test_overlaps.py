import numpy as np
from hypothesis import given

from backend.domain.geometry import iou
from backend.models.detection.overlaps import overlaps
from tests.fakes.boxes import answers


@given(answers, answers)
def test_overlaps_agree_with_geometry(ones, others):
    table = overlaps(ones.regions, others.regions)

    theirs = [[iou(one.box, other.box) for other in others.regions] for one in ones.regions]
    assert np.allclose(table, np.array(theirs).reshape(table.shape))
