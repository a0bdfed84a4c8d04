"""A folder of images, on a disk or in a bucket, that is synchronized with a project."""

from collections.abc import Callable, Sequence
from typing import Protocol

from backend.domain.side_cars import FolderFile

SyncProgress = Callable[[str, int, int], None]
"""Called with what is done, how many of it, and of how many; 0 where nobody knows."""


class ImageFolder(Protocol):
    """Lists, reads and writes files below one folder, and knows the addresses of its images.

    Every method raises BadInput where the folder does not exist or may not be used, and Unavailable
    where its server does not answer.
    """

    def files(self) -> Sequence[FolderFile]:
        """Return all files below the folder, ordered by path; hidden ones are left out.

        Links to folders are not followed.
        """
        ...

    def read(self, path: str) -> str:
        """Return a text file. Raises BadInput when it is no UTF-8 or larger than a label file."""
        ...

    def write(self, path: str, text: str) -> None:
        """Replace a file, or make it; never half of it. Raises BadInput outside the folder."""
        ...

    def address(self, path: str) -> str:
        """Return what the data of a task holds for an image.

        Raises:
            BadInput: when Label Studio could not show an image of this name.
        """
        ...

    def path_of(self, address: str) -> str | None:
        """Return the path of the image with this address; None if it lies elsewhere."""
        ...
