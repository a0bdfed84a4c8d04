import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.models.detection.letterbox import STRIDE, letterbox

SIDES = st.integers(1, 700)


@given(SIDES, SIDES, st.sampled_from([160, 320, 640]))
def test_sides_are_multiples_of_the_stride_with_the_least_padding(
    height: int, width: int, size: int
):
    image = letterbox(np.zeros((height, width, 3), np.uint8), size)
    tall, wide = image.pixels.shape[:2]
    assert tall % STRIDE == wide % STRIDE == 0
    assert max(image.width, image.height) == size
    assert wide - image.width < STRIDE
    assert tall - image.height < STRIDE


@given(
    SIDES,
    SIDES,
    st.lists(st.tuples(*[st.floats(-0.2, 1.2)] * 4), max_size=5),
)
def test_mapping_boxes_to_pixels_and_back_changes_nothing(
    height: int, width: int, rows: list[tuple[float]]
):
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    image = letterbox(np.zeros((height, width, 3), np.uint8), 320)
    assert np.allclose(image.to_fractions(image.to_pixels(boxes)), boxes, atol=1e-9)


def test_the_image_lies_where_the_letterbox_says_it_does():
    image = letterbox(np.full((100, 300, 3), 255, np.uint8), 320)
    white = np.argwhere((image.pixels == 255).all(axis=2))
    assert white.min(axis=0).tolist() == [image.top, image.left]
    assert (white.max(axis=0) + 1).tolist() == [
        image.top + image.height,
        image.left + image.width,
    ]
