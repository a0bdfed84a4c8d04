import numpy as np
import pytest

from backend.domain.arrays import to_float32


def test_every_finite_float16_becomes_the_same_number():
    """Those of both signs, denormal ones and zeros too, and more rows than fit at once."""
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 512)
    finite = np.where(np.isfinite(halves), halves, np.float16(0))
    single = to_float32(finite)
    assert single.dtype == np.float32
    assert np.array_equal(single.view(np.uint32), finite.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize("rows", [slice(None, None, 3), slice(0, 0), [5, 1, 5]])
def test_rows_that_are_apart_are_converted_too(rows):
    halves = np.linspace(-1, 1, 40).astype(np.float16).reshape(10, 4)
    assert np.array_equal(to_float32(halves[rows]), halves[rows].astype(np.float32))


def test_other_numbers_are_converted_by_numpy():
    assert to_float32(np.array([[0.5, 0.1]])).dtype == np.float32
    already = np.array([[0.5, 0.1]], dtype=np.float32)
    assert to_float32(already) is already
