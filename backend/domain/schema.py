"""What a labeling config asks: controls, their kinds and their labels.

A *control* is one question about an image (one `Choices` or `RectangleLabels` tag).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.ids import ControlName, Label


class TaskKind(StrEnum):
    """What a control asks; decides which model family learns it."""

    SINGLE = "classification"
    MULTI = "multilabel"
    DETECTION = "detection"


@dataclass(frozen=True, slots=True)
class Control:
    """One question about the image, as the labeling config states it.

    `labels` are the stored values, in the config's order: where a tag has an `alias`, Label
    Studio stores the alias. `outside_names` maps a pretrained model's class name to a label
    (the tag's `predicted_values`).
    """

    name: ControlName
    image: str
    kind: TaskKind
    labels: tuple[Label, ...]
    outside_names: Mapping[str, Label] = field(default_factory=dict[str, Label])


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a labeling config asks about one image.

    `data_key` is the key of the task's data under which the image's address stands.
    `warnings` names the controls that are ignored.
    """

    data_key: str
    controls: tuple[Control, ...]
    warnings: tuple[str, ...] = ()

    def control(self, name: str) -> Control | None:
        return next((control for control in self.controls if control.name == name), None)
