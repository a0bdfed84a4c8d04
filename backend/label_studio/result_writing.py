"""Write answers as the results of annotations and predictions, in Label Studio's JSON.

Rectangles are in percent of the upright image, given by their top-left corner.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backend.domain.answers import Prediction, Region, Regions
from backend.domain.geometry import Box, to_percent
from backend.domain.ids import ControlName, Label
from backend.domain.json import Json
from backend.domain.schema import Control, ControlTag, LabelSchema

Parts = Sequence[dict[str, Any]]
"""The results of one region, or of one choice."""


class ResultWriter:
    """Writes the results of many predictions of one schema.

    What equal choices share is made once, so nobody may change the value of a result in place.
    """

    def __init__(self, schema: LabelSchema) -> None:
        self._controls = {control.name: control for control in schema.controls}
        self._chosen = dict[tuple[ControlName, tuple[Label, ...]], Json]()

    def regions(self, prediction: Prediction) -> Iterable[Parts]:
        """Yield the results of each region and of each question about the whole image, no ids."""
        for name, answer in prediction.answers.items():
            control = self._controls.get(name)
            if control is None:
                continue
            if isinstance(answer, Regions):
                size = prediction.size_of(control.image)
                for box, same in _by_box(answer.regions).items():
                    yield _rectangle(control, box, same, size)
            elif answer.labels:
                yield [{**self._choice(control, answer.labels), "score": prediction.score}]

    def _choice(self, control: Control, labels: tuple[Label, ...]) -> Json:
        """Return the result of one choice, but for its score."""
        key = (control.name, labels)
        found = self._chosen.get(key)
        if found is None:
            found = self._chosen[key] = _choice(control, labels)
        return found


def _choice(control: Control, labels: Sequence[Label]) -> Json:
    """Return the result of one choice, but for its score.

    Label Studio checks imported choices as if none were nested. It accepts, in place of the value,
    one below the name of the control, which its editor ignores.
    """
    (tag,) = control.own_tags
    paths = [tag.stored.get(label, (label,)) for label in labels]
    names = [path[-1] for path in paths]
    value: dict[str, Any] = {"choices": [list(path) for path in paths] if tag.is_nested else names}
    if tag.is_nested:
        value[tag.name] = {"choices": names}
    return {"from_name": tag.name, "to_name": control.image, "type": "choices", "value": value}


def _by_box(regions: Iterable[Region]) -> Mapping[Box, Sequence[Region]]:
    """Return regions by their rectangle, in order of first appearance."""
    found: dict[Box, list[Region]] = {}
    for region in regions:
        found.setdefault(region.box, []).append(region)
    return found


def _rectangle(
    control: Control, box: Box, same: Sequence[Region], size: tuple[int, int]
) -> Sequence[dict[str, Any]]:
    """Return the results of one rectangle: one for each tag that has some of its labels.

    The score is the lowest of those of its labels.
    """
    place = to_percent(box)
    place["rotation"] = 0
    head = {
        "to_name": control.image,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "score": min([one.score for one in same if one.score is not None], default=None),
    }
    return [
        {**head, **part}
        for tag in control.own_tags
        if (labels := [tag.stored[one.label][0] for one in same if one.label in tag.stored])
        for part in _drawn(tag, place, labels)
    ]


def _drawn(tag: ControlTag, place: Json, labels: Sequence[str]) -> Sequence[dict[str, Any]]:
    """Return what is particular to the results of one tag: those of its `Rectangle` tag first."""
    if not tag.geometry:
        value = {**place, "rectanglelabels": labels}
        return [{"from_name": tag.name, "type": "rectanglelabels", "value": value}]
    return [
        {"from_name": tag.geometry[0], "type": "rectangle", "value": place},
        {"from_name": tag.name, "type": "labels", "value": {**place, "labels": labels}},
    ]
