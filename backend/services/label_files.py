"""The label files of a synchronized folder: which one belongs to an image, and what it says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from backend.domain.answers import Answer, Choices, Regions
from backend.domain.errors import BadInput
from backend.domain.ids import ControlName
from backend.domain.schema import LabelSchema
from backend.domain.side_cars import FolderFile, SideCar
from backend.policies import side_cars
from backend.ports.folders import ImageFolder

_ENDINGS = (".xml", ".txt")


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """Finds, reads and composes the label files of the images in one folder.

    A label file has the name of its image with another ending, in upper or lower case.
    """

    folder: ImageFolder
    files: Mapping[str, FolderFile]
    schema: LabelSchema
    _places: dict[str, str] = field(init=False, default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for path in self.files:
            ending = PurePosixPath(path).suffix
            if ending.lower() in _ENDINGS:
                self._places.setdefault(_place(path, ending), path)

    def of(self, image: str) -> Sequence[str]:
        """Return the label files that an image has."""
        places = (self._places.get(_place(image, ending)) for ending in _ENDINGS)
        return [path for path in places if path]

    def read(self, image: str) -> tuple[str, SideCar]:
        """Return the path of the label file of an image, and what it says.

        Rectangles in an XML file and labels of the whole image in a text file go together. If one
        of them is not understood, neither counts.
        """
        found = [(path, self._said(image, path)) for path in self.of(image)]
        for path, one in found:
            if one.problem:
                return path, one
        answers = {name: one for _, said in reversed(found) for name, one in said.answers.items()}
        size = next((said.size for _, said in found if said.size != (0, 0)), (0, 0))
        return (found[0][0] if found else image), SideCar(answers, size)

    def compose(
        self, image: str, answers: Mapping[ControlName, Answer], size: tuple[int, int]
    ) -> Iterator[tuple[str, str]]:
        """Yield the label files of an image that say this: path and text.

        Raises:
            BadInput: when the size of the image is unknown, but needed to write rectangles.
        """
        chosen = {name: one for name, one in answers.items() if isinstance(one, Choices)}
        classes = self._classes(image)
        if chosen:
            yield self._written(image, ".txt"), side_cars.write_labels(chosen)
        for one in answers.values():
            if not isinstance(one, Regions):
                continue
            if not chosen and classes and {part.label for part in one.regions} <= set(classes):
                yield self._written(image, ".txt"), side_cars.write_yolo(one.regions, classes)
            elif size == (0, 0):
                raise BadInput("the size of the image is unknown, so no rectangles can be written")
            else:
                name = PurePosixPath(image).name
                yield self._written(image, ".xml"), side_cars.write_voc(one.regions, name, size)

    def text(self, path: str) -> str:
        """Return a text file, empty if it cannot be read."""
        try:
            return self.folder.read(path)
        except BadInput:
            return ""

    def _said(self, image: str, path: str) -> SideCar:
        try:
            text = self.folder.read(path)
        except BadInput as exc:
            return SideCar(problem=str(exc))
        if path.lower().endswith(".xml"):
            return side_cars.read_voc(text, self.schema)
        classes = self._classes(image)
        if side_cars.is_yolo(text):
            return side_cars.read_yolo(text, classes, self.schema)
        control = side_cars.drawn(self.schema)
        if not text.strip() and classes and control and len(self.schema.controls) == 1:
            return SideCar({control.name: Regions(())})
        return side_cars.read_labels(text, self.schema)

    def _classes(self, image: str) -> Sequence[str]:
        """Return YOLO's class names for an image, of the nearest folder that has them."""
        for folder in PurePosixPath(image).parents:
            names = (folder / side_cars.CLASSES).as_posix()
            if names in self.files:
                return [line.strip() for line in self.text(names).splitlines() if line.strip()]
        return ()

    def _written(self, image: str, ending: str) -> str:
        """Return the path of the label file to write; that of the one that is there, if any."""
        place = _place(image, ending)
        return self._places.get(place, place)


def _place(path: str, ending: str) -> str:
    return PurePosixPath(path).with_suffix(ending.lower()).as_posix()
