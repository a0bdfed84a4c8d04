"""Grouping and suggesting, the jobs that only look at images, with everything outside faked."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from backend.domain.answers import Choices, Regions
from backend.domain.audits import OpenAudit
from backend.domain.errors import Refused
from backend.domain.ids import AuditId, JobId, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.jobs import Job, JobRequest, JobState, Mode
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.presentation import terminal_views
from backend.presentation.serializers import JobJson
from backend.services import suggestions
from tests.fakes.world import PROJECT, World

GROUPED, SUGGESTED = Mode.GROUPING, Mode.SUGGESTING

TWO_QUESTIONS = (
    '<View><Image name="img" value="$image"/>'
    '<RectangleLabels name="b" toName="img"><Label value="tail"/></RectangleLabels>'
    '<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def grouped(world, groups=4, **changes):
    return world.report(world.grouping, world.job(mode=GROUPED, groups=groups, **changes))


def suggested(world, count=10, **changes):
    return world.report(world.suggestions, world.job(mode=SUGGESTED, count=count, **changes))


def in_words(report, mode):
    job = Job(JobId("job-1"), JobRequest(PROJECT, mode), JobState.FINISHED, report=report)
    page = Console(file=io.StringIO(), width=200)
    for part in terminal_views.job_lines(JobJson.of(job)):
        page.print(part)
    return page.file.getvalue()


def test_every_unlabeled_image_is_shown_in_exactly_one_group(world):
    report = grouped(world)
    shown = [task for tasks in world.label_studio.groups.values() for task in tasks]
    assert sorted(shown) == list(range(13, 41))
    assert report["groups"] == [
        {"name": name, "images": len(tasks)} for name, tasks in world.label_studio.groups.items()
    ]
    assert report["reason"] == "28 images in 4 groups"
    assert report["unlabeled"] == 28
    assert "4, the largest: group-001" in in_words(report, GROUPED)


def test_an_image_that_cannot_be_read_is_in_no_group_and_reported(world):
    world.extractor.bad = {TaskId(20): "the file is empty"}
    report = grouped(world)
    assert report["unreadable"] == [{"task": 20, "reason": "the file is empty"}]
    assert all(TaskId(20) not in tasks for tasks in world.label_studio.groups.values())


def with_audit(tasks):
    """A ledger with an open audit of these tasks."""
    opened = OpenAudit(AuditId(1), VersionName("al-0001-aaaa"), frozenset(tasks))
    return Ledger(open_audit=opened)


def test_images_of_an_open_audit_are_in_no_group(world):
    world.ledgers.save(PROJECT, with_audit({TaskId(20), TaskId(21)}))
    report = grouped(world)
    shown = {task for tasks in world.label_studio.groups.values() for task in tasks}
    assert shown == set(range(13, 41)) - {20, 21}
    assert report["unlabeled"] == 28


def test_chosen_tasks_alone_are_grouped(world):
    grouped(world, groups=2, task_ids=(TaskId(30), TaskId(31), TaskId(32)))
    shown = [task for tasks in world.label_studio.groups.values() for task in tasks]
    assert sorted(shown) == [30, 31, 32]


def test_before_any_label_typical_images_are_suggested(world):
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    report = suggested(world)
    listed = world.label_studio.lists[TabTitle.NEXT_PICKS]
    assert len(set(listed)) == 10
    assert [pick["task"] for pick in report["picks"]] == list(listed)
    assert report["chosen_by"] == "typical images, no model yet"
    assert world.label_studio.clusters == {}
    assert "10 images in" in in_words(report, SUGGESTED)


def test_with_a_model_no_clusters_are_set_that_label_studio_does_not_use(world):
    version = world.run()["version"]
    world.label_studio.clusters.clear()
    assert suggested(world)["chosen_by"] == version
    assert world.label_studio.clusters == {}


def test_where_label_studio_samples_by_them_the_picks_get_their_cluster(world):
    project = world.label_studio.known[PROJECT]
    world.label_studio.known[PROJECT] = replace(project, samples_by_uncertainty=True)
    version = world.run()["version"]
    world.label_studio.clusters.clear()
    report = suggested(world)
    assert report["chosen_by"] == version
    assert world.label_studio.clusters == {
        (pick["task"], version): pick["cluster"] for pick in report["picks"]
    }
    assert len({pick["cluster"] for pick in report["picks"]}) > 1


def test_the_same_seed_suggests_the_same_images(world):
    assert suggested(world)["picks"] == suggested(world)["picks"]


def test_a_version_for_other_labels_does_not_choose(world):
    world.run()
    config = world.label_studio.label_config
    world.label_studio.label_config = config.replace('"dog"', '"wolf"')
    report = suggested(world)
    assert report["chosen_by"] == "typical images, no model yet"


def test_a_share_comes_from_the_audit_sample_while_it_waits(world):
    audit = frozenset(map(TaskId, range(30, 40)))
    world.ledgers.save(PROJECT, with_audit(audit))
    picks = suggested(world)["picks"]
    random = {pick["task"] for pick in picks if pick["random"]}
    assert len(picks) == 10
    assert len(random) == 2
    assert random <= audit
    assert audit.isdisjoint({pick["task"] for pick in picks} - random)


def test_questions_of_several_kinds_choose_in_turn(world):
    world.label_studio.label_config = TWO_QUESTIONS
    both = {"c": Choices(("cat",)), "b": Regions(())}
    assert suggested(world)["chosen_by"].startswith("typical")
    world.label_studio.people = {
        task: both if answers else None for task, answers in world.label_studio.people.items()
    }
    assert len(suggested(world, count=7)["picks"]) == 7


def test_fewer_images_than_asked_for_are_all_suggested(world):
    assert len(suggested(world, count=200)["picks"]) == 28


@pytest.mark.parametrize("mode", [GROUPED, SUGGESTED])
def test_grouping_and_suggesting_need_images_but_no_labels(mode, world):
    ready = world.readiness()
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    ready.require(JobRequest(PROJECT, mode))
    world.label_studio.people = {TaskId(1): {"c": Choices(("cat",))}}
    with pytest.raises(Refused, match="no unlabeled image left"):
        ready.require(JobRequest(PROJECT, mode))
    world.label_studio.label_config = "<View/>"
    with pytest.raises(Refused):
        ready.require(JobRequest(PROJECT, mode))


def test_what_to_label_next_is_a_wall_of_images_and_a_table_of_texts():
    walls = {kind: suggestions.listed((), kind).wall for kind in ItemKind}
    assert walls == {kind: kind is ItemKind.IMAGE for kind in ItemKind}
