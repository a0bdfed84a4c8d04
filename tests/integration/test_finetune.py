import numpy as np
import pytest
from PIL import Image

from backend.domain.errors import Stopped
from backend.domain.jobs import Algorithm
from backend.models.classification.family import ClassifierFamily
from backend.models.classification.finetune_config import ENCODER_FILE, FinetuneConfig
from backend.models.embedding.backbones import Backbone
from tests.fakes import training_sets
from tests.fakes.training_sets import LABELS, choices, silent, training_set

TRUTH = np.arange(32) % 2
TUNING = FinetuneConfig(Backbone("efficientnet_lite0"), "cpu", 1.0, fewest=16, epochs=2)


@pytest.fixture
def stripes(tmp_path):
    """Noise with stripes across or down, by task: what the made-up features do not know."""
    rng = np.random.default_rng(0)
    for task in range(len(TRUTH)):
        pixels = rng.integers(0, 120, (64, 64, 3), dtype=np.uint8)
        pixels = pixels if TRUTH[task] else pixels.transpose(1, 0, 2).copy()
        pixels[::8] += 120
        upright = pixels if TRUTH[task] else pixels.transpose(1, 0, 2)
        Image.fromarray(upright).save(tmp_path / f"{task}.png")
    return lambda ref: tmp_path / f"{ref.task}.png"


def blind():
    """Features of two joined encoders that say nothing of the label; the first is the tuned one."""
    return np.random.default_rng(1).normal(size=(len(TRUTH), 2 * 1280))


def precise(fetch, **more):
    told = {"algorithm": Algorithm.PRECISE, "fetch": fetch, **more}
    return training_set(blind(), choices(TRUTH), **told)


def test_a_tuned_backbone_is_kept_where_the_frozen_one_fails(stripes, tmp_path):
    model = ClassifierFamily(TUNING).fit(precise(stripes))

    entry = model.notes["tried"][-1]
    assert entry["kept"], entry
    assert entry["log_loss"] < entry["frozen_on_the_same"]
    folder = tmp_path / "version"
    folder.mkdir()
    model.save(folder)
    loaded = ClassifierFamily(TUNING).load(folder, training_sets.control())
    images = precise(stripes).train.take(range(8))
    before, after = (each.predict(images, stripes, silent) for each in (model, loaded))
    assert before.answers == after.answers
    assert np.allclose(before.probabilities, after.probabilities, atol=1e-4)
    predicted = [LABELS.index(answer.labels[0]) for answer in before.answers]
    assert np.mean(predicted == TRUTH[:8]) > 0.7


def test_with_few_labels_the_backbone_stays_as_it_is(stripes, tmp_path):
    tuning = FinetuneConfig(Backbone("efficientnet_lite0"), "cpu", 1.0)

    model = ClassifierFamily(tuning).fit(precise(stripes))

    assert model.notes["tried"][-1]["reason"] == "32 labeled images, needs 200"
    model.save(tmp_path)
    assert not (tmp_path / ENCODER_FILE).exists()


def test_on_a_cpu_it_is_not_begun_when_the_time_would_not_do(stripes):
    model = ClassifierFamily(TUNING).fit(precise(stripes, max_minutes=0.01))

    assert "minutes on this CPU" in model.notes["tried"][-1]["reason"]


def test_a_stop_ends_the_fine_tuning(stripes):
    def stop(step, done, of, detail=""):
        if detail == "fine-tune":
            raise Stopped

    with pytest.raises(Stopped):
        ClassifierFamily(TUNING).fit(precise(stripes, progress=stop))
