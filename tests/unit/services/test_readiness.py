"""May a job start, asked of a faked Label Studio."""

from dataclasses import replace

import pytest

from backend.domain.answers import Choices
from backend.domain.audits import AuditCertificate, AuditRecord, AuditTerms, OpenAudit, RiskLedger
from backend.domain.errors import NotFound, NoWeights, ReasonCode, Refused
from backend.domain.ids import AuditId, JobId, ProjectId, TaskId, VersionName
from backend.domain.jobs import JobRequest, Mode
from backend.domain.schema import TaskKind
from backend.domain.versions import Acceptance, Ledger
from tests.fakes.domain import CHOICES
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.models import ParityFamily
from tests.fakes.world import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def codes(refusal):
    return [reason.code for reason in refusal.value.reasons]


def test_a_project_with_enough_of_everything_is_ready(world):
    status = world.readiness().status(PROJECT)
    assert status.ready
    assert (status.labeled, status.unlabeled) == (12, 28)
    assert [(count.label, count.images) for count in status.labels] == [("cat", 6), ("dog", 6)]


class Asked(FakeLabelStudio):
    """One that remembers how often its unlabeled tasks were counted."""

    times = 0

    def count_unlabeled(self, project):
        self.times += 1
        return super().count_unlabeled(project)


@pytest.mark.parametrize("config", [CHOICES, "<View/>"])
def test_label_studio_counts_the_unlabeled_tasks_once_per_status(world, config):
    world.label_studio = Asked(config, {TaskId(1): None})
    assert world.readiness().status(PROJECT).unlabeled == 1
    assert world.label_studio.times == 1


def test_every_reason_is_given_at_once(world):
    world.label_studio.people = {
        TaskId(1): {"c": Choices(("dog",))},
        TaskId(2): {"c": Choices(("cat",))},
    }
    with pytest.raises(Refused) as refusal:
        world.readiness().require(JobRequest(PROJECT))
    assert codes(refusal) == [
        ReasonCode.TOO_FEW_IMAGES,
        ReasonCode.TOO_FEW_IMAGES,
        ReasonCode.NO_UNLABELED_IMAGES,
    ]
    assert "class 'dog' has 1 of 5 images" in str(refusal.value)


def test_an_open_audit_a_closed_sample_and_a_broken_promise_are_mentioned(world):
    terms = AuditTerms()
    opened = OpenAudit(AuditId(2), VersionName("al-0001-aaaa"), frozenset(), "Label these 60")
    certificate = AuditCertificate(AuditId(1), terms, 50, 0.9, 90, 30, 0, 4, 0.03, "at most 5 %")
    accepted = Acceptance(VersionName("al-0001-aaaa"), (), (), AuditId(1), certificate)
    risk = RiskLedger((AuditRecord(AuditId(1), 0.03, 4),))
    ledger = Ledger(risk, 2, opened, {JobId("job-1"): accepted}, "it was closed")
    world.ledgers.save(PROJECT, ledger)
    warnings = world.readiness().status(PROJECT).warnings
    assert "audit 2 is open: Label these 60" in warnings
    assert "it was closed" in warnings
    # 5 % of 40 images are 2, and 4 may be wrong
    assert any("no longer holds: 4 of its labels may be wrong" in line for line in warnings)
    undone = replace(accepted, undone=True)
    world.ledgers.save(PROJECT, Ledger(RiskLedger(), acceptances={JobId("job-1"): undone}))
    assert not any("holds" in line for line in world.readiness().status(PROJECT).warnings)


def test_labels_made_from_predictions_are_mentioned_with_their_number(world):
    world.label_studio.seen = {TaskId(1)}
    (line,) = (one for one in world.readiness().status(PROJECT).warnings if "made from" in one)
    assert line.startswith("1 label was made from predictions")
    assert "never count as part of a random sample" in line


def test_the_limits_of_the_settings_count(world):
    with pytest.raises(Refused, match="class 'cat' has 6 of 7 images"):
        world.readiness(min_images_per_label=7).require(JobRequest(PROJECT))


def test_an_unsupported_config_is_a_reason_that_names_the_tag(world):
    world.label_studio.label_config = (
        '<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i"/></View>'
    )
    with pytest.raises(Refused, match="<BrushLabels>") as refusal:
        world.readiness().require(JobRequest(PROJECT))
    assert codes(refusal) == [ReasonCode.UNSUPPORTED_LABELING_CONFIG]


def test_missing_base_weights_are_a_reason(world):
    world.family.missing = NoWeights("yolo11n.pt is not here", "Set AUTOLABEL_DETECTOR to a file")
    with pytest.raises(Refused, match="AUTOLABEL_DETECTOR") as refusal:
        world.readiness().require(JobRequest(PROJECT))
    assert codes(refusal) == [ReasonCode.NO_BASE_WEIGHTS]


class Uncountable(FakeLabelStudio):
    """One whose labels nobody may list."""

    def labeled(self, project, schema):
        raise AssertionError("labels were counted")


@pytest.fixture
def uncounted(world):
    """A world of one unlabeled image, and a training of it that counts no labels."""
    world.label_studio = Uncountable(people={TaskId(1): None})
    return world, lambda: world.readiness().require(JobRequest(PROJECT), count=False)


def test_without_counting_a_training_may_start(uncounted):
    _, require = uncounted
    require()


def test_without_counting_all_else_is_still_a_reason(uncounted):
    world, require = uncounted
    world.label_studio.people.clear()
    world.family.missing = NoWeights("yolo11n.pt is not here")
    with pytest.raises(Refused) as refusal:
        require()
    assert codes(refusal) == [ReasonCode.NO_UNLABELED_IMAGES, ReasonCode.NO_BASE_WEIGHTS]
    world.label_studio.label_config = "<View/>"
    with pytest.raises(Refused) as refusal:
        require()
    assert codes(refusal) == [ReasonCode.UNSUPPORTED_LABELING_CONFIG]


def test_without_counting_weights_are_missed_only_where_nothing_can_be_learned(uncounted):
    world, require = uncounted
    world.label_studio.label_config = (
        '<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="a"/>'
        '<Choice value="b"/></Choices><RectangleLabels name="r" toName="i"><Label value="x"/>'
        "</RectangleLabels></View>"
    )
    no_boxes = NoWeights("yolo11n.pt is not here")
    world.families[TaskKind.DETECTION] = ParityFamily(missing=no_boxes)
    require()


def test_labels_that_are_set_aside_are_mentioned(world):
    world.label(range(13, 33))
    accepted = Acceptance(VersionName("al-0001-aaaa"), tuple(range(1, 4)), ())
    world.ledgers.save(PROJECT, Ledger(acceptances={JobId("job-1"): accepted}))
    world.label_studio.machine |= {TaskId(task): (task, accepted.version) for task in range(1, 4)}
    status = world.readiness().status(PROJECT)
    assert status.labeled == 29
    assert any("3 labeled images are not used for training" in line for line in status.warnings)


def test_what_a_job_accepts_while_a_status_reads_the_labels_is_no_label_of_a_person(world):
    accepted = Acceptance(VersionName("al-0001-aaaa"), tuple(range(1, 4)), ())
    world.label_studio.machine |= {TaskId(task): (task, accepted.version) for task in range(1, 4)}
    readiness = world.readiness()

    def read(project, schema):
        for image in readiness.labeled(project, schema):
            yield image
            world.ledgers.save(PROJECT, Ledger(acceptances={JobId("job-1"): accepted}))

    assert readiness.status(PROJECT).labeled == 12, "the ledger does not know them yet"
    status = replace(readiness, labeled=read).status(PROJECT)
    assert status.labeled == 9
    assert any("3 labeled images are not used for training" in line for line in status.warnings)


@pytest.mark.parametrize(
    ("rotated", "words"),
    [
        ([2, 1], "3 rotated rectangles count as the upright ones around them"),
        ([1], "1 rotated rectangle counts as the upright one around it"),
    ],
)
def test_rotated_rectangles_are_mentioned(world, rotated, words):
    assert not any("rotated" in line for line in world.readiness().status(PROJECT).warnings)
    repairs = {TaskId(task): {"rotated": count} for task, count in enumerate(rotated, start=1)}
    world.label_studio.repairs = repairs
    assert words in world.readiness().status(PROJECT).warnings


def test_an_unknown_project_is_not_found(world):
    with pytest.raises(NotFound):
        world.readiness().status(ProjectId(99))


def pre_labeling(version):
    return JobRequest(PROJECT, Mode.PRE_LABELING, model_version=VersionName(version))


def test_pre_labeling_needs_a_known_version_and_no_labels(world):
    with pytest.raises(Refused) as refusal:
        world.readiness().require(pre_labeling("al-0009-ffff"))
    assert codes(refusal) == [ReasonCode.UNKNOWN_VERSION]
    assert refusal.value.hint == "Start an active-learning job"
    version = world.run()["version"]
    with pytest.raises(Refused, match=f"Choose one that is there: {version}"):
        world.readiness().require(pre_labeling("al-0009-ffff"))
    world.label_studio.people = {TaskId(70): None}
    world.readiness().require(pre_labeling(version))


def test_a_choice_of_labeled_tasks_alone_is_refused_whatever_the_job(world):
    version = world.run()["version"]
    labeled = (TaskId(1), TaskId(2), TaskId(3))
    for request in (
        JobRequest(PROJECT),
        JobRequest(PROJECT, Mode.GROUPING),
        pre_labeling(version),
    ):
        with pytest.raises(Refused, match="none of the 3 chosen tasks is unlabeled") as refusal:
            world.readiness().require(replace(request, task_ids=labeled))
        assert codes(refusal) == [ReasonCode.NO_UNLABELED_IMAGES]
        world.readiness().require(replace(request, task_ids=(*labeled, TaskId(30))))


def test_pre_labeling_a_finished_project_is_refused(world):
    version = world.run()["version"]
    world.label_studio.people = {TaskId(1): {"c": Choices(("dog",))}}
    with pytest.raises(Refused) as refusal:
        world.readiness().require(pre_labeling(version))
    assert codes(refusal) == [ReasonCode.NO_UNLABELED_IMAGES]
