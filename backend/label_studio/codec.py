"""Parse annotations and serialize predictions, in Label Studio's JSON.

Rectangles are in percent of the upright image, given by their top-left corner and rotated about
it. A control that is missing from a submitted annotation was left empty, which is an answer for
rectangles and multiple choice.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from backend.domain.answers import (
    Answer,
    Choices,
    ImageRef,
    LabeledImage,
    Prediction,
    Region,
    Regions,
)
from backend.domain.audits import AuditLabels
from backend.domain.geometry import NOWHERE, Box, clipped, from_percent, is_cut, to_percent
from backend.domain.ids import ControlName, Label, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.schema import Control, LabelSchema, TaskKind

# --- annotations -------------------------------------------------------------------------------


def image_ref(task: Json, schema: LabelSchema) -> ImageRef:
    """Return the address of the task's image, empty if the task data has none."""
    data = task.get("data")
    uri = cast(Json, data).get(schema.data_key) if isinstance(data, Mapping) else None
    return ImageRef(TaskId(int(task["id"])), uri if isinstance(uri, str) else "")


def asked_ref(task: Json, schema: LabelSchema) -> ImageRef | None:
    """Return the image of a task in a request; None if that has no id of a task."""
    number = task.get("id")
    is_id = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63
    return image_ref(task, schema) if is_id else None


def labeled_image(task: Json, schema: LabelSchema) -> LabeledImage | None:
    """Return the answers of the annotation that counts, or None if there are none.

    Skipped annotations never count. Ground truth wins, else the newest.
    """
    annotations = [one for one in _items(task, "annotations") if not one.get("was_cancelled")]
    if not annotations:
        return None
    best = max(
        annotations,
        key=lambda one: (bool(one.get("ground_truth")), one.get("updated_at") or "", one["id"]),
    )
    repairs: Counter[str] = Counter()
    given = answers(_items(best, "result"), schema, repairs)
    if not given:
        return None
    by_person = bool(best.get("updated_by")) or best.get("lead_time") is not None
    blind = best.get("parent_prediction") is None
    return LabeledImage(
        image_ref(task, schema),
        given,
        dict(+repairs),
        by_person,
        blind,
        best["id"],
        best.get("updated_at") or "",
    )


def audit_labels(task: Json, schema: LabelSchema) -> AuditLabels:
    """Return everything that people answered to a task of an audit sample."""
    annotations = _items(task, "annotations")
    valid = [one for one in annotations if not one.get("was_cancelled")]
    return AuditLabels(
        answers=tuple(answers(_items(one, "result"), schema) for one in valid),
        skipped=len(valid) < len(annotations),
        blind=all(one.get("parent_prediction") is None for one in valid),
    )


def answers(
    results: Sequence[Json], schema: LabelSchema, repairs: Counter[str] | None = None
) -> dict[ControlName, Answer]:
    """Return the answers to each control in the results of one annotation or prediction.

    `repairs` counts, by kind, the results that had to be corrected or left out.
    """
    repairs = Counter() if repairs is None else repairs
    found: dict[ControlName, Answer] = {}
    for control in schema.controls:
        own = [result for result in results if result.get("from_name") == control.name]
        answer = _answer(control, own, repairs)
        if answer is not None:
            found[control.name] = answer
    return found


def _answer(control: Control, results: Sequence[Json], repairs: Counter[str]) -> Answer | None:
    if control.kind is TaskKind.DETECTION:
        return Regions(tuple(_regions(control, results, repairs)))
    chosen = [label for result in results for label in _labels(_value(result), "choices")]
    known = tuple(label for label in control.labels if label in chosen)
    repairs["unknown_label"] += len(set(chosen) - set(known))
    return Choices(known) if control.kind is TaskKind.MULTI else _single(known)


def _single(labels: tuple[Label, ...]) -> Choices | None:
    return Choices(labels[:1]) if labels else None


def _regions(control: Control, results: Iterable[Json], repairs: Counter[str]) -> Iterable[Region]:
    seen: set[Region] = set()
    for result in results:
        value = _value(result)
        rotation = _number(value, "rotation")
        aspect = _number(result, "original_width", 1) / _number(result, "original_height", 1)
        numbers = [_number(value, key) for key in ("x", "y", "width", "height")]
        is_sound = aspect != 0 and all(map(math.isfinite, (rotation, aspect, *numbers)))
        corners = from_percent(*numbers, rotation=rotation, aspect=aspect) if is_sound else NOWHERE
        box = clipped(*corners)
        repairs["rotated"] += rotation % 360 != 0
        if box is None:
            repairs["degenerate"] += 1
            continue
        repairs["clipped"] += is_cut(box, corners)
        for label in _labels(value, "rectanglelabels"):
            region = Region(box, label)
            if label not in control.labels:
                repairs["unknown_label"] += 1
            elif region in seen:
                repairs["duplicate"] += 1
            else:
                seen.add(region)
                yield region


def _items(body: Json, key: str) -> Sequence[Json]:
    found = body.get(key)
    items = cast(Sequence[object], found) if isinstance(found, list | tuple) else ()
    return [cast(Json, item) for item in items if isinstance(item, Mapping)]


def _value(result: Json) -> Json:
    found = result.get("value")
    return cast(Json, found) if isinstance(found, Mapping) else {}


def _labels(value: Json, key: str) -> Sequence[Label]:
    found = value.get(key)
    labels = cast(Sequence[object], found) if isinstance(found, list) else ()
    return [Label(label) for label in labels if isinstance(label, str)]


def _number(body: Json, key: str, absent: float = 0) -> float:
    """Return a number, `absent` if it is missing or 0, NaN if it is not a number."""
    try:
        return float(body.get(key) or absent)
    except (TypeError, ValueError, OverflowError):
        return math.nan


# --- predictions -------------------------------------------------------------------------------


def serialize(prediction: Prediction, schema: LabelSchema) -> dict[str, Any]:
    """Return a prediction as Label Studio stores it, without the task's id.

    The reasons of a hard example are in `meta.text` of the first region: the region panel shows
    them, and the Data Manager's filter "Prediction results contains" finds them. The id of a region
    begins with the hard-example coefficient and the key of the answer, so that ordering by
    "Prediction results" puts the hardest first and keeps equal answers together. The reasons come
    right after the id because that column is cut off.
    """
    hard = {"meta": {"text": [prediction.hard.text]}} if prediction.hard else {}
    key = answer_key(prediction.version, prediction.answers)
    result = [
        {"id": _region_id(prediction, key, position), **({} if position else hard), **part}
        for position, part in enumerate(_parts(prediction, schema))
    ]
    return {"model_version": prediction.version, "score": prediction.score, "result": result}


def _parts(prediction: Prediction, schema: LabelSchema) -> Iterable[dict[str, Any]]:
    for name, answer in prediction.answers.items():
        control = schema.control(name)
        if control is None:
            continue
        head = {"from_name": control.name, "to_name": control.image}
        match answer:
            case Choices(labels) if labels:
                value = {"choices": list(labels)}
                yield {**head, "type": "choices", "value": value, "score": prediction.score}
            case Regions(regions):
                for box, same in _by_box(regions).items():
                    yield {**head, **_rectangle(box, same, prediction.size)}
            case Choices():
                continue


def fits(prediction: Json, schema: LabelSchema) -> bool:
    """Return whether every result of a serialized prediction still has its control and labels."""
    return all(
        _part_fits(part, schema.control(str(part.get("from_name"))))
        for part in _items(prediction, "result")
    )


def _part_fits(part: Json, control: Control | None) -> bool:
    if control is None or part.get("to_name") != control.image:
        return False
    key = "rectanglelabels" if control.kind is TaskKind.DETECTION else "choices"
    labels = _labels(_value(part), key)
    too_many = control.kind is TaskKind.SINGLE and len(labels) > 1
    return bool(labels) and not too_many and set(labels) <= set(control.labels)


def _by_box(regions: Iterable[Region]) -> Mapping[Box, Sequence[Region]]:
    """Return regions by their rectangle, in order of first appearance."""
    found: dict[Box, list[Region]] = {}
    for region in regions:
        found.setdefault(region.box, []).append(region)
    return found


def _rectangle(box: Box, same: Sequence[Region], size: tuple[int, int]) -> dict[str, Any]:
    """Return one rectangle with all its labels and the lowest of their scores."""
    scores = [region.score for region in same if region.score is not None]
    labels = [region.label for region in same]
    value = {**to_percent(box), "rotation": 0, "rectanglelabels": labels}
    return {
        "type": "rectanglelabels",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": value,
        "score": min(scores, default=None),
    }


def answer_key(version: VersionName, answers: Mapping[ControlName, Answer]) -> str:
    """Return ten hexadecimal digits that stand for all labels of a version's answers."""
    labels = {
        control: sorted(answer.labels) for control, answer in answers.items() if answer.labels
    }
    text = json.dumps([version, labels], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _region_id(prediction: Prediction, key: str, position: int) -> str:
    """Return an id of fixed width, so that ids sort as numbers; equal predictions get equal ids."""
    coefficient = prediction.hard.coefficient if prediction.hard else 0.0
    digest = hashlib.blake2b(f"{prediction.image.task}/{position}".encode(), digest_size=5)
    return f"{round(coefficient * 1000):04}-{key}-{digest.hexdigest()}"
