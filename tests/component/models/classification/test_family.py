import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from backend.domain.answers import Choices
from backend.domain.errors import BadInput, Stopped
from backend.domain.ids import Label
from backend.domain.schema import TaskKind
from backend.models.classification.family import ClassifierFamily
from backend.models.classification.finetune_config import FinetuneConfig
from backend.models.embedding.backbones import Backbone
from tests.fakes import training_sets
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.training_sets import (
    LABELS,
    choices,
    clusters,
    fetch,
    image_batch,
    silent,
    training_set,
)

TRUTH = np.arange(80) % 4
FRESH = np.arange(200) % 4


def fit(*args, **more):
    return ClassifierFamily().fit(training_set(*args, **more))


def predict(model, features):
    return model.predict(image_batch(features), fetch, silent)


def labels_of(predictions):
    return [LABELS.index(answer.labels[0]) for answer in predictions.answers]


def test_it_learns_labels_from_a_few_images_of_each():
    model = fit(clusters(TRUTH), choices(TRUTH))

    predictions = predict(model, clusters(FRESH, seed=1))

    assert np.mean(np.array(labels_of(predictions)) == FRESH) > 0.9


def test_every_picture_gets_its_row_in_the_order_asked_for():
    model = fit(clusters(TRUTH), choices(TRUTH))
    features = clusters(FRESH, seed=1)

    forwards, backwards = predict(model, features), predict(model, features[::-1])

    assert forwards.probabilities.shape == (200, 4)
    assert np.allclose(forwards.probabilities, backwards.probabilities[::-1], atol=1e-5)
    assert forwards.answers == backwards.answers[::-1]


def test_no_images_get_no_predictions():
    predictions = predict(fit(clusters(TRUTH), choices(TRUTH)), clusters([]))

    assert predictions.answers == ()
    assert predictions.probabilities.shape == (0, 4)


def test_confidence_is_calibrated_on_images_it_has_not_seen():
    noisy = np.arange(400) % 4
    model = fit(clusters(noisy, noise=0.9), choices(noisy))
    fresh = np.arange(2000) % 4

    predictions = predict(model, clusters(fresh, noise=0.9, seed=1))

    right = np.array(labels_of(predictions)) == fresh
    assert 0.4 < right.mean() < 0.95
    assert abs(predictions.confidence.mean() - right.mean()) < 0.05


def test_a_label_that_nobody_used_gets_probability_zero():
    truth = np.arange(60) % 3

    predictions = predict(fit(clusters(truth), choices(truth)), clusters(FRESH, seed=1))

    assert (predictions.probabilities[:, 3] == 0).all()
    assert all(LABELS[3] not in answer.labels for answer in predictions.answers)


def test_a_label_with_one_image_is_learned_beside_the_others():
    truth = np.array([0] * 10 + [1] * 10 + [2])

    predictions = predict(fit(clusters(truth), choices(truth)), clusters([2] * 20, seed=1))

    assert np.mean(np.array(labels_of(predictions)) == 2) > 0.5


@pytest.mark.parametrize("truth", [[0], [0, 0, 0], [0, 1], [0, 1, 2, 3]])
def test_the_smallest_training_sets_give_a_model_that_can_be_saved(truth, tmp_path):
    model = fit(clusters(truth), choices(truth))
    model.save(tmp_path)

    predictions = predict(
        ClassifierFamily().load(tmp_path, training_sets.control()), clusters(truth)
    )

    assert labels_of(predictions) == truth
    assert ((predictions.confidence >= 0) & (predictions.confidence <= 1)).all()


def test_a_training_set_without_any_label_is_refused():
    with pytest.raises(BadInput, match="nobody used a label of 'animal'"):
        fit(clusters([0, 1]), [Choices(()), Choices((Label("a label of yesterday"),))])


def test_figures_come_from_held_out_images_where_there_are_enough():
    held_out = (clusters(FRESH, seed=1), choices(FRESH))

    model = fit(clusters(TRUTH), choices(TRUTH), held_out=held_out)

    right = np.array(labels_of(predict(model, held_out[0]))) == FRESH
    assert model.notes["metrics_from"] == "held-out"
    assert model.metrics["images"] == 200
    assert model.metrics["accuracy"] == pytest.approx(right.mean())
    assert {"accuracy", "macro_f1", "ece", "brier", "log_loss"} <= set(model.metrics)


def test_figures_come_from_out_of_fold_predictions_otherwise_and_say_so():
    model = fit(clusters(TRUTH), choices(TRUTH), held_out=(clusters([0]), choices([0])))

    assert model.notes["metrics_from"] == "out-of-fold"
    assert model.metrics["images"] == 80


def test_out_of_fold_predictions_do_not_depend_on_an_image_s_own_label():
    # Two images swap labels: predictions that had seen the labels would repeat the mistake.
    wrong = TRUTH.copy()
    wrong[[0, 1]] = TRUTH[[1, 0]]

    model = fit(clusters(TRUTH, noise=0.1), choices(wrong))

    assert labels_of(model.out_of_fold)[:2] == [0, 1]
    assert len(model.out_of_fold.answers) == 80


def test_a_saved_model_says_the_same_after_loading(tmp_path):
    model = fit(clusters(TRUTH), choices(TRUTH))
    features = clusters(FRESH, seed=1)

    model.save(tmp_path)
    loaded = ClassifierFamily().load(tmp_path, training_sets.control())

    before, after = predict(model, features), predict(loaded, features)
    assert before.answers == after.answers
    assert np.allclose(before.probabilities, after.probabilities, atol=1e-5)
    assert np.allclose(before.confidence, after.confidence, atol=1e-5)
    assert loaded.metrics == model.metrics
    json.dumps(loaded.notes, allow_nan=False)


def test_labels_that_left_the_config_leave_the_answers(tmp_path):
    fit(clusters(TRUTH), choices(TRUTH)).save(tmp_path)
    turned = training_sets.control(labels=(LABELS[2], Label("new"), LABELS[0]))

    predictions = predict(ClassifierFamily().load(tmp_path, turned), clusters(FRESH, seed=1))

    assert {answer.labels[0] for answer in predictions.answers} == {LABELS[0], LABELS[2]}
    assert (predictions.probabilities[:, 1] == 0).all()
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(200), abs=1e-5)


def test_a_model_that_shares_no_label_with_the_config_does_not_load(tmp_path):
    fit(clusters(TRUTH), choices(TRUTH)).save(tmp_path)

    with pytest.raises(BadInput, match="knows no label"):
        ClassifierFamily().load(tmp_path, training_sets.control(labels=(Label("new"),)))


def test_a_model_that_learned_through_another_backbone_does_not_load(tmp_path):
    names = "timm:vit_small_patch14_dinov2", "timm:vit_base_patch14_dinov2"
    one, other = (ClassifierFamily(FinetuneConfig(Backbone(name), "cpu", 1.0)) for name in names)
    one.fit(training_set(clusters(TRUTH), choices(TRUTH))).save(tmp_path)

    assert one.load(tmp_path, training_sets.control()).head.labels == LABELS
    with pytest.raises(BadInput, match="AUTOLABEL_BACKBONE"):
        other.load(tmp_path, training_sets.control())


def test_a_version_answers_images_that_another_encoder_has_embedded(tmp_path):
    class Embeds(FakeFeatureExtractor):
        """Embeds by the encoder that was asked for, in 24 numbers an image."""

        def extract(self, refs, progress, backbone=""):
            self.extracted.append(backbone)
            return replace(image_batch(clusters(FRESH, seed=1)), backbone=backbone), ()

    extractor = Embeds()
    learned = training_set(clusters(TRUTH), choices(TRUTH))
    learned = replace(learned, train=replace(learned.train, backbone="lite"))
    family = ClassifierFamily(extractor=lambda: extractor)
    family.fit(learned).save(tmp_path)
    other = replace(image_batch(clusters(FRESH, width=60)), backbone="strong")

    model = family.load(tmp_path, training_sets.control())

    expected = model.predict(image_batch(clusters(FRESH, seed=1)), fetch, silent)
    assert model.notes["encoder"] == "lite"
    assert 0 < model.notes["log_loss"] < 1.5
    assert model.predict(other, fetch, silent).answers == expected.answers
    assert extractor.extracted == ["lite"]


def test_a_head_from_before_encoders_were_named_has_the_default_one(tmp_path):
    tuning = FinetuneConfig(Backbone("timm:vit_small_patch14_dinov2"), "cpu", 1.0)
    family = ClassifierFamily(tuning)
    family.fit(training_set(clusters(TRUTH), choices(TRUTH))).save(tmp_path)

    model = family.load(tmp_path, training_sets.control())

    assert model.source.backbone == "timm:vit_small_patch14_dinov2"


def test_the_same_seed_learns_the_same_model():
    one, other = (fit(clusters(TRUTH), choices(TRUTH), seed=7) for _ in range(2))

    assert (one.head.linear.weights == other.head.linear.weights).all()


def test_a_stop_ends_the_training():
    def stop(step, done, of, detail=""):
        raise Stopped

    with pytest.raises(Stopped):
        fit(clusters(TRUTH), choices(TRUTH), progress=stop)


# --- several labels an image


def targets(images, seed=0):
    return np.random.default_rng(seed).random((images, 4)) < 0.35


def mixed(targets, seed=0):
    """Feature vectors of images that show several things at once."""
    centres = clusters(range(4), noise=0)
    noise = np.random.default_rng(seed).normal(size=(len(targets), centres.shape[1]))
    return targets @ centres + 0.8 * noise + 1


def fit_several(images=200, **more):
    truth = targets(images)
    return fit(mixed(truth), training_sets.several(truth), kind=TaskKind.MULTI, **more)


def test_several_labels_are_learned_each_for_itself():
    model, fresh = fit_several(), targets(300, seed=1)

    predictions = predict(model, mixed(fresh, seed=1))

    found = np.array(
        [[label in answer.labels for label in LABELS] for answer in predictions.answers]
    )
    assert np.mean(found == fresh) > 0.9


def test_an_image_with_no_label_at_all_is_answered_so():
    predictions = predict(fit_several(), mixed(np.zeros((50, 4)), seed=1))

    assert sum(answer == Choices(()) for answer in predictions.answers) > 25


def test_confidence_in_several_labels_is_that_in_the_whole_answer():
    model, fresh = fit_several(400), targets(1000, seed=1)

    predictions = predict(model, mixed(fresh, seed=1))

    found = np.array(
        [[label in answer.labels for label in LABELS] for answer in predictions.answers]
    )
    right = (found == fresh).all(axis=1)
    assert abs(predictions.confidence.mean() - right.mean()) < 0.06


def test_a_model_of_several_labels_says_the_same_after_loading(tmp_path):
    model, features = fit_several(), mixed(targets(40, seed=1), seed=1)

    model.save(tmp_path)
    loaded = ClassifierFamily().load(tmp_path, training_sets.control(TaskKind.MULTI))

    assert predict(loaded, features).answers == predict(model, features).answers
    assert np.allclose(predict(loaded, features).confidence, predict(model, features).confidence)


def test_prediction_imports_neither_torch_nor_scipy(tmp_path):
    fit(clusters(TRUTH), choices(TRUTH)).save(tmp_path)
    script = (
        "import sys; from tests.fakes.training_sets import *; from pathlib import Path;"
        "from backend.models.classification.family import ClassifierFamily;"
        "model = ClassifierFamily().load(Path(sys.argv[1]), control());"
        "model.predict(image_batch(clusters([0, 1])), fetch, silent);"
        "print(sorted({'torch', 'scipy', 'onnxruntime'} & set(sys.modules)))"
    )

    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "[]"
