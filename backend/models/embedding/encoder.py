"""The interface of an image encoder: images in, vectors out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float16]


class Encoder(Protocol):
    """A backbone in memory. `embed` may be called from several threads."""

    @property
    def side(self) -> int:
        """Height and width of its input images, in pixels."""
        ...

    @property
    def width(self) -> int:
        """Length of a vector."""
        ...

    @property
    def batch(self) -> int:
        """The number of images in a call at which it is fastest."""
        ...

    def embed(self, images: NDArray[np.uint8]) -> Vectors:
        """(n, side, side, 3) uint8 RGB to (n, width), each row of length 1."""
        ...
