"""Our model in label-studio-ml: 1.0.9 for real, in its own environment; 2.x by its signatures.

2.x is on no package index; its stand-in below has the signatures that its source documents.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest
from tests.integration.polling import eventually

REPOSITORY = Path(__file__).parents[2]
WRITTEN = json.loads(Path(__file__).with_name("payloads.json").read_text())
EVENTS = ("start_training", "annotation_created", "annotations_created", "annotations_deleted")


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the environment that `make label-studio-ml` builds."""
    found = REPOSITORY / ".venv-label-studio-ml" / "bin" / "python"
    if found.exists():
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"no {found}: make label-studio-ml")
    pytest.skip(f"no {found}: make label-studio-ml")


def run(python: Path, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("label-studio-ml")


@pytest.fixture(scope="module")
def answers(python, folder):
    calls = [(WRITTEN[name]["path"], WRITTEN[name]["body"]) for name in ("setup", "predict")]
    calls += [(WRITTEN[name]["path"], WRITTEN[name]["body"]) for name in EVENTS]
    done = run(python, "tests.contract.in_label_studio_ml", folder, input=json.dumps(calls))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def asked(answers, folder):
    """What our backend was asked, sorted: each event runs in a process of its own."""
    log = folder / "log"
    lines = eventually(
        lambda: len(found := log.read_text().splitlines()) > len(EVENTS) and found, 60
    )
    return sorted(json.loads(line) for line in lines)


class TestWith1x:
    def test_predictions_come_one_a_task_under_the_name_that_setup_gave(self, answers):
        results = answers["/predict"]["results"]
        assert len(results) == len(WRITTEN["predict"]["body"]["tasks"])
        assert all("model_version" not in result for result in results if result)
        assert answers["/predict"]["model_version"] == answers["/setup"]["model_version"]

    def test_the_labeling_config_is_the_projects_own(self, asked):
        (predicted,) = (line for line in asked if line[0] == "predict")
        assert predicted[1] == 2
        assert "<Choices" in predicted[2]

    def test_start_training_starts_our_job(self, asked):
        assert ["start", 2] in asked

    def test_annotations_created_in_bulk_and_deleted_are_counted(self, asked):
        changed = [line[1:] for line in asked if line[0] == "changed"]
        assert len(changed) == 3
        assert {project for project, _ in changed} == {2}

    def test_our_web_layer_runs_on_the_flask_of_that_environment(self, python):
        done = run(
            python,
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "filterwarnings=default",  # the old Flask of that environment warns of itself
            "tests/contract/test_label_studio_contract.py",
            "tests/contract/test_console.py",
            "tests/contract/test_protection.py",
        )
        assert done.returncode == 0, done.stdout[-3000:]
        version = run(python, "flask", "--version").stdout
        assert "Flask 1.1.2" in version


class LabelStudioMLBase:
    """The constructor and methods of 2.x, as its source has them; what it caches is kept here."""

    TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED")

    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if not self.model_version:
            raise AssertionError("a model has a version")
        self.setup()

    def setup(self):
        pass

    @property
    def model_version(self):
        return None

    def predict(self, tasks, context=None, **kwargs):
        raise NotImplementedError

    def fit(self, event, data, **additional_params):
        raise NotImplementedError


class TestWith2x:
    @pytest.fixture
    def face(self):
        """Our module, imported beside the stand-in for label-studio-ml 2.x."""
        names = ("label_studio_ml", "label_studio_ml.api", "label_studio_ml.model")
        package, api, model = (ModuleType(name) for name in names)
        api.TRAIN_EVENTS = LabelStudioMLBase.TRAIN_EVENTS
        model.LabelStudioMLBase = LabelStudioMLBase
        package.api, package.model = api, model
        sys.modules.update(zip(names, (package, api, model), strict=True))
        try:
            yield importlib.import_module("backend.web.label_studio_ml_adapter")
        finally:
            for name in (*names, "backend.web.label_studio_ml_adapter"):
                sys.modules.pop(name, None)

    @pytest.fixture
    def model(self, face, backend):
        class Model(face.AutolabelModel):
            pass

        Model.backend = staticmethod(lambda: backend)
        return Model("2", label_config="<View/>")

    def fit(self, model, name):
        body = WRITTEN[name]["body"]
        return model.fit(body["action"], {k: v for k, v in body.items() if k != "action"})

    def test_predictions_and_setup_bear_the_name_of_our_version(self, model):
        results = model.predict(WRITTEN["predict"]["body"]["tasks"], context=None, login="a")
        assert {result["model_version"] for result in results if result} == {model.model_version}
        assert model.predict([]) == []

    def test_its_webhook_lets_the_plural_events_through(self, face):
        assert {"START_TRAINING", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"} <= set(
            face.api.TRAIN_EVENTS
        )
        assert "PROJECT_UPDATED" not in face.api.TRAIN_EVENTS

    def test_start_training_starts_our_job(self, model, backend):
        assert self.fit(model, "start_training") == {"job": "job-1"}
        assert backend.started == [JobRequest(ProjectId(2))]

    def test_a_refusal_gives_its_reasons(self, model, backend):
        backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
        assert self.fit(model, "start_training") == {"refused": ["class 'dog' has 3 of 5 images"]}

    def test_changed_annotations_are_counted(self, model, backend):
        for name in EVENTS[1:]:
            self.fit(model, name)
        assert len(backend.changes) == 3

    def test_our_own_writes_start_nothing(self, model, backend):
        assert "ignored" in self.fit(model, "project_updated")
        assert (backend.started, backend.changes) == ([], [])
