"""The port of an image encoder: images in, vectors out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float16]


class Encoder(Protocol):
    """A backbone in memory. `embed` may be called from several threads."""

    @property
    def side(self) -> int:
        """Height and width of the images that it takes."""
        ...

    @property
    def width(self) -> int:
        """Length of a vector."""
        ...

    @property
    def batch(self) -> int:
        """How many images a call should bring."""
        ...

    def embed(self, images: NDArray[np.uint8]) -> Vectors:
        """(n, side, side, 3) uint8 RGB to (n, width), each row of length 1."""
        ...
