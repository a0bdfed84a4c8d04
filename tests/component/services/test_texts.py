"""Jobs on a project of texts: the use cases with real text models, over fakes."""

import json

import pytest

from backend.domain.errors import Refused
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm, Mode
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config
from backend.models.classification.family import ClassifierFamily
from backend.models.texts.tfidf import TENSORS, VOCABULARY
from backend.services.training.train import Trainer
from tests.fakes.domain import CHOICES
from tests.fakes.texts import TEXTS, TextLabelStudio, text_models
from tests.fakes.world import CHOICE, PROJECT, World

SCHEMA = labeling_config.parse(TEXTS)


@pytest.fixture
def world(tmp_path):
    return text_world(tmp_path)


def text_world(folder, images=60):
    """A world of texts; another one of the same folder stands for another process."""
    found = World(folder, images, extractor=text_models(folder), label_studio=TextLabelStudio)
    family = ClassifierFamily(extractor=lambda: found.extractor)
    found.families.update(dict.fromkeys((TaskKind.SINGLE, TaskKind.MULTI), family))
    return found


def right(world, version):
    """Share of the predicted tasks whose label is the true one."""
    predicted = {
        task: one.answers[CHOICE].labels
        for (task, name), one in world.label_studio.predictions.items()
        if name == version
    }
    hits = sum(labels == (world.truth(task),) for task, labels in predicted.items())
    return len(predicted), hits / len(predicted)


def test_a_job_learns_from_texts_and_predicts_the_others(world):
    report = world.run()
    count, share = right(world, report["version"])
    assert count == 48
    assert share > 0.9
    assert all(0 <= one.score <= 1 for one in world.label_studio.predictions.values())
    card = world.versions.get(PROJECT, report["version"])
    assert card.items is ItemKind.TEXT
    assert card.backbone.startswith("tfidf:")
    assert world.label_studio.walls


def test_the_encoder_is_stored_with_the_version_without_pickles(world):
    version = world.run()["version"]
    folder = world.versions.folder(PROJECT, version, CHOICE)
    names = {path.name for path in folder.iterdir()}
    assert {TENSORS, VOCABULARY} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    card = world.versions.get(PROJECT, version)
    assert json.loads((folder / VOCABULARY).read_text())["name"] == card.backbone


def test_another_process_predicts_new_tasks_by_the_version(world, tmp_path):
    version = world.run()["version"]
    other = text_world(tmp_path)
    cases = other.use_cases()
    tasks = [{"id": 900, "data": {"text": "it barks and wags its tail"}}]
    (found,) = cases.predict(PROJECT, TEXTS, tasks)
    assert found["model_version"] == version
    (part,) = found["result"]
    assert part["value"] == {"choices": ["dog"]}
    assert (part["from_name"], part["to_name"], part["type"]) == ("c", "t", "choices")
    assert cases.predict(PROJECT, TEXTS, [{"id": 901, "data": {}}]) == [[]]


def test_another_process_pre_labels_by_the_version(world, tmp_path):
    version = world.run()["version"]
    other = text_world(tmp_path)
    report = other.pre_label(version)
    count, share = right(other, version)
    assert count == 48
    assert share > 0.9
    assert report["predicted"] == 48


def test_a_task_without_a_text_is_named_and_left_out(world):
    world.label_studio.blank = frozenset({2, 50})
    report = world.run()
    reasons = {(one["task"], one["reason"]) for one in report["unreadable"]}
    assert reasons == {(2, "the task has no text"), (50, "the task has no text")}
    assert right(world, report["version"])[0] == 47


def test_equal_texts_give_the_same_encoder_and_new_ones_another(world, tmp_path):
    first = world.versions.get(PROJECT, world.run()["version"]).backbone
    again = text_world(tmp_path)
    assert again.versions.get(PROJECT, again.run()["version"]).backbone == first
    more = text_world(tmp_path, images=70)
    assert more.versions.get(PROJECT, more.run()["version"]).backbone != first


def test_the_next_round_compares_versions_of_different_encoders(world, tmp_path):
    world.run()
    more = text_world(tmp_path, images=80)
    more.label(range(13, 33))
    report = more.run()
    assert right(more, report["shown"])[0] == 48


def test_precise_tries_more_heads_and_no_fine_tuning(world):
    report = world.run(algorithm=Algorithm.PRECISE)
    tried = report["notes"]["c"]["tried"] if "notes" in report else ()
    assert not [one for one in tried if "fine-tuned" in one["name"]]
    assert right(world, report["version"])[1] > 0.9


def test_texts_are_grouped_and_suggested(world):
    groups = world.report(world.grouping, world.job(mode=Mode.GROUPING, groups=2))
    assert groups["reason"] == "48 texts in 2 groups"
    picks = world.report(world.suggestions, world.job(mode=Mode.SUGGESTING, count=5))
    assert picks["reason"] == "5 texts to label next"
    world.run()
    again = world.report(world.suggestions, world.job(mode=Mode.SUGGESTING, count=5))
    assert again["chosen_by"].startswith("al-")


def test_a_version_trained_on_images_does_not_label_texts(world):
    version = world.run()["version"]
    world.label_studio.label_config = CHOICES
    with pytest.raises(Refused, match="it was trained on texts, the project asks about images"):
        world.pre_label(version)


def test_a_damaged_encoder_is_named(world):
    version = world.run()["version"]
    card = world.versions.get(PROJECT, version)
    folder = world.versions.folder(PROJECT, version, CHOICE)
    (folder / VOCABULARY).chmod(0o600)
    folder.chmod(0o700)
    (folder / VOCABULARY).write_text("{}")
    fresh = text_world(world.folder)
    trainer = Trainer(fresh.families, None, fresh.extractor.fetch)
    with pytest.raises(Exception, match="missing or damaged"):
        trainer.load(SCHEMA, card, world.versions)


def test_messages_say_texts(world):
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    status = world.readiness().status(PROJECT)
    assert all("image" not in reason.text for reason in status.reasons)
    assert any("Label texts" in reason.hint for reason in status.reasons)
