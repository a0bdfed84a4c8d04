from backend.domain.ids import ControlName
from backend.domain.metrics import headline, metrics_from_json, metrics_to_json

PETS, MOOD = ControlName("pets"), ControlName("mood.today")


def test_the_headline_of_boxes_is_map50_and_that_of_labels_accuracy():
    assert headline({"accuracy": 0.4, "map50": 0.8}) == "map50"
    assert headline({"accuracy": 0.4}) == "accuracy"
    assert headline({"log_loss": 0.4}) is None


def test_metrics_of_one_control_are_flat_and_come_back_under_its_name():
    written = metrics_to_json({PETS: {"accuracy": 0.9}})
    assert written == {"accuracy": 0.9}
    assert metrics_from_json(written, [PETS]) == {PETS: {"accuracy": 0.9}}
    assert metrics_from_json(written) == {"": {"accuracy": 0.9}}


def test_metrics_of_several_controls_are_nested_and_come_back_as_they_were():
    metrics = {PETS: {"accuracy": 0.9}, MOOD: {"accuracy": 0.5, "ece": 0.1}}
    assert metrics_from_json(metrics_to_json(metrics), [PETS, MOOD]) == metrics


def test_metrics_of_older_cards_are_taken_apart_by_their_prefix():
    written = {"pets.accuracy": 0.9, "mood.today.ece": 0.1}
    assert metrics_from_json(written, [PETS, MOOD]) == {PETS: {"accuracy": 0.9}, MOOD: {"ece": 0.1}}
