"""A trained head: everything from features to answers, in memory and on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import numpy as tensors

from backend.domain.answers import Choices
from backend.domain.arrays import Floats, Targets
from backend.domain.batches import PredictionBatch
from backend.domain.ids import Label
from backend.domain.schema import Control
from backend.models.calibration import Calibration, ScoreCalibration
from backend.models.classification.decision_rule import Rule
from backend.models.classification.logistic import Linear
from backend.models.link_functions import SIGMOID, SOFTMAX


@dataclass(frozen=True, slots=True)
class Head:
    """A linear head with its calibration and rule; all columns are in the order of `labels`."""

    labels: tuple[Label, ...]
    linear: Linear
    calibration: Calibration
    rule: Rule

    def answer(self, control: Control, logits: Floats) -> PredictionBatch:
        """Answer from logits (n, learned labels); probabilities have the columns of the control."""
        learned = self.rule.link.probabilities(self.calibration(logits))
        chosen, confidence = self.rule.decide(learned)
        probabilities = np.zeros((len(logits), len(control.labels)), dtype=np.float32)
        probabilities[:, [control.labels.index(label) for label in self.labels]] = learned
        return PredictionBatch(self._answers(chosen), np.clip(confidence, 0, 1), probabilities)

    def _answers(self, chosen: Targets) -> tuple[Choices, ...]:
        """Return each row's answer; those of equal rows are one object."""
        keys = [row.tobytes() for row in chosen]
        known = {
            key: Choices(tuple(compress(self.labels, row)))
            for key, row in dict(zip(keys, chosen, strict=True)).items()
        }
        return tuple(known[key] for key in keys)

    def within(self, control: Control) -> "Head":
        """Return the head without the labels that the control no longer has."""
        kept = [column for column, label in enumerate(self.labels) if label in control.labels]
        return Head(
            tuple(self.labels[column] for column in kept),
            Linear(self.linear.weights[:, kept], self.linear.bias[kept]),
            Calibration(self.calibration.slope[kept], self.calibration.offset[kept]),
            Rule(self.rule.link, self.rule.thresholds[kept], self.rule.whole),
        )


def write(head: Head, about: Mapping[str, Any], folder: Path) -> None:
    """Write `head.safetensors` and `head.json`; the latter includes `about`."""
    arrays = {
        "weights": head.linear.weights,
        "bias": head.linear.bias,
        "slope": head.calibration.slope,
        "offset": head.calibration.offset,
        "thresholds": head.rule.thresholds,
    }
    stored = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    cast(Any, tensors).save_file(stored, folder / "head.safetensors")
    whole = head.rule.whole
    content = {
        **about,
        "labels": list(head.labels),
        "link": head.rule.link.name,
        "whole": [whole.slope, whole.offset],
    }
    (folder / "head.json").write_text(json.dumps(content, indent=1, allow_nan=False))


def read(folder: Path) -> tuple[Head, Mapping[str, Any]]:
    """Read the head, and the content of `head.json`."""
    path = folder / "head.safetensors"
    arrays = cast(Mapping[str, Floats], cast(Any, tensors).load_file(path))
    content: dict[str, Any] = json.loads((folder / "head.json").read_text())
    link = next(link for link in (SOFTMAX, SIGMOID) if link.name == content["link"])
    head = Head(
        tuple(Label(label) for label in content["labels"]),
        Linear(arrays["weights"], arrays["bias"]),
        Calibration(arrays["slope"], arrays["offset"]),
        Rule(link, arrays["thresholds"], ScoreCalibration(*content["whole"])),
    )
    return head, content
