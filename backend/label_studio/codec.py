"""Parse tasks of Label Studio and serialize predictions, in Label Studio's JSON.

Rectangles are in percent of the upright image, given by their top-left corner and rotated about
it. `results` reads a single annotation, `annotators` those of several people.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from backend.domain import texts
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
from backend.domain.geometry import Box, to_percent
from backend.domain.ids import ControlName, Label, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.json import Json
from backend.domain.schema import Control, ControlTag, ImageTag, LabelSchema
from backend.label_studio import task_data
from backend.label_studio.annotators import combined, counted, is_blind, is_by_person
from backend.label_studio.results import items, read
from backend.ports.label_studio import SerializedPrediction

# --- tasks -------------------------------------------------------------------------------------


def image_ref(task: Json, schema: LabelSchema) -> ImageRef:
    """Return the addresses of the task's images or texts, empty where the task data has none."""
    found = task.get("data")
    data: Json = cast(Json, found) if isinstance(found, Mapping) else {}
    tags = schema.images or (ImageTag("", f"${schema.data_key}"),)
    first, *others = (_address(tag, data) for tag in tags)
    return ImageRef(TaskId(int(task["id"])), first, tuple(others), schema.items)


def _address(tag: ImageTag, data: Json) -> str:
    """Return where the content is; a text that the data holds becomes an address of itself."""
    value = task_data.address(tag.value, data)
    if tag.is_address:
        return value
    return texts.inline_address(
        texts.without_markup(value) if tag.kind is ItemKind.HYPERTEXT else value
    )


def asked_ref(task: Json, schema: LabelSchema) -> ImageRef | None:
    """Return the image of a task in a request; None if that has no id of a task."""
    number = task.get("id")
    is_id = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63
    return image_ref(task, schema) if is_id else None


def labeled_image(task: Json, schema: LabelSchema) -> LabeledImage | None:
    """Return what people answered about a task's images, or None if it has no annotation.

    Skipped annotations never count. `annotators` decides between several others.
    """
    valid = _valid(task)
    if not valid:
        return None
    said, voters = combined(valid, schema), counted(valid)
    return LabeledImage(
        image_ref(task, schema),
        said.answers,
        dict(said.repairs),
        by_person=any(map(is_by_person, voters)),
        blind=all(map(is_blind, voters)),
        annotation=voters[0]["id"],
        changed=voters[0].get("updated_at") or "",
        unanswered=said.unanswered,
    )


def audit_labels(task: Json, schema: LabelSchema) -> AuditLabels:
    """Return everything that people answered to a task of an audit sample, all questions of it."""
    annotations, valid = items(task, "annotations"), _valid(task)
    return AuditLabels(
        answers=tuple(read(items(one, "result"), schema, looked=True).answers for one in valid),
        skipped=len(valid) < len(annotations),
        blind=all(map(is_blind, valid)),
    )


def answers(results: Sequence[Json], schema: LabelSchema) -> Mapping[ControlName, Answer]:
    """Return the answers in the results of one annotation or prediction, by control."""
    return read(results, schema).answers


def _valid(task: Json) -> list[Json]:
    return [one for one in items(task, "annotations") if not one.get("was_cancelled")]


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
        {"id": _region_id(prediction, key, position), **({} if position or later else hard), **part}
        for position, parts in enumerate(_regions(prediction, schema))
        for later, part in enumerate(parts)
    ]
    return {"model_version": prediction.version, "score": prediction.score, "result": result}


def serialized(
    predictions: Iterable[Prediction], schema: LabelSchema
) -> list[SerializedPrediction]:
    """Return each prediction with its JSON, to be pushed and stored."""
    return [SerializedPrediction(one, serialize(one, schema)) for one in predictions]


def results(
    answers: Mapping[ControlName, Answer], schema: LabelSchema, size: tuple[int, int] = (0, 0)
) -> Sequence[Json]:
    """Return answers as the results of an annotation; `size` is the image's, (0, 0) if unknown."""
    whole = Prediction(ImageRef(TaskId(0), ""), answers, 1.0, VersionName(""), size)
    unknown = {"original_width", "original_height"} if size == (0, 0) else set[str]()
    return [
        {
            "id": f"region-{position}",
            **{key: value for key, value in part.items() if key not in unknown | {"score"}},
        }
        for position, parts in enumerate(_regions(whole, schema))
        for part in parts
    ]


Parts = Sequence[dict[str, Any]]
"""The results of one region, or of one choice."""


def _regions(prediction: Prediction, schema: LabelSchema) -> Iterable[Parts]:
    for name, answer in prediction.answers.items():
        control = schema.control(name)
        if control is None:
            continue
        match answer:
            case Choices(labels) if labels:
                yield [_choice(control, answer, prediction.score)]
            case Regions(regions):
                size = prediction.size_of(control.image)
                for box, same in _by_box(regions).items():
                    yield list(_rectangle(control, box, same, size))
            case Choices():
                continue


def _choice(control: Control, answer: Choices, score: float) -> dict[str, Any]:
    """Return the result of one choice.

    Label Studio checks imported choices as if none were nested. It accepts, in place of the value,
    one below the name of the control, which its editor ignores.
    """
    (tag,) = control.own_tags
    paths = [tag.stored.get(label, (label,)) for label in answer.labels]
    names = [path[-1] for path in paths]
    value: dict[str, Any] = {"choices": [list(path) for path in paths] if tag.is_nested else names}
    if tag.is_nested:
        value[tag.name] = {"choices": names}
    head = {"from_name": tag.name, "to_name": control.image, "type": "choices"}
    return {**head, "value": value, "score": score}


def fits(prediction: Json, schema: LabelSchema) -> bool:
    """Return whether every result of a serialized prediction still has its control and labels."""
    results = items(prediction, "result")
    found = read(results, schema)
    given = {name for name, one in found.answers.items() if one.labels}
    return {_asking(one, schema) for one in results} <= given


def _asking(result: Json, schema: LabelSchema) -> ControlName | None:
    """Return the control that a result answers."""
    name = result.get("from_name")
    return next(
        (
            control.name
            for control in schema.controls
            for tag in control.own_tags
            if name in (tag.name, *tag.geometry)
        ),
        None,
    )


def _by_box(regions: Iterable[Region]) -> Mapping[Box, Sequence[Region]]:
    """Return regions by their rectangle, in order of first appearance."""
    found: dict[Box, list[Region]] = {}
    for region in regions:
        found.setdefault(region.box, []).append(region)
    return found


def _rectangle(
    control: Control, box: Box, same: Sequence[Region], size: tuple[int, int]
) -> Iterable[dict[str, Any]]:
    """Yield the results of one rectangle: one for each tag that has some of its labels.

    The score is the lowest of those of its labels.
    """
    place = {**to_percent(box), "rotation": 0}
    head = {
        "to_name": control.image,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "score": min((one.score for one in same if one.score is not None), default=None),
    }
    for tag in control.own_tags:
        labels = [tag.stored[one.label][0] for one in same if one.label in tag.stored]
        if labels:
            yield from ({**head, **part} for part in _drawn(tag, place, labels))


def _drawn(tag: ControlTag, place: Json, labels: Sequence[str]) -> Iterable[dict[str, Any]]:
    if tag.geometry:
        yield {"from_name": tag.geometry[0], "type": "rectangle", "value": place}
    kind = "labels" if tag.geometry else "rectanglelabels"
    yield {"from_name": tag.name, "type": kind, "value": {**place, kind: labels}}


def answer_key(version: VersionName, answers: Mapping[ControlName, Answer]) -> str:
    """Return ten hexadecimal digits that stand for all labels of a version's answers."""
    labels = ((control, answer.labels) for control, answer in answers.items())
    return _key_of_labels(version, tuple((control, found) for control, found in labels if found))


@lru_cache(maxsize=4096)
def _key_of_labels(
    version: VersionName, labels: tuple[tuple[ControlName, tuple[Label, ...]], ...]
) -> str:
    """Return the key of these labels by control; many predictions have the same."""
    ordered = {control: sorted(found) for control, found in labels}
    text = json.dumps([version, ordered], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _region_id(prediction: Prediction, key: str, position: int) -> str:
    """Return an id of fixed width, so that ids sort as numbers; equal predictions get equal ids."""
    coefficient = prediction.hard.coefficient if prediction.hard else 0.0
    digest = hashlib.blake2b(f"{prediction.image.task}/{position}".encode(), digest_size=5)
    return f"{round(coefficient * 1000):04}-{key}-{digest.hexdigest()}"
