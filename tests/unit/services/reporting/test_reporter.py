"""What a report says beyond the bare numbers."""

import pytest

from backend.domain.answers import HardExample, LabeledImage
from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import JobRequest, Mode
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Acceptance, Ledger
from backend.services.project_tasks import ProjectTasks
from backend.services.reporting import sections
from backend.services.reporting.forecast import Forecasts
from tests.fakes.world import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, images=600)


def accepted(world):
    """Accept by an audit, and train again; returns the report of the latter."""
    world.run(accept=True)
    audit = world.label_studio.lists[TabTitle.AUDIT]
    world.label(audit)
    made = world.run(accept=True)["accepted"]
    world.label_studio.people[TaskId(601)] = None
    return world.run(), len(audit), made


def test_the_predictions_are_counted_by_confidence(world):
    histogram = world.run()["confidence_histogram"]
    assert len(histogram) == 20
    assert histogram[-1] == sum(histogram) == 588


def test_the_totals_count_labels_by_people_and_accepted_ones_apart(world):
    report, audited, made = accepted(world)
    assert report["totals"] == {"labels": 12 + audited, "certified": made}
    assert made > 0


def test_the_forecast_is_made_from_all_rounds_so_far(world):
    people = ProjectTasks(
        tuple(LabeledImage(world.label_studio.ref(task), {}) for task in range(300)),
        tuple(world.label_studio.ref(task) for task in range(300, 3000)),
    )
    world.ledgers.save(PROJECT, Ledger(acceptances={"job-1": Acceptance("al", (1, 2), ())}))
    asked = JobRequest(PROJECT, accept=True)
    gains = []
    for certified in (0, 1):  # the earlier round certified nothing yet, or nearly as much as now
        earlier = {"totals": {"labels": 100, "certified": certified}}
        ahead = Forecasts(world.ledgers, lambda _, one=earlier: [one]).forecast(asked, people)
        assert ahead["totals"] == {"labels": 298, "certified": 2}
        gains.append(ahead["forecast"]["certified"])
    assert gains[1] < gains[0]


def test_without_a_certificate_there_is_no_forecast(world):
    assert world.run()["forecast"] is None


def test_a_reason_is_counted_once_an_image_whatever_its_words_were():
    # given two images of one reason in different words, one of them hard for two controls
    cat = HardExample(TaskId(1), 0.8, ((7, "darker"), (3, "unlike the labeled 'cat' images")))
    dog = HardExample(TaskId(2), 0.7, ((7, "brighter"), (7, "brighter")))
    # then each counts under words that hold for all
    assert sections.hard_reasons({cat.task: cat, dog.task: dog}) == [
        {"number": 7, "words": "darker or brighter than the labeled images", "images": 2},
        {"number": 3, "words": "unlike the labeled images of its label", "images": 1},
    ]


def test_every_listed_hard_example_is_to_be_shown(world):
    report = world.run()
    assert report["hardest"]
    assert world.illustrations.shown == {
        "job-1": [example["task"] for example in report["hardest"]]
    }


FOREIGN = (
    {},
    {"totals": None},
    {"totals": {"labels": "many"}},
    {"version": "al-0001-3f9c", "mode": "active-learning", "notes": [], "per_class": 7},
)


def test_reports_of_another_shape_fail_no_job(tmp_path):
    world = World(tmp_path)
    version = world.run()["version"]
    world.reports = [*FOREIGN, {**FOREIGN[3], "version": version}]
    assert world.run(accept=True)["totals"]["labels"] == 12
    job = world.job(mode=Mode.PRE_LABELING, model_version=version)
    found = world.report(world.pre_labeling, job)
    assert (found["notes"], found["per_class"], found["metrics_from"]) == ({}, [], "held-out")
