"""The tutorial from its first command to its last, typed by a reader with pictures of their own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backend.processes.label_studio_server import free_port
from connectors.label_studio.calls import Calls
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.digits import write_images
from tests.e2e.label_studio import NO_SYNC, REPOSITORY, TOKEN, binary, new_data_dir
from tests.e2e.reader import Terminal, commands_of, fresh_environment, sections
from tests.e2e.rounds import shown
from tests.exported_backbone import shared
from tests.integration.polling import eventually

START, INSTALL, FOLDER, LABEL, ACCEPT, CHECK = sections(REPOSITORY / "docs" / "tutorial.md")

SHOWS = {"0": "cat", "1": "dog"}
"""The digits that stand for cats and dogs."""

SECONDS = 600
"""How long a server may take to start, or a job to end."""


@dataclass
class Person:
    """The reader in the browser, who labels what the pictures show, as `truth` has it by name."""

    client: LabelStudioClient
    truth: Mapping[str, str]
    project: int

    def tab(self, title: str) -> Sequence[int]:
        """The tasks of a tab, as soon as it has some."""
        return eventually(lambda: shown(self.client, self.project).tabs.get(title), SECONDS) or ()

    def label(self, tasks: Sequence[int]) -> None:
        head = {"from_name": "animal", "to_name": "image", "type": "choices"}
        for row in self.client.tasks.by_id(self.project, tasks):
            label = self.truth[Path(row["data"]["image"]).name]
            self.client.annotations.create(row["id"], [{**head, "value": {"choices": [label]}}])

    def confirm(self, tasks: Sequence[int]) -> None:
        """Choose "Create Annotations From Predictions"."""
        Calls(self.client.http).action(self.project, "predictions_to_annotations", tasks)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, str]:
    """What each file in the folder shows; three have a label file beside them."""
    images = write_images(tmp_path / "data" / "photos", per_class=90, labels=tuple(SHOWS))
    for path, label in images[:3]:
        path.with_suffix(".txt").write_text(f"{SHOWS[label]}\n")
    return {path.name: SHOWS[label] for path, label in images}


@pytest.fixture
def desk(tmp_path: Path, pytestconfig: pytest.Config) -> Terminal:
    """The reader's first terminal.

    Nothing is downloaded: `pip` notes what it was asked for, and `label-studio` starts on a
    database that is set up. Both servers are on free ports.
    """
    home, studio, ours = tmp_path / "home", free_port(), free_port()
    site = NO_SYNC["PYTHONPATH"]
    commands = {
        "pip": f'echo "$*" >> {home}/pip.log',
        "label-studio": f'PYTHONPATH={site} exec {binary()} "$@" --no-browser --port {studio}',
    }
    environment = fresh_environment(
        home,
        commands,
        AUTOLABEL_PORT=str(ours),
        AUTOLABEL_PUBLIC_URL=f"http://localhost:{ours}",
        AUTOLABEL_DEVICE="cpu",
        LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN="true",
    )
    data = new_data_dir(tmp_path, pytestconfig.cache.mkdir("label-studio"))
    place = home / ".local" / "share" / "label-studio"
    place.parent.mkdir(parents=True)
    data.rename(place)
    return Terminal(
        environment,
        {
            "/data": f"{tmp_path}/data",
            "http://localhost:8080": f"http://localhost:{studio}",
            "http://localhost:9090": f"http://localhost:{ours}",
        },
    )


@pytest.fixture
def person(desk: Terminal, pictures: dict[str, str], tmp_path: Path) -> Iterator[Person]:
    """Section 1: Label Studio runs, and a project is created there with that labeling config."""
    (_, _), (_, config) = START
    *settings, start = commands_of(START)
    for line in settings:
        desk.type(line)
    url = desk.placeholders["http://localhost:8080"]
    log = tmp_path / "label-studio.log"
    with desk.running(start, log):
        assert eventually(lambda: answers(f"{url}/health"), SECONDS), log.read_text()
        with LabelStudioClient(url, TOKEN, patience=60) as client:
            project = client.projects.create("pictures", config)["id"]
            yield Person(client, pictures, project)


@pytest.fixture
def page(desk: Terminal, person: Person, tmp_path: Path) -> Iterator[Terminal]:
    """Section 2: Autolabel runs. The reader's third terminal, with the same variables."""
    token = person.client.http.request_json("POST", "/api/token/")["token"]
    numbers = {" 7": f" {person.project}", "/7/": f"/{person.project}/", "=...": f"={token}"}
    terminal = Terminal(desk.environment, {**desk.placeholders, **numbers})
    *settings, start = commands_of(INSTALL)
    for line in settings:
        terminal.type(line)
    home, log = Path(desk.environment["HOME"]), tmp_path / "autolabel.log"
    assert (home / "pip.log").read_text().split("\n") == ["install label-studio", "install .", ""]
    with shared(home / ".autolabel"), terminal.running(start, log):
        ours = desk.placeholders["http://localhost:9090"]
        assert eventually(lambda: answers(f"{ours}/health"), SECONDS), log.read_text()
        yield terminal


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def accepting_job(listed: str) -> str:
    """The job that tested the audit, once it has ended; "" before."""
    found = re.search(r"(job-\S+) .* auditing .* finished ", listed)
    return found[1] if found else ""


def test_the_tutorial_ends_with_a_certificate_that_holds(
    page: Terminal, person: Person, tmp_path: Path
) -> None:
    # section 3: the pictures are brought in
    sync, *others = commands_of(FOLDER)
    assert f"{len(person.truth)} images" in page.type(sync)
    for line in others:
        page.type(line)
    # section 4: a few are labeled, a model is trained, a wall is confirmed
    person.label(person.tab("Label next"))
    status, train = commands_of(LABEL)
    assert re.search(r"cat +\d+", page.type(status))  # by now the first training may have begun
    assert "finished" in page.type(train)
    person.confirm(person.tab("Confirm: cat")[:8])
    ours = page.placeholders["http://localhost:9090"]
    assert answers(f"{ours}/projects/{person.project}/review")
    assert "Hard examples" in shown(person.client, person.project).tabs
    # section 5: the audit is labeled, and its test accepts the rest by itself
    (accept,) = commands_of(ACCEPT)
    assert "Label these" in page.type(accept)
    person.label(person.tab("Audit"))
    # section 6: the certificate holds, the labels lie beside the pictures, and all can be undone
    jobs, verify, write, undo = commands_of(CHECK)
    page.placeholders["JOB"] = eventually(lambda: accepting_job(page.type(jobs)), SECONDS)
    assert "The certificate holds" in page.type(verify)
    page.type(write)
    labels = {path.stem: path.read_text() for path in (tmp_path / "data").rglob("*.txt")}
    right = [f"{person.truth[f'{name}.png']}\n" == label for name, label in labels.items()]
    assert len(labels) > len(person.truth) / 2
    assert sum(right) >= 0.95 * len(right)
    page.type(undo)
