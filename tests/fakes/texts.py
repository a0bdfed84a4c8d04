"""A project of texts about cats and dogs, and what embeds them."""

from pathlib import Path

import numpy as np

from backend.domain import texts
from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind
from backend.models.items import ItemModels
from backend.models.texts.encoders import TextEncoders
from backend.models.texts.extractor import TextExtractor
from backend.models.texts.reading import TextReader
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.models import FakeFeatureExtractor

TEXTS = """<View><Text name="t" value="$text"/><Choices name="c" toName="t">
<Choice value="cat"/><Choice value="dog"/></Choices></View>"""

_WORDS = (
    ["it", "purrs", "on", "the", "sofa,", "hunts", "mice", "and", "licks", "its", "whiskers"],
    ["it", "barks", "at", "the", "postman,", "fetches", "sticks", "and", "wags", "its", "tail"],
)


def sentence(task: int) -> str:
    """A sentence about a dog where the number is odd, as `World.truth` says; else about a cat."""
    rng = np.random.default_rng(task)
    own, both = _WORDS[task % 2], [*_WORDS[0], *_WORDS[1]]
    return " ".join([*rng.choice(own, 8), *rng.choice(both, 4), f"number{task}"])


def text_ref(task: int, text: str | None = None) -> ImageRef:
    """A task with a text in its data."""
    address = texts.inline_address(sentence(task) if text is None else text)
    return ImageRef(TaskId(task), address, kind=ItemKind.TEXT)


def text_models(folder: Path, backbone: str = "tfidf", open_published=None) -> ItemModels:
    """The real extractor of texts beside a fake one of images."""
    encoders = TextEncoders(folder / "features", open_published)
    reader = TextReader(FakeImageFiles)
    of_texts = TextExtractor(backbone, reader, encoders, folder / "scratch")
    return ItemModels(FakeFeatureExtractor(), of_texts)


class TextLabelStudio(FakeLabelStudio):
    """Label Studio with a project of texts; `blank` tasks have none."""

    blank: frozenset[int] = frozenset()

    def __init__(self, **people) -> None:
        super().__init__(TEXTS, **people)

    def ref(self, task: TaskId) -> ImageRef:
        return text_ref(task, "" if task in self.blank else None)
