"""What it takes to show or remove a list of chosen tasks; tests/contract has what people see."""

import pytest

from backend.domain.ids import ProjectId, TaskId
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.version_names import list_edition
from backend.label_studio.gateway import LabelStudioGateway
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import Asked, FakeHttpServer, Reply
from tests.fakes.prediction_store import GONE, FakePredictionStore

TASKS, PREDICTED = range(1, 101), "al-0001-aaaa"


def test_markers_that_are_the_only_predictions_of_their_tasks_are_deleted_50_at_once():
    marker = f"{list_edition(TabTitle.NEXT_PICKS, ())}07"
    store = FakePredictionStore(TASKS)
    store.store([{"task": task, "model_version": marker} for task in TASKS])
    store.store([{"task": 1, "model_version": PREDICTED}])

    def answer(asked):
        return Reply(body=[]) if asked.path == "/api/dm/views/" else store(asked)

    with FakeHttpServer(answer) as server, LabelStudioClient(server.url, "f" * 40) as client:
        edition = list_edition(TabTitle.NEXT_PICKS, [marker])
        nothing = ListDraft(TaskList(TabTitle.NEXT_PICKS, ()), edition)
        LabelStudioGateway(client).show_list(ProjectId(1), nothing)

    assert store.versions == {
        1: [GONE, PREDICTED],
        **{task: [GONE] for task in TASKS[1:]},
    }
    assert server.paths().count("/api/dm/actions/") == 2
    assert len(server.asked) < 12


@pytest.mark.parametrize("wall", [True, False])
def test_a_list_is_shown_without_a_look_at_the_project(wall: bool):
    def answer(asked: Asked) -> Reply:
        body = {"id": 1, "data": {}} if asked.method == "POST" else []
        return Reply(body={"columns": []} if asked.path == "/api/dm/columns/" else body)

    draft = ListDraft(TaskList("Chosen", (TaskId(1),), wall=wall), list_edition("Chosen", ()))
    with FakeHttpServer(answer) as server, LabelStudioClient(server.url, "f" * 40) as client:
        LabelStudioGateway(client).show_list(ProjectId(1), draft, tidy=False)
        asked = [f"{one.method} {one.path}" for one in server.asked]
        shown = server.asked[-1].json["data"]

    assert sorted(set(asked)) == [
        "GET /api/dm/columns/",
        "GET /api/dm/views/",
        "POST /api/dm/views/",
    ]
    assert (shown["title"], shown.get("type")) == ("Chosen", "grid" if wall else None)
