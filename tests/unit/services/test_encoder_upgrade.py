"""When a training takes the stronger encoder that an idle worker has prepared."""

from dataclasses import dataclass, replace

import pytest

from backend.domain.errors import NoWeights
from backend.domain.ids import ProjectId, TaskId
from backend.domain.schema import TaskKind
from backend.settings import Settings
from tests.fakes.models import FakeFeatureExtractor, ParityFamily
from tests.fakes.world import World

PROJECT = ProjectId(1)
STRONG = "timm:strong"


@dataclass
class LossFamily(ParityFamily):
    """Its models have the log loss of the encoder that they were trained on."""

    losses: dict[str, float] | None = None

    def fit(self, training_set):
        model = super().fit(training_set)
        loss = (self.losses or {}).get(training_set.train.backbone)
        return replace(model, notes={} if loss is None else {"log_loss": loss})


class Upgrading(World):
    """A project whose settings name a stronger encoder."""

    def __init__(self, folder, strong: float | None, extractor=None) -> None:
        super().__init__(folder, extractor=extractor)
        losses = {"fake": 0.5} | ({} if strong is None else {STRONG: strong})
        self.family = LossFamily(losses=losses)
        self.families.update(dict.fromkeys(TaskKind, self.family))
        settings = Settings(data_dir=folder, augmented_images=0, upgrade_backbone=STRONG)
        cases = self.use_cases(settings=settings)
        self.active_learning = cases.jobs()[self.job().request.mode]

    @property
    def trained_on(self):
        return [one.train.backbone for one in self.family.training_sets]


def test_the_encoder_with_the_lower_log_loss_is_taken_and_the_report_says_so(tmp_path):
    world = Upgrading(tmp_path, strong=0.4)

    report = world.run()

    assert report["backbone"] == STRONG
    assert world.versions.current(PROJECT).backbone == STRONG
    assert report["remarks"] == [
        f"{STRONG} is the better encoder for this project and was taken: "
        "out-of-fold log loss 0.400 against 0.500",
        f"embedded by {STRONG}",
    ]
    assert len(world.label_studio.predictions) == 28


@pytest.mark.parametrize("strong", [0.5, 0.6])
def test_an_encoder_that_is_no_better_is_not_taken(tmp_path, strong):
    world = Upgrading(tmp_path, strong=strong)

    report = world.run()

    assert world.trained_on == ["fake", STRONG]
    assert report["backbone"] == "fake"
    assert f"{STRONG} is no better for this project than fake" in report["remarks"][0]


def test_nothing_is_compared_while_many_images_are_not_embedded_yet(tmp_path):
    world = Upgrading(tmp_path, strong=0.1)
    world.extractor.not_embedded = 33

    report = world.run()

    assert world.trained_on == ["fake"]
    assert report["backbone"] == "fake"
    assert f"{STRONG} has embedded 7 of 40 images" in report["remarks"][0]


def test_the_last_few_images_are_embedded_during_the_training(tmp_path):
    world = Upgrading(tmp_path, strong=0.1)
    world.extractor.not_embedded = 32

    assert world.run()["backbone"] == STRONG


def test_models_that_use_no_features_are_trained_once(tmp_path):
    world = Upgrading(tmp_path, strong=0.1)
    world.family.losses = {}

    assert world.run()["remarks"] == ["embedded by fake"]
    assert world.trained_on == ["fake"]


def test_a_model_without_a_log_loss_does_not_replace_one(tmp_path):
    report = Upgrading(tmp_path, strong=None).run()

    assert report["backbone"] == "fake"
    assert "it gave no log loss" in report["remarks"][0]


def test_missing_weights_of_the_stronger_encoder_do_not_fail_the_job(tmp_path):
    class Missing(FakeFeatureExtractor):
        def uncached(self, refs, backbone):
            raise NoWeights("the weights of timm:strong are not here", "Copy them")

    report = Upgrading(tmp_path, strong=0.1, extractor=Missing()).run()

    assert report["backbone"] == "fake"
    assert f"{STRONG} cannot be used: the weights of {STRONG}" in report["remarks"][0]


def test_an_image_that_went_away_puts_the_comparison_off(tmp_path):
    class LosesOne(FakeFeatureExtractor):
        def extract(self, refs, progress, backbone=""):
            self.bad = {TaskId(30): "404"} if backbone == STRONG else {}
            return super().extract(refs, progress, backbone)

    report = Upgrading(tmp_path, strong=0.1, extractor=LosesOne()).run()

    assert report["backbone"] == "fake"
    assert "1 images went away meanwhile" in report["remarks"][0]


def test_the_current_version_of_another_encoder_stays_comparable(tmp_path):
    world = Upgrading(tmp_path, strong=0.4)
    world.run()
    world.label([TaskId(task) for task in range(13, 20)])

    report = world.run()

    assert report["backbone"] == STRONG
    assert world.trained_on == ["fake", STRONG, "fake", STRONG]
