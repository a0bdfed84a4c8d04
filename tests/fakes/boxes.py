"""Boxes of cats and dogs, by hand and for Hypothesis."""

from hypothesis import strategies as st

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label

CAT, DOG = Label("cat"), Label("dog")


def region(left, top, right, bottom, label=CAT, score=None):
    return Region(Box(left, top, right, bottom), label, score)


def answer(*regions):
    return Regions(tuple(regions))


def slot(number, label=CAT, score=None):
    """Disjoint boxes, so that each can only find the true box of the same number."""
    return region(number / 10, 0.1, number / 10 + 0.08, 0.2, label, score)


corner = st.integers(0, 15)
boxes = st.builds(
    lambda x, y, w, h, label, score: region(
        x / 20, y / 20, min(1, (x + w) / 20), min(1, (y + h) / 20), label, score
    ),
    corner,
    corner,
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from([CAT, DOG]),
    st.floats(0.01, 1),
)
answers = st.lists(boxes, max_size=5).map(lambda found: answer(*found))
