import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.domain.errors import BadInput, NoWeights
from backend.domain.ids import Label
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.detection.family import DetectorFamily, detector_family
from backend.models.detection.torchvision_engine.detector import TorchvisionEngine
from backend.models.detection.ultralytics_engine.detector import (
    UltralyticsEngine,
    UltralyticsNetwork,
)
from backend.settings import load
from tests.fakes.detection_engine import ColourEngine, ColourNetwork
from tests.fakes.detection_training_sets import (
    CONTROL,
    DISC,
    RecordedProgress,
    fetch,
    shapes,
    training_set,
)

SEEING, HALF_BLIND = ColourNetwork(), ColourNetwork(blind_to=frozenset({1}))


def test_a_network_that_sees_everything_needs_no_edit(tmp_path: Path):
    model = DetectorFamily(ColourEngine([SEEING])).fit(training_set(tmp_path))
    assert model.metrics["map50"] == pytest.approx(1.0)
    assert model.metrics["edits_per_image"] == 0
    assert model.notes["start"] == "colours"
    assert model.notes["tried"] == []


def test_only_epochs_move_the_bar_of_a_training(tmp_path: Path):
    recorded = RecordedProgress()
    DetectorFamily(ColourEngine([SEEING])).fit(
        training_set(tmp_path, held_out=30, progress=recorded)
    )
    assert {step.partition(":")[0] for step, _, _ in recorded.reports} == {"train"}
    assert {done for step, done, _ in recorded.reports if "epoch" not in step} == {0}


def test_a_sharper_network_is_more_confident(tmp_path: Path):
    one = DetectorFamily(ColourEngine([SEEING])).fit(training_set(tmp_path, held_out=30))
    other = DetectorFamily(ColourEngine([HALF_BLIND])).fit(training_set(tmp_path, held_out=30))
    seen, _ = shapes(tmp_path / "new", 20, seed=5)
    sure, unsure = (
        model.predict(seen, fetch, RecordedProgress()).confidence for model in (one, other)
    )
    assert sure.mean() > 0.8
    assert unsure.mean() < 0.6


def test_the_previous_version_is_gone_on_from_when_its_labels_fit(tmp_path: Path):
    engine = ColourEngine([SEEING])
    learned = training_set(tmp_path)
    DetectorFamily(engine).fit(learned).save(tmp_path)
    DetectorFamily(engine).fit(replace(learned, previous=tmp_path))
    other = replace(CONTROL, labels=(*CONTROL.labels, Label("star")))
    DetectorFamily(engine).fit(replace(learned, previous=tmp_path, control=other))
    DetectorFamily(replace(engine, start="sounds")).fit(replace(learned, previous=tmp_path))
    DetectorFamily(engine).fit(replace(learned, previous=tmp_path / "classifier"))
    assert engine.previous == [None, tmp_path, None, None, None]
    assert engine.plans[1].epochs < engine.plans[0].epochs


def precise(tmp_path: Path, *networks: ColourNetwork, minutes: float = 30.0):
    unlabeled, _ = shapes(tmp_path / "more", 12, seed=7, first=500)
    engine = ColourEngine(list(networks))
    asked = training_set(
        tmp_path, algorithm=Algorithm.PRECISE, unlabeled=unlabeled, max_minutes=minutes
    )
    return engine, DetectorFamily(engine).fit(asked)


def test_a_better_student_replaces_its_teacher(tmp_path: Path):
    engine, model = precise(tmp_path, HALF_BLIND, SEEING)
    assert model.network is SEEING
    (tried,) = model.notes["tried"]
    assert tried["kept"]
    assert tried["after"] > tried["before"]
    assert tried["images"] == len(engine.training_sets[1].train) - 10 > 0


def test_a_student_that_is_no_better_is_discarded(tmp_path: Path):
    _, model = precise(tmp_path, SEEING, HALF_BLIND)
    assert model.network is SEEING
    (tried,) = model.notes["tried"]
    assert not tried["kept"]


def test_a_teacher_without_confident_predictions_has_no_student(tmp_path: Path):
    engine, model = precise(tmp_path, ColourNetwork(blind_to=frozenset({0, 1})))
    assert len(engine.training_sets) == 1
    assert "confident of no" in model.notes["tried"][0]["reason"]


def test_the_student_has_the_time_that_the_teacher_left(tmp_path: Path):
    engine, _ = precise(tmp_path, HALF_BLIND, SEEING, minutes=10)
    teacher, student = engine.plans
    assert teacher.minutes == 5
    assert 9 < student.minutes < 10


def test_a_fast_job_reads_no_unlabeled_images(tmp_path: Path):
    unlabeled, _ = shapes(tmp_path / "more", 12, seed=7, first=500)
    engine = ColourEngine([HALF_BLIND, SEEING])
    DetectorFamily(engine).fit(training_set(tmp_path, unlabeled=unlabeled))
    assert len(engine.training_sets) == 1


def test_a_label_that_is_not_found_has_probability_zero(tmp_path: Path):
    model = DetectorFamily(ColourEngine([HALF_BLIND])).fit(training_set(tmp_path))
    predictions = model.predict(training_set(tmp_path).held_out, fetch, RecordedProgress())
    assert (predictions.probabilities[:, CONTROL.labels.index(DISC)] == 0).all()
    assert np.max(predictions.probabilities[:, 0]) > 0.9


def test_the_score_of_a_box_is_its_calibrated_chance_to_be_right(tmp_path: Path):
    # given a network that says 0.3 of boxes that are always right
    shy = ColourNetwork(score=0.3)
    model = DetectorFamily(ColourEngine([shy])).fit(training_set(tmp_path, held_out=30))
    seen, _ = shapes(tmp_path / "new", 5, seed=5)
    predictions = model.predict(seen, fetch, RecordedProgress())
    scores = {region.score for answer in predictions.answers for region in answer.regions}
    assert len(scores) == 1
    assert scores.pop() > 0.8


def test_a_check_is_the_engines(tmp_path: Path):
    assert DetectorFamily(ColourEngine([])).kinds == {TaskKind.DETECTION}
    with pytest.raises(NoWeights):
        DetectorFamily(ColourEngine([], at_hand=False)).check()


@pytest.mark.parametrize(
    ("setting", "engine", "start"),
    [
        ("yolo11n.pt", UltralyticsEngine, "yolo11n.pt"),
        ("torchvision:ssd300_vgg16@/w.pth", TorchvisionEngine, "ssd300_vgg16@/w.pth"),
    ],
)
def test_the_setting_chooses_the_engine(setting: str, engine: type, start: str, tmp_path: Path):
    chosen = detector_family(load({}, detector=setting, data_dir=tmp_path), "cpu").engine
    assert isinstance(chosen, engine)
    assert chosen.start == start
    assert not chosen.on_gpu


def test_without_held_out_images_nothing_is_claimed_and_no_student_is_compared(tmp_path: Path):
    unlabeled, _ = shapes(tmp_path / "more", 6, seed=7, first=500)
    engine = ColourEngine([HALF_BLIND, SEEING])
    asked = training_set(tmp_path, held_out=0, algorithm=Algorithm.PRECISE, unlabeled=unlabeled)
    model = DetectorFamily(engine).fit(asked)
    assert model.metrics == {}
    assert len(engine.training_sets) == 1
    assert "held out" in model.notes["tried"][0]["reason"]


def test_an_image_that_went_away_costs_no_training(tmp_path: Path):
    unlabeled, _ = shapes(tmp_path / "more", 6, seed=7, first=500)
    Path(unlabeled.refs[0].uri).unlink()
    model = DetectorFamily(ColourEngine([SEEING])).fit(training_set(tmp_path, unlabeled=unlabeled))
    assert model.metrics["map50"] == pytest.approx(1.0)


@pytest.mark.parametrize("engine", [UltralyticsEngine, TorchvisionEngine])
def test_a_version_of_another_kind_of_detector_is_refused_in_words(tmp_path: Path, engine: type):
    DetectorFamily(ColourEngine([SEEING])).fit(training_set(tmp_path)).save(tmp_path)
    with pytest.raises(BadInput, match="AUTOLABEL_DETECTOR"):
        DetectorFamily(engine("name", tmp_path)).load(tmp_path, CONTROL)


@dataclass
class OneAtATime:
    """As Ultralytics' model: two calls at once spoil what it keeps between its steps."""

    busy: Lock = field(default_factory=Lock)
    spoiled: bool = False

    def predict(self, batch: list[np.ndarray], **options: object) -> list[object]:
        if not self.busy.acquire(blocking=False):
            self.spoiled = True
            return []
        time.sleep(0.05)
        self.busy.release()
        return []


def test_concurrent_calls_do_not_spoil_each_other_s_boxes():
    model = OneAtATime()
    network = UltralyticsNetwork(model, b"", 64, "cpu", across_labels=False)
    batch = np.zeros((1, 32, 32, 3), np.uint8)
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda _: network.detect(batch, 0.1), range(4)))
    assert not model.spoiled


class EndToEnd:
    """As an end-to-end network answers: one object under two labels, and another beside it."""

    def predict(self, batch: list[np.ndarray], **options: object) -> list[object]:
        xyxy = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 11], [20, 20, 30, 30]]).float()
        labels, scores = torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.6, 0.9, 0.5])
        boxes = SimpleNamespace(xyxy=xyxy, cls=labels, conf=scores)
        return [SimpleNamespace(boxes=boxes) for _ in batch]


@pytest.mark.parametrize(("across", "labels"), [(False, [0, 1, 1]), (True, [1, 1])])
def test_of_boxes_of_different_labels_only_the_best_stays_where_wanted_also_end_to_end(
    across: bool, labels: list[int]
):
    network = UltralyticsNetwork(EndToEnd(), b"", 64, "cpu", across_labels=across)
    (found,) = network.detect(np.zeros((1, 32, 32, 3), np.uint8), 0.1)
    assert found.labels.tolist() == labels
    assert found.scores.max() == pytest.approx(0.9)
