"""A Label Studio with any number of tasks, made up as they are asked for, over real HTTP.

Tasks share a few images; the first ones are labeled. It takes predictions and keeps only counts;
asked for one, it makes it up too, with the id of its task.
"""

import io
import json
import re
from collections import Counter
from typing import Any

from PIL import Image

from tests.fakes.domain import CHOICES
from tests.fakes.http_server import Answer, Asked, Reply

IMAGES = 100
LABELED = 40
CHANGED = "2026-01-01T00:00:00.000000Z"
"""When each task last changed."""


def large_label_studio(tasks: int) -> Answer:
    """Project 1 with so many tasks, of which the first 40 are labeled in turn cat and dog."""
    versions: Counter[str] = Counter()
    project = {"id": 1, "title": "large", "label_config": CHOICES, "model_version": ""}

    def listed(asked: Asked) -> Reply:
        rules = json.loads(asked.query["query"])["filters"]["items"]
        value = {one["filter"].rpartition(":")[2] + one["operator"]: one["value"] for one in rules}
        after, size = value.get("idgreater", 0), int(asked.query["page_size"])
        if "idin_list" in value:
            left = [number for number in value["idin_list"] if number > after]
            rows = [{**_task(number), "predictions": predicted(number)} for number in left[:size]]
            return Reply(body={"tasks": rows, "total": len(left)})
        if "predictions_model_versionscontains" in value or "annotatorsempty" in value:
            return Reply(body={"tasks": [], "total": 0})
        if value.get("updated_atgreater", "") >= CHANGED:
            return Reply(body={"tasks": [], "total": 0})
        labeled = "total_annotationsgreater" in value
        first, last = (1, LABELED) if labeled else (LABELED + 1, tasks)
        start = max(first, after + 1)
        rows = [_task(number) for number in range(start, min(last + 1, start + size))]
        return Reply(body={"tasks": rows, "total": max(0, last + 1 - start)})

    def predicted(number: int) -> list[dict[str, Any]]:
        return [{"id": number, "model_version": version} for version in versions]

    def imported(asked: Asked) -> Reply:
        sent = asked.json
        if [one["task"] for one in sent] == [0]:
            return Reply(400, {"detail": "Prediction 0: Invalid task ID 0"})
        versions.update(one["model_version"] for one in sent)
        return Reply(body={"created": len(sent)})

    def deleted(asked: Asked) -> Reply:
        return Reply(body={"deleted_predictions": versions.pop(asked.json["model_version"], 0)})

    routes: tuple[tuple[str, Any], ...] = (
        (r"GET /data/upload/\d+.png", lambda asked: Reply(body=_image(asked.path))),
        (r"GET /api/tasks/", listed),
        (r"POST /api/projects/1/import/predictions", imported),
        (r"PATCH /api/predictions/\d+/", lambda asked: Reply(body=asked.json)),
        (r"GET /api/projects/1/model-versions/", lambda _: Reply(body=dict(versions))),
        (r"DELETE /api/projects/1/model-versions/", deleted),
        (r"GET /api/dm/views/", lambda _: Reply(body=[])),
        (r"POST /api/dm/views/", lambda asked: Reply(body={"id": 1, **asked.json})),
        (r"GET /api/dm/columns/", lambda _: Reply(body={"columns": []})),
        (r"(GET|PATCH) /api/projects/1/", lambda _: Reply(body=project)),
    )

    def reply(asked: Asked) -> Reply:
        call = f"{asked.method} {asked.path}"
        for pattern, route in routes:
            if re.fullmatch(pattern, call):
                return route(asked)
        return Reply(404, {"detail": f"not found: {call}"})

    return reply


def _task(number: int) -> dict[str, Any]:
    data = {"image": f"/data/upload/{number % IMAGES}.png"}
    task: dict[str, Any] = {"id": number, "data": data, "updated_at": CHANGED}
    if number <= LABELED:
        value = {"choices": ["cat" if number % 2 else "dog"]}
        result = [{"from_name": "c", "to_name": "img", "type": "choices", "value": value}]
        task["annotations"] = [{"id": number, "was_cancelled": False, "result": result}]
        task |= {"total_annotations": 1, "cancelled_annotations": 0}
    return task


def _image(path: str) -> bytes:
    number = int(path.rpartition("/")[2].removesuffix(".png"))
    image = Image.effect_noise((32, 32), number + 1)
    stored = io.BytesIO()
    image.save(stored, "PNG")
    return stored.getvalue()
