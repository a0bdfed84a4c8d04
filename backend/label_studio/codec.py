"""Parse tasks of Label Studio and serialize predictions, in Label Studio's JSON.

`results` reads a single annotation, `annotators` those of several people; `result_writing` writes
what an answer becomes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from backend.domain import texts
from backend.domain.answers import Answer, ImageRef, LabeledImage, Prediction
from backend.domain.audits import AuditLabels
from backend.domain.ids import ControlName, Label, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.json import Json
from backend.domain.schema import ImageTag, LabelSchema
from backend.label_studio import task_data
from backend.label_studio.annotators import combined, counted, is_blind, is_by_person
from backend.label_studio.result_writing import ResultWriter
from backend.label_studio.results import ResultReader, items, read
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
    return next(labeled_images([task], schema), None)


def labeled_images(tasks: Iterable[Json], schema: LabelSchema) -> Iterator[LabeledImage]:
    """Yield the same for many tasks, without those that have no annotation."""
    read = ResultReader(schema)
    for task in tasks:
        if valid := _valid(task):
            yield _labeled_image(task, counted(valid), read)


def _labeled_image(task: Json, voters: Sequence[Json], read: ResultReader) -> LabeledImage:
    said = combined(voters, read)
    return LabeledImage(
        image_ref(task, read.schema),
        said.answers,
        said.repairs,
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
    """Return a prediction as Label Studio stores it, without the task's id."""
    return _content(prediction, ResultWriter(schema))


def serialized(
    predictions: Iterable[Prediction], schema: LabelSchema
) -> list[SerializedPrediction]:
    """Return each prediction with its JSON, to be pushed and stored.

    Equal choices share the value of their results: it must not be changed in place.
    """
    writer = ResultWriter(schema)
    return [SerializedPrediction(one, _content(one, writer)) for one in predictions]


def _content(prediction: Prediction, writer: ResultWriter) -> dict[str, Any]:
    """Return a prediction as Label Studio stores it, without the task's id.

    The reasons of a hard example are in `meta.text` of the first region: the region panel shows
    them, and the Data Manager's filter "Prediction results contains" finds them. The id of a region
    begins with the hard-example coefficient and the key of the answer, so that ordering by
    "Prediction results" puts the hardest first and keeps equal answers together; it is of fixed
    width, so that ids sort as numbers. The reasons come right after the id because that column is
    cut off.
    """
    hard = prediction.hard
    hardness = f"{round(hard.coefficient * 1000):04}" if hard else "0000"
    prefix = f"{hardness}-{answer_key(prediction.version, prediction.answers)}"
    meta = {"meta": {"text": [hard.text]}} if hard else {}
    result = list[dict[str, Any]]()
    for position, parts in enumerate(writer.regions(prediction)):
        number = f"{prefix}-{_region_digits(prediction.image.task, position)}"
        for part in parts:
            result.append({"id": number, **meta, **part})
            meta = {}
    return {"model_version": prediction.version, "score": prediction.score, "result": result}


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
        for position, parts in enumerate(ResultWriter(schema).regions(whole))
        for part in parts
    ]


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


def answer_key(version: VersionName, answers: Mapping[ControlName, Answer]) -> str:
    """Return ten hexadecimal digits that stand for all labels of a version's answers."""
    return _key_of_labels(version, tuple([(name, one.labels) for name, one in answers.items()]))


@lru_cache(maxsize=4096)
def _key_of_labels(
    version: VersionName, labels: tuple[tuple[ControlName, tuple[Label, ...]], ...]
) -> str:
    """Return the key of these labels by control; many predictions have the same."""
    ordered = {control: sorted(found) for control, found in labels if found}
    text = json.dumps([version, ordered], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _region_digits(task: TaskId, position: int) -> str:
    """Return ten hexadecimal digits; the same region of every version has the same."""
    return hashlib.blake2b(f"{task}/{position}".encode(), digest_size=5).hexdigest()
