"""What annotators do: choose tasks, click "Auto Labeling", watch, confirm, all in the browser."""

import pytest

from backend.processes.label_studio_server import LabelStudioProcess
from connectors.label_studio.tabs import Tab
from tests.e2e.autolabel import Autolabel
from tests.e2e.digits import LABELS, new_project
from tests.e2e.label_studio_api import delete_project, import_tasks
from tests.e2e.rounds import newest_job
from tests.integration.polling import eventually


@pytest.fixture(scope="module")
def browser(chromium_command: str):
    from tests.e2e.data_manager import a_browser

    with a_browser(chromium_command) as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser, label_studio: LabelStudioProcess):
    """A browser that is logged in."""
    from tests.e2e.data_manager import DataManager

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    DataManager(context.new_page(), label_studio.url).log_in(
        label_studio.username, label_studio.password
    )
    yield context
    context.close()


@pytest.fixture
def data_manager(context, label_studio):
    from tests.e2e.data_manager import DataManager

    page = context.new_page()
    yield DataManager(page, label_studio.url)
    page.close()


def status(autolabel: Autolabel, project):
    return autolabel.call("GET", f"/api/projects/{project.id}/status").json()


@pytest.fixture
def digits(client, autolabel: Autolabel, tmp_path):
    """Eighty digits, connected, eight of each class annotated."""
    project = new_project(client, tmp_path, 20, labeled=dict.fromkeys(LABELS, 8))
    assert autolabel.run("connect", project.id).returncode == 0
    yield project
    delete_project(client, project.id)


@pytest.fixture
def short(client, autolabel, tmp_path):
    """Of class 1, only three images are annotated."""
    project = new_project(client, tmp_path, 8, labels=("0", "1"), labeled={"0": 5, "1": 3})
    assert autolabel.run("connect", project.id).returncode == 0
    yield project
    delete_project(client, project.id)


def confirm_a_wall(data_manager, client, project) -> int:
    """Confirm the largest wall but for its first image; returns the number of images confirmed."""
    walls = {
        tab["data"]["title"]: shown_in(client, tab["id"])
        for tab in client.tabs.all(project.id)
        if tab["data"]["title"].startswith("Confirm: ")
    }
    title = max(walls, key=lambda one: len(walls[one]))
    wall = walls[title]
    data_manager.open(project.id)
    data_manager.open_wall(title)
    data_manager.select_wall()
    assert eventually(lambda: data_manager.selected() == len(wall), 30)
    data_manager.deselect_first()
    assert eventually(lambda: data_manager.selected() == len(wall) - 1, 30)
    data_manager.choose("Create Annotations From Predictions")
    data_manager.confirm()

    def left():
        (tab,) = [one for one in client.tabs.all(project.id) if one["data"]["title"] == title]
        return shown_in(client, tab["id"])

    eventually(lambda: left() == wall[:1], 60)
    return len(wall) - 1


def shown_in(client, tab) -> list[int]:
    """The tasks of a tab, in order."""
    page = {"view": tab, "page_size": 1000, "resolve_uri": "false", "include": "id"}
    return [
        task["id"] for task in client.http.request_json("GET", "/api/tasks/", params=page)["tasks"]
    ]


def test_label_from_the_menu_watch_the_page_and_confirm_hard_ones_and_a_wall(
    data_manager, context, client, autolabel, digits
):
    data_manager.open(digits.id)
    data_manager.select_all()
    dialog = data_manager.choose("Auto Labeling")
    assert "Ready to start: 32 labeled, 48 unlabeled images." in dialog.inner_text()
    assert "Images per label: 0: 8, 1: 8, 2: 8, 3: 8" in dialog.inner_text()
    data_manager.confirm()
    assert data_manager.toast()

    watched = context.new_page()
    watched.set_default_timeout(120_000)
    watched.goto(f"{autolabel.settings.public_url}/projects/{digits.id}")
    watched.get_by_role("row").get_by_text("Finished").wait_for()
    watched.close()

    (job,) = autolabel.call("GET", f"/api/projects/{digits.id}/jobs").json()["jobs"]
    hard = job["report"]["hard"]
    assert job["report"]["predicted"] == 48
    assert hard > 0
    data_manager.open(digits.id)
    data_manager.open_tab("Hard examples")
    data_manager.select_all()
    data_manager.choose("Create Annotations From Predictions")
    data_manager.confirm()
    eventually(lambda: status(autolabel, digits)["labeled"] == 32 + hard, 60)

    confirmed = confirm_a_wall(data_manager, client, digits) + hard
    eventually(lambda: status(autolabel, digits)["labeled"] == 32 + confirmed, 60)

    data_manager.open(digits.id)
    data_manager.select_all()
    dialog = data_manager.choose("Auto Labeling: status")
    assert f"{32 + confirmed} labeled, {48 - confirmed} unlabeled images." in dialog.inner_text()
    assert "The last job finished" in dialog.inner_text()


def test_only_the_selected_tasks_are_labeled_with_the_chosen_algorithm(
    data_manager, autolabel, digits
):
    data_manager.open(digits.id)
    data_manager.select(rows=20)
    data_manager.choose("Auto Labeling")
    data_manager.pick("algorithm", "Precise")
    data_manager.confirm()
    assert data_manager.toast()

    job = autolabel.job_ended(newest_job(autolabel, digits.id))
    assert (job["state"], job["algorithm"]) == ("finished", "precise")
    assert 0 < job["report"]["predicted"] < 20


def test_a_class_short_of_images_is_refused_before_and_after_the_click(
    data_manager, context, autolabel, short
):
    data_manager.open(short.id)
    data_manager.select_all()
    dialog = data_manager.choose("Auto Labeling")
    assert "Not ready yet" in dialog.inner_text()
    assert "class '1' has 3 of 5 images" in dialog.inner_text()
    data_manager.confirm()
    assert "class '1' has 3 of 5 images" in data_manager.refusal()

    page = context.new_page()
    page.goto(f"{autolabel.settings.public_url}/projects/{short.id}")
    page.get_by_text("class '1' has 3 of 5 images").first.wait_for()
    page.close()
    assert autolabel.call("GET", f"/api/projects/{short.id}/jobs").json() == {"jobs": []}


def test_a_project_without_a_backend_is_told_how_to_connect(data_manager, client, tmp_path):
    project = new_project(client, tmp_path, per_class=1)
    data_manager.open(project.id)
    data_manager.select_all()
    dialog = data_manager.choose("Auto Labeling")
    assert f"Run: autolabel connect {project.id}" in dialog.inner_text()
    delete_project(client, project.id)


def test_stop_without_a_job_says_so(data_manager, digits):
    data_manager.open(digits.id)
    data_manager.select_all()
    assert "No job is running." in data_manager.choose("Auto Labeling: stop").inner_text()
    data_manager.confirm()
    assert "No job is running." in data_manager.refusal()


def test_a_tab_of_ours_is_known_again_after_somebody_changed_it_in_the_data_manager(
    data_manager, client, project
):
    import_tasks(client, project, [{"image": f"http://images.test/{n}.jpg"} for n in range(2)])
    wanted = [Tab("Ours"), Tab("Default")]
    ours, own_default = client.tabs.ensure(project, wanted)

    def data_of(tab):
        return next(one["data"] for one in client.tabs.all(project) if one["id"] == tab)

    data_manager.open(project)
    data_manager.open_tab("Ours")
    data_manager.show_as_grid()
    eventually(lambda: data_of(ours).get("type") == "grid", 60)
    assert client.tabs.ensure(project, wanted) == [ours, own_default]
    assert data_of(ours)["type"] == "grid"
