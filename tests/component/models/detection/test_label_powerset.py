from dataclasses import replace
from pathlib import Path

from backend.models.detection.family import DetectorFamily
from tests.fakes.detection_engine import ColourEngine, ColourNetwork
from tests.fakes.detection_training_sets import (
    RecordedProgress,
    fetch,
    red_squares,
    training_set,
)


def test_the_family_answers_with_all_labels_of_a_box(tmp_path: Path):
    engine = ColourEngine([ColourNetwork(calls_squares=3)])
    asked = red_squares(training_set(tmp_path))
    model = DetectorFamily(engine).fit(asked)
    assert len(engine.training_sets[0].control.labels) == 4
    assert model.metrics["map50"] == 1.0
    assert model.metrics["recall/red"] == 1.0
    model.save(tmp_path)
    loaded = DetectorFamily(engine).load(tmp_path, asked.control)
    for answer, truth in zip(
        loaded.predict(asked.held_out, fetch, RecordedProgress()).answers,
        asked.held_out_answers,
        strict=True,
    ):
        assert sorted(answer.labels) == sorted(truth.labels)


def test_training_goes_on_unless_a_set_is_new(tmp_path: Path):
    engine = ColourEngine([ColourNetwork(), ColourNetwork(calls_squares=3)])
    plain = training_set(tmp_path)
    red = red_squares(plain)
    plain = replace(plain, control=red.control)
    DetectorFamily(engine).fit(plain).save(tmp_path)
    DetectorFamily(engine).fit(replace(red, previous=tmp_path)).save(tmp_path)
    DetectorFamily(engine).fit(replace(red, previous=tmp_path))
    DetectorFamily(engine).fit(replace(plain, previous=tmp_path))
    assert engine.previous == [None, None, tmp_path, tmp_path]
    assert len(engine.training_sets[3].control.labels) == 4, (
        "what the network knows keeps its order"
    )
