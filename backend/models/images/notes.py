"""What was changed to read an image. Apart from `thumbnails`, because that loads OpenCV."""

from enum import IntFlag


class Note(IntFlag):
    """Changes made to an image in order to read it, which its owner should know."""

    COMPOSITED_OVER_WHITE = 1
    SCALED_TO_8_BIT = 2
    TRUNCATED = 4
