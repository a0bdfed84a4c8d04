"""Models from elsewhere that tests import."""

import json
from dataclasses import dataclass, field


@dataclass
class FakeForeignModel:
    """A model of cats, dogs and birds; writes the labels of its classes."""

    names: tuple[str, ...] = ("cat", "dog", "bird")
    is_detector: bool = False
    source: str = "zoo.pt"

    def write(self, folder, labels):
        (folder / "labels.json").write_text(json.dumps(dict(labels)))


@dataclass
class Zoo:
    """Opens the same model whatever it is asked for."""

    model: FakeForeignModel = field(default_factory=FakeForeignModel)

    def open(self, source, *, trust):
        return self.model
