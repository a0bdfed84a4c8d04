import pytest

from backend.domain.errors import BadInput
from backend.label_studio.webhooks import Changed, Ignored, Nameless, TrainNow, created_of, event


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"action": "START_TRAINING", "project": {"id": 2}}, TrainNow(2)),
        (
            {"action": "START_TRAINING", "project": {"id": 2, "num_tasks_with_annotations": 7}},
            TrainNow(2, labeled=7),
        ),
        ({"action": "START_TRAINING", "project": "2.1795"}, TrainNow(2)),
        ({"action": "ANNOTATION_CREATED", "project": {"id": 2}, "annotation": {}}, Changed(2, 1)),
        (
            {"action": "ANNOTATIONS_CREATED", "project": "2.1", "annotation": [{}, {}]},
            Changed(2, 2),
        ),
        ({"action": "ANNOTATIONS_DELETED", "project": "2.1", "annotations": [{}]}, Changed(2, 1)),
        ({"action": "PROJECT_UPDATED"}, Ignored("nothing to do on PROJECT_UPDATED")),
        (
            {"action": "ANNOTATION_CREATED", "annotation": {"was_cancelled": True}},
            Ignored("the task was skipped"),
        ),
    ],
)
def test_webhook_events(body, expected):
    assert event(body) == expected


@pytest.mark.parametrize(
    "action", ["ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "ANNOTATION_UPDATED"]
)
def test_a_webhook_without_payload_names_no_project(action):
    assert event({"action": action}) == Nameless()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": 3},
        {"action": "START_TRAINING"},
        {"action": "START_TRAINING", "project": {"id": True}},
        {"action": "START_TRAINING", "project": "two"},
    ],
)
def test_a_malformed_event_is_named(body):
    with pytest.raises(BadInput, match=r"webhook|names no project"):
        event(body)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2.1795217061", 1795217061),
        ("2", None),
        ("2.", None),
        ("2.x", None),
        ("2." + "9" * 19, None),
    ],
)
def test_the_second_half_says_when_the_project_was_created(text, seconds):
    assert created_of(text) == seconds
