"""Types of arrays, each use of which documents its shape, and the float32 of features."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.domain.large_arrays import release

Floats = NDArray[np.floating[Any]]
"""Features, probabilities, scores."""

Targets = NDArray[np.bool_]
"""Multi-hot labels, or a mask of rows."""

Rows = NDArray[np.intp]
"""Positions along the first axis."""

Pixels = NDArray[np.uint8]
"""Images (height, width, 3), RGB unless said otherwise."""

_CONVERTED: Final = 32
"""Rows converted at once: they stay in the processor's cache."""

_SIGN_AND_NUMBER: Final = np.uint32(0x8FFFE000).view(np.int32)
_EXPONENTS: Final = np.float32(2.0**112)


def to_float32(values: Floats) -> NDArray[np.float32]:
    """Return (n, d) features in float32; they are a copy unless they have been so.

    Finite float16, as features are stored, takes NumPy about three times as long, as it converts
    number by number. A float16 has the sign, the exponent and the fraction of a float32, but fewer
    bits and an exponent that counts from 15 in place of 127. So its bits are spread, and the result
    is 2**112 times too small, denormal numbers too.

    Values that lie in a file are released: the result is used in their place.
    """
    if values.dtype != np.float16:
        return values.astype(np.float32, copy=False)
    converted = np.empty(values.shape, dtype=np.float32)
    for start in range(0, len(values), _CONVERTED):
        rows = slice(start, start + _CONVERTED)
        numbers = converted[rows]
        bits = numbers.view(np.int32)
        bits[...] = values[rows].view(np.int16)
        np.left_shift(bits, 13, out=bits)
        np.bitwise_and(bits, _SIGN_AND_NUMBER, out=bits)
        np.multiply(numbers, _EXPONENTS, out=numbers)
    release(values)
    return converted
