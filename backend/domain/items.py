"""What a task shows: an image or a text, and the noun for it in messages."""

from enum import StrEnum


class ItemKind(StrEnum):
    """The object tag that a control is about; all controls of a project have the same."""

    IMAGE = "image"
    TEXT = "text"
    HYPERTEXT = "hypertext"

    @property
    def is_text(self) -> bool:
        """Whether its content is words; hypertext is text once the markup is stripped."""
        return self is not ItemKind.IMAGE

    @property
    def noun(self) -> str:
        """The word for one item: `image` or `text`."""
        return "text" if self.is_text else "image"

    @property
    def plural(self) -> str:
        return f"{self.noun}s"
