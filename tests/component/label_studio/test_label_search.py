"""How tasks with a label are found; tests/e2e has labels of all kinds on both databases."""

import json

from backend.domain.ids import Label, ProjectId
from backend.label_studio.gateway import LabelStudioGateway
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer, Reply


def test_label_studio_searches_predictions_and_never_annotations():
    """On SQLite it would compare each task with all annotations of the project."""
    empty = {"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}
    with (
        FakeHttpServer(lambda _: Reply(body=empty)) as server,
        LabelStudioClient(server.url, "f" * 40) as client,
    ):
        assert not list(LabelStudioGateway(client).task_results(ProjectId(1), [Label("cat")]))
    queries = [json.loads(asked.query["query"]) for asked in server.asked]
    filters = {item["filter"] for query in queries for item in query["filters"]["items"]}
    assert "filter:tasks:predictions_results" in filters
    assert "filter:tasks:annotations_results" not in filters
