"""Rectangles, in fractions of the upright image.

Percent (Label Studio) and pixels (detectors) appear only in the conversions below.
"Upright" means after the EXIF orientation is applied, as Label Studio displays it.
"""

import math
from dataclasses import dataclass

Corners = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of the image."""

NOWHERE: Corners = (math.nan, math.nan, math.nan, math.nan)

ROUNDING = 1e-4
"""A hundredth of a percent, to which tools round coordinates: less than a pixel."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; `left < right` and `top < bottom`, all within [0, 1].

    Raises:
        ValueError: when a coordinate is not finite, out of range or the box has no area.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"not a box within the image: {self!r}")

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height


def clipped(left: float, top: float, right: float, bottom: float) -> Box | None:
    """Return the part of a rectangle that lies within the image; None where nothing is left."""
    corners = (left, top, right, bottom)
    if not all(math.isfinite(corner) for corner in corners):
        return None
    left, top, right, bottom = (min(1.0, max(0.0, corner)) for corner in corners)
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def is_cut(box: Box, corners: Corners) -> bool:
    """Return whether clipping these corners to `box` took more than rounding had added."""
    within = (box.left, box.top, box.right, box.bottom)
    return any(abs(one - other) > ROUNDING for one, other in zip(within, corners, strict=True))


def from_percent(
    x: float, y: float, width: float, height: float, rotation: float = 0, aspect: float = 1
) -> Corners:
    """Return the upright rectangle around a Label Studio one; it may reach beyond the image.

    Args:
        x, y: top-left corner, in percent of the image's width and height.
        width, height: in percent of the image's width and height.
        rotation: degrees clockwise about the top-left corner.
        aspect: image width over image height; percent units are not square.
    """
    turn = math.radians(rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    corners = [
        (x + across * cos - down * sin / aspect, y + across * sin * aspect + down * cos)
        for across in (0, width)
        for down in (0, height)
    ]
    xs, ys = zip(*corners, strict=True)
    return (min(xs) / 100, min(ys) / 100, max(xs) / 100, max(ys) / 100)


def to_percent(box: Box) -> dict[str, float]:
    """Return `x`, `y`, `width`, `height` in percent, never past the image's edge."""
    x, y = 100 * box.left, 100 * box.top
    return {
        "x": x,
        "y": y,
        "width": min(100 * box.width, 100 - x),
        "height": min(100 * box.height, 100 - y),
    }


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union, in [0, 1]."""
    overlap = intersection(one, other)
    return overlap / (one.area + other.area - overlap)


def intersection(one: Box, other: Box) -> float:
    """Return the area that two boxes share, as a fraction of the image."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(0.0, width) * max(0.0, height)
