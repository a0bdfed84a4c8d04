"""Every job uses the encoder of the model version that it works with."""

import pytest

from backend.domain.ids import ProjectId
from backend.domain.jobs import Algorithm
from tests.fakes.domain import CHOICES
from tests.fakes.world import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    """The project has a version of the encoder "strong", while new trainings use "fake"."""
    world = World(tmp_path)
    world.extractor.precise = "strong"
    world.run(algorithm=Algorithm.PRECISE)
    world.extractor.extracted.clear()
    return world


def current(world):
    version = world.versions.current(PROJECT)
    assert version
    return version


def test_a_card_and_a_report_name_the_encoder_that_the_version_was_trained_on(world):
    assert current(world).backbone == "strong"

    assert world.run()["backbone"] == "fake"
    assert {one.backbone for one in world.versions.all(PROJECT)} == {"fake", "strong"}


def test_pre_labeling_embeds_by_the_encoder_of_its_version(world):
    report = world.pre_label(str(current(world).name))

    assert world.extractor.extracted == ["strong"]
    assert report["backbone"] == "strong"


def test_predict_embeds_by_the_encoder_of_the_current_version(world):
    world.stored.prune(PROJECT, keep=())
    task = {"id": 900, "data": {"image": "/data/upload/900.png"}}

    assert world.use_cases().predict(PROJECT, CHOICES, [task])[0]

    assert world.extractor.extracted == ["strong"]


def test_suggestions_embed_by_the_encoder_of_the_current_version(world):
    report = world.report(world.suggestions, world.job(count=5))

    assert world.extractor.extracted == ["strong"]
    assert report["backbone"] == "strong"


def test_suggestions_without_a_version_embed_by_the_default_encoder(tmp_path):
    world = World(tmp_path)

    report = world.report(world.suggestions, world.job(count=5))

    assert world.extractor.extracted == ["fake"]
    assert report["backbone"] == "fake"
