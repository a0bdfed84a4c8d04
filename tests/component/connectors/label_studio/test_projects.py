"""What Label Studio counts for a question about a project; tests/e2e has the real one."""

import pytest

from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer, Reply

COUNTS = {
    "task_number",
    "finished_task_number",
    "total_predictions_number",
    "total_annotations_number",
    "num_tasks_with_annotations",
    "useful_annotation_number",
    "ground_truth_number",
    "skipped_annotations_number",
}
"""What Label Studio counts for each answer, unless it is asked to include other fields only."""


@pytest.mark.parametrize(
    "ask",
    [
        lambda projects: projects.get(1),
        lambda projects: projects.all(),
        lambda projects: projects.set_label_config(1, "<View/>"),
        lambda projects: projects.set_model_version(1, "al-0001-aaaa"),
    ],
    ids=["read", "read all", "change the config", "change the version"],
)
def test_no_tasks_are_counted_to_read_or_change_a_project(ask):
    with FakeHttpServer(lambda _: Reply(body={"id": 1, "results": []})) as server:
        ask(LabelStudioClient(server.url, "f" * 40).projects)
    (asked,) = server.asked
    included = set(asked.query["include"].split(","))
    assert included
    assert not included & COUNTS
