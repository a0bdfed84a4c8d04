"""Projects as people have them: renamed labels, hidden questions, skipped tasks, one label."""

import pytest

from backend.domain.answers import Choices, Gap, Unanswered
from backend.domain.errors import BadInput, ReasonCode, Refused
from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import JobRequest, Mode
from backend.domain.schema import TaskKind
from backend.domain.tab_titles import TabTitle
from tests.fakes.domain import CHOICES
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.world import World

PROJECT = ProjectId(1)
NOTE = '<TextArea name="note" toName="img"/>'


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def with_note(world):
    world.label_studio.label_config = CHOICES.replace("</View>", f"{NOTE}</View>")


def test_the_status_names_what_is_left_out_before_a_job_starts(world):
    strange = Unanswered(Gap.UNKNOWN_LABEL, ("Cat",))
    world.label_studio.people |= {TaskId(task): {} for task in range(13, 18)}
    world.label_studio.unanswered = {TaskId(task): {"c": strange} for task in range(13, 18)}

    status = world.readiness().status(PROJECT)

    assert (status.labeled, status.unlabeled) == (12, 23)
    (left,) = status.left_out
    assert (left.gap, left.images, left.names) == (Gap.UNKNOWN_LABEL, 5, (("Cat", 5),))
    assert any('rename "Cat" "cat"' in line for line in status.warnings)
    report = world.run()
    assert report["labeled"] == 12
    assert [(one["gap"], one["images"]) for one in report["left_out"]] == [("unknown_label", 5)]
    assert len(world.label_studio.predictions) == 23


def test_accepting_beside_a_control_that_is_not_learned_is_refused_by_name(world):
    with_note(world)
    request = JobRequest(PROJECT, accept=True)
    for count in (True, False):
        with pytest.raises(Refused) as refusal:
            world.readiness().require(request, count=count)
        (reason,) = refusal.value.reasons
        assert reason.code is ReasonCode.UNLEARNED_CONTROLS
        assert "<TextArea name='note'>" in reason.message
        assert "--partial" in reason.hint
    world.readiness().require(JobRequest(PROJECT))


def test_a_partial_job_predicts_and_accepts_nothing(world):
    with_note(world)
    world.readiness().require(JobRequest(PROJECT, accept=True, partial=True))
    report = world.run(accept=True, partial=True)
    assert "<TextArea name='note'> is not learned" in report["verdict"]
    assert len(world.label_studio.predictions) == 28
    assert not world.ledgers.load(PROJECT).open_audit


def test_pre_labeling_is_refused_like_training(world):
    version = world.run()["version"]
    with_note(world)
    request = JobRequest(PROJECT, Mode.PRE_LABELING, model_version=version, accept=True)
    with pytest.raises(Refused, match="note"):
        world.readiness().require(request)


def test_an_open_audit_accepts_nothing_once_a_control_is_not_learned(tmp_path):
    world = World(tmp_path, images=400)
    world.run(accept=True, max_error=0.2)
    world.label(world.label_studio.lists[TabTitle.AUDIT])
    with_note(world)
    ended = world.auditing(world.job(mode=Mode.AUDITING), FakeSteps(quiet))
    assert "<TextArea name='note'> is not learned" in ended.reason
    assert not world.label_studio.machine
    assert world.ledgers.load(PROJECT).open_audit


def test_skipped_tasks_are_counted_and_predicted_on_request(world):
    world.label_studio.skipped = {TaskId(task) for task in range(13, 40)}
    status = world.readiness().status(PROJECT)
    assert (status.skipped, status.unlabeled) == (27, 1)
    assert any(line.startswith("27 skipped tasks are left out") for line in status.warnings)
    world.run()
    assert len(world.label_studio.predictions) == 1
    world.run(skipped=True)
    assert len({task for task, _ in world.label_studio.predictions}) == 28


def test_a_project_of_which_all_else_is_skipped_can_be_predicted(world):
    world.label_studio.skipped = {TaskId(task) for task in range(13, 41)}
    with pytest.raises(Refused):
        world.readiness().require(JobRequest(PROJECT))
    world.readiness().require(JobRequest(PROJECT, skipped=True))
    world.readiness().require(JobRequest(PROJECT, skipped=True, task_ids=(TaskId(13),)))
    with pytest.raises(BadInput, match="not accepted"):
        JobRequest(PROJECT, skipped=True, accept=True)


def test_a_project_of_one_label_trains_where_the_setting_allows_it(tmp_path):
    world = World(tmp_path)
    world.label_studio.label_config = CHOICES.replace('<Choice value="dog"/>', "")
    world.label_studio.people = {
        task: {"c": Choices(("cat",))} if answers else None
        for task, answers in world.label_studio.people.items()
    }
    assert not world.readiness(min_labels=1).status(PROJECT).ready, "never for choices"


HIDDEN = """<View><Image name="img" value="$image"/>
<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>
<View visibleWhen="choice-selected" whenTagName="c" whenChoiceValue="dog">
<Choices name="d" toName="img"><Choice value="big"/><Choice value="small"/></Choices>
</View></View>"""


def test_a_hidden_question_is_learned_and_predicted_only_where_it_shows(world):
    world.label_studio.label_config = HIDDEN
    world.label([TaskId(task) for task in range(1, 25)])
    for task, answers in world.label_studio.people.items():
        if answers and world.truth(task) == "dog":
            answers["d"] = Choices((("big", "small")[task % 4 == 1],))
    world.run(max_error=0.5, confidence=0.5)
    asked = {one.control.name: one for one in world.family.training_sets}
    assert len(asked["d"].train) + len(asked["d"].held_out) == 12
    for (task, _), prediction in world.label_studio.predictions.items():
        assert ("d" in prediction.answers) is (world.truth(task) == "dog")
    assert {one.control.kind for one in world.family.training_sets} == {TaskKind.SINGLE}
