"""May a job start, asked of a faked Label Studio."""

import pytest

from backend.domain import Choice, JobRequest, Ledger, Mode, ProjectId, TaskId, VersionName
from backend.errors import NotFound, NoWeights, ReasonCode, Refused
from backend.services.readiness import Readiness
from backend.settings import Settings
from tests.fakes.jobs import FakeJobs
from tests.unit.test_rounds import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def readiness(world, missing_weights=lambda _: None, **settings):
    return Readiness(
        world.label_studio,
        world.versions,
        FakeJobs(),
        world.auto_label.lanes,
        Settings(**settings),
        missing_weights,
    )


def codes(refusal):
    return [reason.code for reason in refusal.value.reasons]


def test_a_project_with_enough_of_everything_is_ready(world):
    status = readiness(world).status(PROJECT)
    assert status.ready
    assert (status.labeled, status.unlabeled) == (12, 28)
    assert [(count.label, count.images) for count in status.labels] == [("cat", 6), ("dog", 6)]


def test_every_reason_is_given_at_once(world):
    world.label_studio.people = {
        TaskId(1): {"c": Choice(("dog",))},
        TaskId(2): {"c": Choice(("cat",))},
    }
    with pytest.raises(Refused) as refusal:
        readiness(world).require(JobRequest(PROJECT))
    assert codes(refusal) == [
        ReasonCode.TOO_FEW_IMAGES,
        ReasonCode.TOO_FEW_IMAGES,
        ReasonCode.NO_UNLABELED_IMAGES,
    ]
    assert "class 'dog' has 1 of 5 images" in str(refusal.value)


def test_the_limits_of_the_settings_count(world):
    with pytest.raises(Refused, match="class 'cat' has 6 of 7 images"):
        readiness(world, min_images_per_label=7).require(JobRequest(PROJECT))


def test_an_unsupported_config_is_a_reason_that_names_the_tag(world):
    world.label_studio.label_config = (
        '<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i"/></View>'
    )
    with pytest.raises(Refused, match="<BrushLabels>") as refusal:
        readiness(world).require(JobRequest(PROJECT))
    assert codes(refusal) == [ReasonCode.UNSUPPORTED_LABELING_CONFIG]


def test_missing_base_weights_are_a_reason(world):
    missing = NoWeights("yolo11n.pt is not here", "Set AUTOLABEL_DETECTOR to a local file")
    with pytest.raises(Refused, match="AUTOLABEL_DETECTOR") as refusal:
        readiness(world, lambda _: missing).require(JobRequest(PROJECT))
    assert codes(refusal) == [ReasonCode.NO_BASE_WEIGHTS]


def test_labels_that_would_be_set_aside_do_not_count(world):
    wish = JobRequest(PROJECT, accept=True, labels_are_random=True)
    with pytest.raises(Refused, match="class 'cat' has 2 of 5 images to learn from"):
        readiness(world).require(wish)
    readiness(world).require(JobRequest(PROJECT, accept=True))


def test_labels_that_are_set_aside_are_mentioned(world):
    world.label(range(13, 33))
    lanes = world.auto_label.lanes
    lanes.ledgers.save(PROJECT, Ledger(lane=frozenset(range(1, 4))))
    status = readiness(world).status(PROJECT)
    assert status.labeled == 29
    assert any("3 labeled images are not learned from" in line for line in status.warnings)


@pytest.mark.parametrize(
    ("rotated", "words"),
    [
        ([2, 1], "3 rotated rectangles count as the upright ones around them"),
        ([1], "1 rotated rectangle counts as the upright one around it"),
    ],
)
def test_rotated_rectangles_are_mentioned(world, rotated, words):
    assert not any("rotated" in line for line in readiness(world).status(PROJECT).warnings)
    repairs = {TaskId(task): {"rotated": count} for task, count in enumerate(rotated, start=1)}
    world.label_studio.repairs = repairs
    assert words in readiness(world).status(PROJECT).warnings


def test_an_unknown_project_is_not_found(world):
    with pytest.raises(NotFound):
        readiness(world).status(ProjectId(99))


def pre_labeling(version):
    return JobRequest(PROJECT, Mode.PRE_LABELING, model_version=VersionName(version))


def test_pre_labeling_needs_a_known_version_and_no_labels(world):
    with pytest.raises(Refused) as refusal:
        readiness(world).require(pre_labeling("al-0009-ffff"))
    assert codes(refusal) == [ReasonCode.UNKNOWN_VERSION]
    version = world.run()["version"]
    world.label_studio.people = {TaskId(70): None}
    readiness(world).require(pre_labeling(version))


def test_pre_labeling_a_finished_project_is_refused(world):
    version = world.run()["version"]
    world.label_studio.people = {TaskId(1): {"c": Choice(("dog",))}}
    with pytest.raises(Refused) as refusal:
        readiness(world).require(pre_labeling(version))
    assert codes(refusal) == [ReasonCode.NO_UNLABELED_IMAGES]
