from collections.abc import Iterator

import pytest

from backend.label_studio_process import LabelStudioProcess
from connectors.label_studio import LabelStudioClient
from tests.e2e.label_studio import new_data_dir, running

CHOICES = """<View>
  <Image name="image" value="$image"/>
  <Choices name="kind" toName="image"><Choice value="cat"/><Choice value="dog"/></Choices>
</View>"""


@pytest.fixture(scope="session")
def label_studio(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[LabelStudioProcess]:
    """One Label Studio for the whole run; tests keep apart by making projects of their own."""
    templates = pytestconfig.cache.mkdir("label-studio")
    data_dir = new_data_dir(tmp_path_factory.mktemp("e2e"), templates)
    with running(data_dir) as process:
        yield process


@pytest.fixture
def client(label_studio: LabelStudioProcess) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        yield client


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    """An empty project that asks one single-choice question: cat or dog."""
    made = client.create_project("end to end", CHOICES)["id"]
    yield made
    client.delete_project(made)
