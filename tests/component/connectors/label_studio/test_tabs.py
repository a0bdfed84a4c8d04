"""Tabs of ours beside those of people; tests/e2e has the real Label Studio."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.filters import where
from connectors.label_studio.tabs import TASK_DATA, Tab, Tabs
from tests.fakes.http_server import Asked, FakeHttpServer, Reply

PETS = 1
LABELED = Tab("Labeled", [where("total_annotations", "greater", 0)])


class Views:
    """The views of a project; answers like Label Studio's API."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, Any]] = {}
        self.columns: list[str] = []
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked.method)
        if asked.path.startswith("/api/dm/columns/"):
            return Reply(body={"columns": [_column(name) for name in self.columns]})
        number = int(asked.path.rstrip("/").rpartition("/")[2] or 0) if self._one(asked) else 0
        match asked.method:
            case "POST":
                number = max(self.kept, default=0) + 1
                self.kept[number] = asked.json["data"]
            case "PATCH":
                self.kept[number] = asked.json["data"]
            case "DELETE":
                del self.kept[number]
                return Reply(204)
            case _:
                views = [{"id": key, "data": data} for key, data in self.kept.items()]
                return Reply(body=views)
        return Reply(body={"id": number, "data": self.kept[number]})

    def changed_in_the_data_manager(self, number: int, **changes: object) -> None:
        """Keep of a view what the Data Manager sends back, and what a person changed."""
        known = ("title", "filters", "ordering", "hiddenColumns", "columnsWidth")
        data = self.kept[number]
        self.kept[number] = {name: data[name] for name in known if name in data} | changes

    def _one(self, asked: Asked) -> bool:
        return asked.path.rstrip("/").rpartition("/")[2].isdigit()


def _column(name: str) -> dict[str, str]:
    parent, _, own = name.rpartition(".")
    return {"id": own, "parent": parent} if parent else {"id": own}


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def tabs(views: Views) -> Iterator[Tabs]:
    with FakeHttpServer(views) as server, LabelStudioClient(server.url, "f" * 40) as client:
        yield client.tabs


def test_a_tab_of_a_person_is_neither_changed_nor_deleted(tabs: Tabs, views: Views):
    theirs = {"title": "Labeled", "filters": {}, "ordering": ["-tasks:id"]}
    views.kept[1] = theirs.copy()
    (ours,) = tabs.ensure(PETS, [LABELED])
    assert ours != 1
    assert tabs.ensure(PETS, [LABELED]) == [ours]
    tabs.remove(PETS, "Labeled")
    assert views.kept == {1: theirs}


def test_our_tab_is_found_again_after_a_person_changed_it(tabs: Tabs, views: Views):
    views.kept[1] = {"title": "Default"}
    (ours,) = tabs.ensure(PETS, [LABELED])
    widths = {**views.kept[ours]["columnsWidth"], "tasks:id": 90}
    views.changed_in_the_data_manager(ours, ordering=["-tasks:id"], columnsWidth=widths)
    assert tabs.ensure(PETS, [LABELED]) == [ours]
    assert views.kept[ours]["ordering"] == ["tasks:id"]
    assert views.kept[ours]["columnsWidth"] == widths


def test_our_tab_that_a_person_renamed_is_theirs(tabs: Tabs, views: Views):
    views.kept[1] = {"title": "Default"}
    (renamed,) = tabs.ensure(PETS, [LABELED])
    views.changed_in_the_data_manager(renamed, title="Done")
    (new,) = tabs.ensure(PETS, [LABELED])
    assert new != renamed
    assert views.kept[renamed]["title"] == "Done"


def test_a_wall_is_a_grid_of_images_and_nothing_else(tabs: Tabs, views: Views):
    views.kept[1] = {"title": "Default"}
    views.columns = ["id", "predictions_score", "data.image", "data.text"]
    (number,) = tabs.ensure(PETS, [Tab("Confirm: cat", columns=("data.image",), grid=True)])
    wall = views.kept[number]
    assert (wall["type"], wall["gridWidth"], wall["gridFitImagesToWidth"]) == ("grid", 6, False)
    hidden = ["tasks:id", "tasks:predictions_score", "tasks:data.text"]
    assert wall["hiddenColumns"] == {"explore": hidden, "labeling": hidden}


def test_a_grid_shows_the_data_of_its_tasks_if_asked_to(tabs: Tabs, views: Views):
    views.kept[1] = {"title": "Default"}
    views.columns = ["id", "predictions_score", "data.image", "data.text"]
    (number,) = tabs.ensure(PETS, [Tab("Label next", columns=(TASK_DATA,), grid=True)])
    hidden = ["tasks:id", "tasks:predictions_score"]
    assert views.kept[number]["hiddenColumns"]["explore"] == hidden


def test_replacing_tabs_deletes_only_ours_of_the_same_prefix(tabs: Tabs, views: Views):
    views.kept[1] = {"title": "Confirm: by hand"}
    tabs.ensure(PETS, [LABELED])
    tabs.replace(PETS, "Confirm: ", [Tab("Confirm: cat"), Tab("Confirm: dog")])
    tabs.replace(PETS, "Confirm: ", [Tab("Confirm: dog"), Tab("Confirm: cow")])
    titles = [view["title"] for view in views.kept.values()]
    assert titles == ["Confirm: by hand", "Labeled", "Confirm: dog", "Confirm: cow"]
    tabs.replace(PETS, "Confirm: ", [])
    titles = [view["title"] for view in views.kept.values()]
    assert titles == ["Confirm: by hand", "Labeled"]


def test_several_changes_read_tabs_and_columns_once_and_see_each_other(tabs: Tabs, views: Views):
    # given a tab of a wall that is superseded, and one of our own that stays
    views.columns = ["id", "data.image"]
    wall = Tab("Wall: dog", columns=("id",))
    tabs.ensure(PETS, [Tab("Wall: cat", columns=("id",)), LABELED])
    views.asked.clear()
    with tabs.read_once(PETS):
        tabs.replace(PETS, "Wall", [wall])
        tabs.ensure(PETS, [LABELED, wall])
        tabs.ensure(PETS, [Tab("Labeled", ordering="tasks:id")])
        tabs.ensure(PETS, [Tab("Labeled", ordering="-tasks:id")])
        tabs.remove(PETS, "Wall: dog")
    assert sorted(views.asked) == ["DELETE"] * 2 + ["GET"] * 2 + ["PATCH"] * 2 + ["POST"]
    assert [data["title"] for data in views.kept.values()] == ["Default", "Labeled"]
    assert views.kept[3]["ordering"] == ["-tasks:id"]


def test_after_several_changes_tabs_are_read_anew(tabs: Tabs, views: Views):
    with tabs.read_once(PETS):
        tabs.ensure(PETS, [LABELED])
    views.kept.clear()
    tabs.ensure(PETS, [LABELED])
    assert [data["title"] for data in views.kept.values()] == ["Default", "Labeled"]
