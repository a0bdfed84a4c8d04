"""Read predictions back for the review page, and mark those that a person found wrong."""

import math
from collections.abc import Sequence
from dataclasses import replace

from backend.domain.answers import Answer, Answers, Prediction, Regions
from backend.domain.ids import ControlName, Label, VersionName
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.label_studio import codec
from backend.label_studio.results import items, labels_of

MARKED_WRONG = "hard 1.00: marked as wrong by a person"
_FIRST = "1000-0000000000"
"""Begins the ids of a prediction that was marked: the highest coefficient, and no answer's key."""


def prediction_of(task: Json, version: VersionName, schema: LabelSchema) -> Prediction | None:
    """Return the prediction of a version that a task has, None without one."""
    found = [one for one in items(task, "predictions") if one.get("model_version") == version]
    if not found:
        return None
    results = items(found[0], "result")
    sizes = {
        str(one.get("to_name")): (_whole(one, "original_width"), _whole(one, "original_height"))
        for one in results
    }
    return Prediction(
        image=codec.image_ref(task, schema),
        answers=_with_scores(codec.answers(results, schema), results, schema),
        score=min(1.0, max(0.0, _number(found[0], "score"))),
        version=version,
        size=next(iter(sizes.values()), (0, 0)),
        sizes=sizes,
    )


def _with_scores(answers: Answers, results: Sequence[Json], schema: LabelSchema) -> Answers:
    """Return the answers with the confidence in each rectangle, where the results have one."""
    scores = {
        (control, region): _number(one, "score")
        for one in results
        if "score" in one
        for control, answer in codec.answers([one], schema).items()
        if isinstance(answer, Regions)
        for region in answer.regions
    }

    def scored(control: ControlName, answer: Answer) -> Answer:
        if not isinstance(answer, Regions):
            return answer
        regions = (replace(one, score=scores.get((control, one))) for one in answer.regions)
        return Regions(tuple(regions))

    return {control: scored(control, answer) for control, answer in answers.items()}


def label_confidence(prediction: Json, answers: Answers, schema: LabelSchema) -> dict[Label, float]:
    """Return the mean confidence in each label of a serialized prediction with these answers."""
    whole, results = _number(prediction, "score"), items(prediction, "result")
    labels = [label for answer in answers.values() for label in answer.labels]
    if len(results) == 1:
        return dict.fromkeys(labels, _number(results[0], "score", whole))
    scores: dict[Label, list[float]] = {label: [] for label in labels}
    for one in results:
        for label in labels_of(one, schema) & scores.keys():
            scores[label].append(_number(one, "score", whole))
    return {label: sum(found or [whole]) / len(found or [whole]) for label, found in scores.items()}


def marked_wrong(prediction: Json) -> Json:
    """Return a serialized prediction that sorts before all others and is on no wall any more."""
    marked = [
        {
            "id": f"{_FIRST}-{str(part.get('id')).rpartition('-')[2]}",
            **({} if position else {"meta": {"text": [MARKED_WRONG]}}),
            **{name: value for name, value in part.items() if name not in {"id", "meta"}},
        }
        for position, part in enumerate(items(prediction, "result"))
    ]
    return {**prediction, "result": marked}


def _whole(body: Json, key: str) -> int:
    return int(_number(body, key))


def _number(body: Json, key: str, absent: float = 0.0) -> float:
    """Return a finite number, or `absent`."""
    value: object = body.get(key)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return absent
