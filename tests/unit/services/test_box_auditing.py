"""Audits with the promise about boxes, from the draw to the certificate."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from backend.domain.answers import Region, Regions
from backend.domain.audits import Promise
from backend.domain.batches import PredictionBatch
from backend.domain.errors import ReasonCode, Refused
from backend.domain.geometry import Box
from backend.domain.ids import AuditId, JobId, Label, ProjectId
from backend.domain.jobs import JobRequest, Mode
from backend.domain.tab_titles import TabTitle
from backend.policies.certification.audit_certificate import problems
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.world import World

PROJECT = ProjectId(1)
RED, WHITE = Label("red"), Label("white")
RECTANGLES = (
    '<View><Image name="i" value="$image"/><RectangleLabels name="c" toName="i">'
    '<Label value="red"/><Label value="white"/></RectangleLabels></View>'
)
BOXES = 10


def row_of_boxes(count):
    boxes = (Box(k / 20, 0, (k + 1) / 20, 1) for k in range(count))
    return tuple(Region(box, WHITE if k % 2 else RED, 0.98) for k, box in enumerate(boxes))


@dataclass
class CellModel(ParityModel):
    """Finds ten cells in each image."""

    def predict(self, images, fetch, progress):
        n = len(images)
        answers = (Regions(row_of_boxes(BOXES)),) * n
        return PredictionBatch(answers, np.full(n, 0.8), np.full((n, 2), 0.9, dtype=np.float32))


class CellFamily(ParityFamily):
    def fit(self, training_set):
        return CellModel(training_set.control.labels)

    def load(self, folder, control):
        return CellModel(control.labels)


class CellWorld(World):
    """Every fifth image has eleven cells, of which the model finds ten."""

    misses = 1

    def answer(self, task):
        return Regions(row_of_boxes(BOXES + (self.misses if task % 5 == 0 else 0)))


@pytest.fixture
def world(tmp_path):
    world = CellWorld(tmp_path, images=500)
    world.label_studio.label_config = RECTANGLES
    world.families |= dict.fromkeys(world.families, CellFamily())
    return world


def run(world, **changes):
    return world.run(accept=True, promise=Promise.BOXES, **changes)


def audited(world):
    job = replace(world.job(mode=Mode.AUDITING), id=JobId("job-9"))
    return world.auditing(job, FakeSteps(quiet))


def test_boxes_are_accepted_though_every_fifth_image_needs_an_edit(world):
    report = run(world, max_error=0.1)
    assert "others will be accepted" in report["reason"]
    world.label(world.label_studio.lists[TabTitle.AUDIT])
    result = audited(world)
    file = world.audits.certificate(PROJECT, JobId("job-9"))
    assert problems(file) == ()
    assert result.accepted == len(file.accepted) > 300
    assert file.audit.cap == BOXES
    assert "of the accepted boxes are wrong" in result.reason
    assert file.certificate.mistakes == sum(task % 5 == 0 for task in file.mistakes)
    assert world.ledgers.load(PROJECT).risk.allowed == file.certificate.allowed


def test_the_same_images_are_not_accepted_by_a_promise_about_images(world):
    report = world.run(accept=True, promise=Promise.ACCEPTED, max_error=0.1)
    assert "No audit pays" in report["reason"]


def test_too_many_missed_boxes_accept_nothing(world):
    run(world, max_error=0.1)
    world.misses = 9
    world.label(world.label_studio.lists[TabTitle.AUDIT])
    result = audited(world)
    assert result.accepted == 0
    assert "have boxes that are wrong or missed" in result.reason
    assert world.ledgers.load(PROJECT).risk.spent == pytest.approx(0.75 * 0.05)


def test_images_labeled_deleted_and_skipped_meanwhile_are_counted(world):
    run(world, max_error=0.1)
    sample = world.label_studio.lists[TabTitle.AUDIT]
    world.label(sample)
    world.label_studio.skipped.add(sample[0])
    free = [task for task, answers in world.label_studio.people.items() if answers is None]
    world.label(free[:30])
    for task in free[30:40]:
        del world.label_studio.people[task]
    audited(world)
    file = world.audits.certificate(PROJECT, JobId("job-9"))
    assert problems(file) == ()
    assert sample[0] in file.mistakes
    assert {one.task for one in file.boxes} == {*sample[1:], *(set(free[:30]) & set(file.left))}


def test_labels_stated_to_be_random_make_an_audit_of_boxes(world):
    world.label(range(13, 301))
    report = run(world, max_error=0.1, labels_are_random=True)
    assert report["accepted"] > 100
    assert "as was stated" in report["certificate"]["sentence"]
    assert world.audits.load(PROJECT, AuditId(1)).stated


@pytest.mark.parametrize("count", [True, False])
def test_the_promise_is_refused_where_images_are_classified(tmp_path, count):
    readiness = World(tmp_path).readiness()
    wish = JobRequest(PROJECT, accept=True, promise=Promise.BOXES)
    with pytest.raises(Refused) as refusal:
        readiness.require(wish, count=count)
    assert [one.code for one in refusal.value.reasons] == [ReasonCode.PROMISE_NEEDS_BOXES]
    assert "rectangles only" in refusal.value.message
    # and nothing is refused where nothing is to be accepted
    readiness.require(replace(wish, accept=False), count=count)


def test_pre_labeling_refuses_the_promise_too(tmp_path):
    world = World(tmp_path)
    version = world.run()["version"]
    wish = JobRequest(
        PROJECT, Mode.PRE_LABELING, model_version=version, accept=True, promise=Promise.BOXES
    )
    with pytest.raises(Refused, match="rectangles only"):
        world.readiness().require(wish)
