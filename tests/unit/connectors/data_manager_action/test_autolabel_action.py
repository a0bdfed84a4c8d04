"""The Data Manager action against our real web layer, inside a pretended Label Studio."""

from dataclasses import replace

import pytest
import requests

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ControlName, Label, ProjectId
from backend.domain.jobs import JobRequest, JobState
from backend.domain.projects import LabelCount
from backend.settings import Settings
from backend.web.app import create_app
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_project, a_version
from tests.fakes.label_studio import FakeProjects
from tests.fakes.label_studio_inside import (
    FakeMLApi,
    FakeTasks,
    ValidationError,
    a_label_studio_project,
    a_request,
    action_module,
)
from tests.fakes.versions import FakeVersions

URL = "http://autolabel.test:9090"
SHORT = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", hint="Label 2 more")
OTHER = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'cow' has 1 of 5 images")


@pytest.fixture
def action():
    with action_module() as module:
        yield module


@pytest.fixture
def backend():
    project, version = a_project(), a_version()
    counts = [LabelCount(ControlName("c"), Label(n), k) for n, k in (("cat", 12), ("dog", 3))]
    return FakeBackend(
        label_studio=FakeProjects({project.id: project}),
        versions=FakeVersions([a_version("al-0002-77aa"), version], {project.id: version.name}),
        counts=tuple(counts),
    )


@pytest.fixture
def api(backend, tmp_path):
    return FakeMLApi(URL, create_app(backend, Settings(data_dir=tmp_path)))


@pytest.fixture
def project(api):
    return a_label_studio_project(api)


def fields(form):
    return {field["name"]: field for row in form for field in row["fields"]}


def sentences_of(form):
    """What a text row of the form says, sentence by sentence."""
    field = form[0]["fields"][0]
    return [field["label"], *field["labelProps"]["description"].split("\n")]


def start(action, project, tasks=(1, 2, 3), **form):
    return action.auto_labeling(project, FakeTasks(list(tasks)), request=a_request(**form))


def test_the_menu_has_three_entries_with_dialogs(action):
    assert [entry["title"] for entry in action.actions] == [
        "Auto Labeling",
        "Auto Labeling: status",
        "Auto Labeling: stop",
    ]
    for entry in action.actions:
        assert entry["permission"] == "tasks.change"
        assert callable(entry["dialog"]["form"])
    names = [entry["entry_point"].__name__ for entry in action.actions]
    assert not any("delete" in name for name in names)  # these are drawn as dangerous


def test_the_dialog_counts_the_images_of_each_label(action, project):
    assert sentences_of(action.start_form(None, project)) == [
        "Ready to start: 15 labeled, 100 unlabeled images.",
        "Images per label: cat: 12, dog: 3",
    ]


def test_the_dialog_says_what_is_missing_before_the_click(action, project, backend):
    backend.reasons = (SHORT, OTHER)
    assert sentences_of(action.start_form(None, project))[:3] == [
        "Not ready yet: 15 labeled, 100 unlabeled images.",
        "class 'dog' has 3 of 5 images. Label 2 more.",
        OTHER.message,
    ]


def test_the_dialog_says_how_far_a_running_job_is(action, project, backend):
    job, _ = backend.jobs.submit(JobRequest(ProjectId(2)))
    backend.jobs.jobs[job.id] = replace(job, state=JobState.RUNNING, step="embed", progress=0.42)
    for form in (action.start_form, action.status_form, action.stop_form):
        assert sentences_of(form(None, project))[0] == (
            "A job is running: embedding the data, 42% done."
        )


def test_the_dialog_offers_the_versions_with_their_metrics(action, project):
    field = fields(action.start_form(None, project))["model_version"]
    assert field["value"] == "al-0001-3f9c"
    assert [option["label"] for option in field["options"]] == [
        "al-0002-77aa: Accuracy 93.0%, calibration error 0.04",
        "al-0001-3f9c (in use): Accuracy 93.0%, calibration error 0.04",
    ]


def test_without_a_version_pre_labeling_can_only_import_one(action, project, backend):
    backend.versions.cards.clear()
    backend.versions.active.clear()
    dialog = action.start_form(None, project)
    assert sentences_of(dialog)[-1].startswith("No model version yet:")
    form = fields(dialog)
    assert "model_version" not in form
    modes = [option["value"] for option in form["mode"]["options"]]
    assert modes == ["active-learning", "pre-labeling"]
    start(action, project, mode="pre-labeling", published_model=" yolo11n.pt ")
    assert backend.started[0].model_version == "yolo11n.pt"


def test_a_field_that_does_not_always_apply_says_when_it_does(action, project):
    form = fields(action.start_form(None, project))
    assert {
        name for name, field in form.items() if field["label"].startswith(("Only ", "If "))
    } == {
        "algorithm",
        "model_version",
        "published_model",
        "max_error",
        "confidence",
        "labels_are_random",
        "promise",
        "partial",
    }


def test_the_dialog_has_the_limits_of_the_page(action, project, api):
    page = api.app.test_client().get("/projects/2").get_data(as_text=True)
    form = fields(action.start_form(None, project))
    for name in ("max_error", "confidence"):
        least, most, value = (form[name][key] for key in ("min", "max", "value"))
        assert f'name="{name}" type="number" min="{least:g}" max="{most:g}"' in page
        assert f'required value="{value:g}"' in page


def test_what_the_form_offers_starts_a_job(action, project, backend):
    values = {
        name: field.get("value") for name, field in fields(action.start_form(None, project)).items()
    }
    assert start(action, project, **values) == {"async": True}
    assert backend.started == [JobRequest(ProjectId(2))]


def test_every_choice_reaches_the_job(action, project, backend):
    start(
        action,
        project,
        tasks=(1, 3),
        mode="pre-labeling",
        algorithm="precise",
        model_version="al-0002-77aa",
        accept="yes",
        max_error=2,
        confidence=99,
    )
    (request,) = backend.started
    assert (request.mode, request.algorithm) == ("pre-labeling", "precise")
    assert (request.model_version, request.accept) == ("al-0002-77aa", True)
    assert (request.max_error, request.confidence) == (0.02, 0.99)
    assert request.task_ids == (1, 3)


def test_labels_declared_to_be_random_reach_active_learning_jobs_only(action, project, backend):
    stated = {"accept": "yes", "labels_are_random": "yes"}
    start(action, project, **stated)
    assert backend.started[0].labels_are_random
    with pytest.raises(ValidationError, match="may have been trained on"):
        start(action, project, mode="pre-labeling", model_version="al-0002-77aa", **stated)


def test_an_empty_selection_does_not_mean_the_whole_project(action, project, backend):
    with pytest.raises(ValidationError, match="no tasks any more"):
        start(action, project, tasks=())
    assert backend.started == []


def test_a_refusal_shows_all_reasons(action, project, backend):
    backend.reasons = (SHORT, OTHER)
    with pytest.raises(ValidationError) as refused:
        start(action, project)
    assert refused.value.detail == [
        "The job was not started:",
        "class 'dog' has 3 of 5 images. Label 2 more.",
        OTHER.message,
    ]


def test_a_value_that_is_no_number_is_named_by_the_backend(action, project):
    with pytest.raises(ValidationError, match="max_error"):
        start(action, project, max_error="few")


def test_a_second_start_shows_the_running_job(action, project, backend):
    backend.jobs.submit(JobRequest(ProjectId(2)))
    with pytest.raises(ValidationError, match="A job is waiting for a worker"):
        start(action, project)


def test_stop_stops_the_running_job(action, project, backend):
    job, _ = backend.jobs.submit(JobRequest(ProjectId(2)))
    backend.jobs.start(job.id)
    assert action.auto_labeling_stop(project, None) == {"async": True}
    assert backend.jobs.jobs[job.id].state is JobState.STOPPING


def test_stop_without_a_job_says_so(action, project):
    assert sentences_of(action.stop_form(None, project))[0] == "No job is running."
    with pytest.raises(ValidationError, match="No job is running"):
        action.auto_labeling_stop(project, None)


def test_the_status_shows_how_the_last_job_ended(action, project, backend):
    job, _ = backend.jobs.submit(JobRequest(ProjectId(2)))
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FAILED, reason="the disk is full")
    form = action.status_form(None, project)
    assert sentences_of(form)[0].startswith("Ready to start")
    assert sentences_of(form[1:])[0] == "The last job failed: the disk is full."
    assert action.auto_labeling_status(project, None) == {}


def test_without_a_backend_the_dialog_has_a_hint(action):
    project = a_label_studio_project(None)
    assert sentences_of(action.start_form(None, project))[1] == "Run: autolabel connect 2"
    with pytest.raises(ValidationError, match="No backend is connected"):
        start(action, project)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (requests.ConnectionError("refused"), "does not answer"),
        (requests.ReadTimeout("slow"), "did not answer within"),
    ],
)
def test_a_dead_or_slow_backend_is_a_sentence_without_the_password(action, failure, words):
    project = a_label_studio_project(FakeMLApi("http://me:secret@autolabel.test", None, failure))
    for form in (action.start_form, action.status_form, action.stop_form):
        sentence = sentences_of(form(None, project))[0]
        assert words in sentence
        assert "http://autolabel.test" in sentence
        assert "secret" not in sentence
    with pytest.raises(ValidationError, match=words):
        start(action, project)


def test_calls_have_short_timeouts_and_are_not_repeated(action, project, api):
    action.start_form(None, project)
    assert api.options
    for options in api.options:
        connecting, reading = options["timeout"]
        assert connecting <= 1
        assert reading <= 10
        assert options["allow_redirects"] is False


@pytest.mark.parametrize("error", ["", '{"error": "not found"}', '{"detail": "no"}', "[]"])
def test_another_kind_of_backend_is_named_as_such(action, error):
    from flask import Flask

    another = Flask("another")
    another.register_error_handler(404, lambda _: (error, 404))
    project = a_label_studio_project(FakeMLApi(URL, another))
    assert "is not Autolabel" in sentences_of(action.start_form(None, project))[0]
