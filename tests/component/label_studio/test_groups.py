"""Of a large grouping, people see the most typical images of all groups while the rest follows."""

import pytest

from backend.domain.ids import ProjectId
from backend.domain.tab_titles import TabTitle
from backend.label_studio.groups import SHOWN_AT_ONCE, TaskGroups
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import large_label_studio

PROJECT = ProjectId(1)


@pytest.fixture
def studio():
    with FakeHttpServer(large_label_studio(5000)) as server:
        yield server


def stored(studio):
    """The markers of each import, and when the tab was made, in order."""
    calls = []
    for asked in studio.asked:
        if asked.path.endswith("/import/predictions"):
            calls.append([(one["task"], one["model_version"]) for one in asked.json])
        elif (asked.method, asked.path) == ("POST", "/api/dm/views/"):
            calls += ["tab"] if asked.json["data"]["title"] == TabTitle.GROUPS else []
    return calls


def show(studio, groups):
    with LabelStudioClient(studio.url, "f" * 40) as client:
        return TaskGroups(client).show(PROJECT, groups)


def test_the_first_images_of_all_groups_are_shown_before_the_rest_is_stored(studio):
    large, small = list(range(41, 3041)), list(range(3041, 3141))
    assert show(studio, [large, small]) == ["group-001", "group-002"]
    first, tab, *rest = stored(studio)
    assert tab == "tab"
    assert len(first) == SHOWN_AT_ONCE
    assert first[:4] == [
        (41, "group-001"),
        (3041, "group-002"),
        (42, "group-001"),
        (3042, "group-002"),
    ]
    assert {task for task, _ in first} >= set(small)
    everything = [*first, *(one for part in rest for one in part)]
    assert sorted(task for task, _ in everything) == [*large, *small]


def test_a_small_grouping_takes_a_single_import(studio):
    show(studio, [[41, 42], [43]])
    assert stored(studio) == [
        [(41, "group-001"), (43, "group-002"), (42, "group-001")],
        "tab",
    ]
