from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.processes.label_studio_server import LabelStudioProcess
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import LABELS, annotate, new_project
from tests.e2e.label_studio_api import delete_project
from tests.e2e.rounds import Round, newest_job, shown, start_training, wall_made

CHOICES = """<View>
  <Image name="image" value="$image"/>
  <Choices name="kind" toName="image"><Choice value="cat"/><Choice value="dog"/></Choices>
</View>"""


@pytest.fixture
def client(label_studio: LabelStudioProcess) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        yield client


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    """An empty project that asks one single-choice question: cat or dog."""
    made = client.projects.create("end to end", CHOICES)["id"]
    yield made
    delete_project(client, made)


@pytest.fixture(scope="session")
def autolabel(
    label_studio: LabelStudioProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Autolabel]:
    """Redis, web and worker of ours beside that Label Studio."""
    data_dir: Path = tmp_path_factory.mktemp("autolabel")
    with Autolabel(settings_for(label_studio, data_dir)).running() as parts:
        yield parts


@pytest.fixture(scope="session")
def first_round(
    label_studio: LabelStudioProcess,
    autolabel: Autolabel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Round:
    """120 digits: connected, eight of each class annotated, "Start training" pressed.

    What to label first was there before, as it is where people take minutes for the first labels.
    """
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        project = new_project(client, tmp_path_factory.mktemp("digits"), per_class=30)
        connected = autolabel.run("connect", project.id)
        assert connected.returncode == 0, connected.stderr
        wall_made(client, project.id)
        chosen = project.some(dict.fromkeys(LABELS, 8))
        annotate(client, project, chosen)
        start_training(client, project.id)
        job = autolabel.job_ended(newest_job(autolabel, project.id))
        return Round(project, frozenset(chosen), job, shown(client, project.id))
