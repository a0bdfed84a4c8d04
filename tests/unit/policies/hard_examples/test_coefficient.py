from dataclasses import replace

import numpy as np
import pytest

from backend.domain.answers import Choices, HardExample, ImageRef, Region, Regions
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.policies.hard_examples.coefficient import (
    DEFAULT_WEIGHTING,
    MODELARTS_WEIGHTS,
    Weighting,
    coefficients,
    hard_examples,
    weigh,
)
from backend.policies.hard_examples.confidence import low_confidence
from backend.policies.hard_examples.consistency import changing_answers
from backend.policies.hard_examples.evidence import Evidence
from backend.policies.hard_examples.reasons import PHRASES
from backend.services.prediction.hard_examples import weighting
from backend.settings import Settings

CAT, DOG = Label("cat"), Label("dog")
PETS = Control(ControlName("pets"), "image", TaskKind.SINGLE, (CAT, DOG))
CELLS = Control(ControlName("cells"), "image", TaskKind.DETECTION, (CAT, DOG))
IMAGE_STATS = (640.0, 480.0, 0.5, 0.4, 30.0, 200.0)


def images(features, first_task=1, image_stats=None):
    features = np.asarray(features, dtype=np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    refs = tuple(ImageRef(TaskId(first_task + i), "") for i in range(len(features)))
    wobble = np.random.default_rng(0).uniform(0.95, 1.05, (len(features), len(IMAGE_STATS)))
    return ImageBatch(refs, features.astype(np.float16), image_stats or IMAGE_STATS * wobble)


def around(direction, count, seed):
    """Features near one direction of three."""
    noise = np.random.default_rng(seed).normal(0, 0.2, (count, 3))
    return np.eye(3)[direction] + noise


def choices(labels):
    return tuple(Choices((label,)) for label in labels)


def predictions(labels, top):
    """Answers with the probability of the first label of the control."""
    top = np.asarray(top, dtype=float)
    table = np.stack([top, 1 - top], axis=1)
    return PredictionBatch(choices(labels), table.max(axis=1), table)


def evidence(labels=(CAT, CAT, DOG), top=(0.99, 0.99, 0.01), features=None, **more):
    """Three images far apart in task number from thirty labeled cats and thirty labeled dogs."""
    labeled = images(np.concatenate([around(0, 30, 1), around(1, 30, 2)]), 100)
    features = (
        np.eye(3)[[0, 0, 1]] + [[0, 0, 0], [0, 0.3, 0], [0, 0, 0]] if features is None else features
    )
    given = choices([CAT] * 30 + [DOG] * 30)
    return Evidence(PETS, images(features), predictions(labels, top), labeled, given, **more)


def reasons(found, weighting=None):
    """Of each image, its reasons by number, however weak."""
    examples = hard_examples(found, weighting or Weighting(threshold=0, max_share=1))
    return [dict(example.reasons) for example in examples]


def test_confident_answers_that_fit_are_not_hard():
    assert hard_examples(evidence()) == ()


def test_low_confidence_and_close_labels_are_described_with_their_numbers():
    found = reasons(evidence(top=(0.55, 0.99, 0.01)))[0]
    assert found[1] == "low confidence (0.55)"
    assert found[31] == "top two labels close (0.55, 0.45)"


def test_an_answer_unlike_that_of_its_neighbors_is_described_with_the_count():
    found = reasons(evidence(labels=(DOG, CAT, DOG), top=(0.01, 0.99, 0.01)))[0]
    assert found[2] == "answer differs from similar labeled images (5 of 5 say 'cat')"
    assert found[3] == "unlike the labeled 'dog' images"


def test_an_image_far_from_everything_is_an_anomaly():
    found = reasons(evidence(features=[[1, 0, 0], [0, 0, -1], [0, 1, 0]]))
    assert found[1][30] == "far from all labeled images"
    assert 30 not in found[0]


def test_near_identical_images_with_different_answers_name_each_other():
    twins = evidence(
        labels=(CAT, DOG, DOG), top=(0.9, 0.1, 0.1), features=[[0, 0, 1], [0, 0, 1.001], [0, 1, 0]]
    )
    found = reasons(twins)
    assert found[0][4] == "near-identical task 2 got 'dog'"
    assert found[1][4] == "near-identical task 1 got 'cat'"


def test_all_of_several_near_identical_images_are_asked():
    # given three that look the same, of which only one is answered differently
    burst = evidence(
        labels=(CAT, CAT, DOG), top=(0.9, 0.9, 0.1), features=[[0, 0, 1], [0, 0, 1], [0, 0.05, 1]]
    )
    found = reasons(burst)
    assert [said[4] for said in found[:2]] == ["near-identical task 3 got 'dog'"] * 2


def test_one_box_and_twenty_of_the_same_label_are_different_answers():
    few, many = crowd(0.9), crowd(*[0.9] * 20)
    twins = cells(few, many, few, few)
    features = np.eye(3)[[2, 2, 0, 0]] * [[1], [1], [1], [-1]]
    found = reasons(replace(twins, images=images(features)), Weighting({4: 0.4}, 0, 1, 0))
    assert found[0][4] == "near-identical task 2 got 20 boxes of 'cat'"
    assert found[1][4] == "near-identical task 1 got 1 box of 'cat'"


def test_an_answer_that_changes_when_the_picture_is_altered_says_how():
    flipped = predictions((DOG, CAT, DOG), (0.2, 0.99, 0.01))
    found = reasons(evidence(views={20: flipped}))
    assert found[0][20] == "answer changes when mirrored ('dog')"
    assert 20 not in found[1]


def test_boxes_that_move_when_the_picture_is_altered_weigh_by_how_many_do():
    # given two boxes of which one is found again, and two that are both found again
    one, two = (0.2, 0.2, 0.3, 0.3), (0.6, 0.6, 0.7, 0.7)
    plain = cells(boxed(one, two), boxed(one, two))
    view = replace(plain.predictions, answers=(boxed(one), boxed(one, two)))
    (finding,) = changing_answers(replace(plain, views={20: view}))
    assert finding.strength == pytest.approx([1 / 3, 0])


@pytest.mark.parametrize(
    ("column", "value", "number", "words"),
    [
        (0, 8.0, 5, "smaller image than the labeled images"),
        (0, 6400.0, 6, "wider image than the labeled images"),
        (2, 0.01, 7, "darker than the labeled images"),
        (3, 1.0, 8, "more saturated than the labeled images"),
        (4, 0.0, 9, "less colorful than the labeled images"),
        (5, 0.5, 10, "more blurred than the labeled images"),
    ],
)
def test_a_picture_unlike_the_labeled_ones_says_in_what(column, value, number, words):
    plain = evidence()
    image_stats = np.tile(np.array(IMAGE_STATS), (3, 1))
    image_stats[0, column] = value
    found = reasons(replace(plain, images=replace(plain.images, image_stats=image_stats)))
    assert found[0][number] == words
    assert number not in found[1]


def boxed(*boxes):
    return Regions(tuple(Region(Box(*box), CAT, 0.9) for box in boxes))


def crowd(*chances):
    return Regions(
        tuple(
            Region(Box(i / 20, 0.2, i / 20 + 0.04, 0.24), CAT, chance)
            for i, chance in enumerate(chances)
        )
    )


def cells(*answers):
    """Answers to images that look like thirty labeled ones, each with two middling boxes."""
    usual = boxed((0.2, 0.2, 0.3, 0.3), (0.6, 0.6, 0.7, 0.7))
    many = len(answers)
    return Evidence(
        CELLS,
        images(around(0, many, 5)),
        PredictionBatch(answers, np.full(many, 0.9), np.full((many, 2), 0.9)),
        images(around(0, 30, 1), 100),
        (usual,) * 30,
        crops=np.array([[0.5, 100.0]] * many),
        labeled_crops=np.array([[0.5, 100.0]] * 30),
    )


@pytest.mark.parametrize(
    ("boxes", "number", "words"),
    [
        ([], 0, "nothing found"),
        ([(i / 20, 0.2, i / 20 + 0.04, 0.24) for i in range(1, 19)], 11, "more boxes"),
        ([(0.1, 0.1, 0.9, 0.9), (0.1, 0.1, 0.12, 0.12)], 12, "boxes less alike in size"),
        ([(0.1, 0.1, 0.9, 0.2)], 13, "wider boxes"),
        ([(0.1, 0.1, 0.9, 0.9)], 14, "larger boxes"),
        ([(0.0, 0.1, 0.1, 0.2)], 15, "more boxes at the edge"),
        ([(0.1, 0.1, 0.2, 0.2), (0.1, 0.1, 0.19, 0.2)], 18, "boxes overlap more"),
    ],
)
def test_boxes_unlike_those_that_people_drew_say_in_what(boxes, number, words):
    usual = boxed((0.2, 0.2, 0.3, 0.3), (0.6, 0.6, 0.7, 0.7))
    found = reasons(cells(boxed(*boxes), usual))
    assert found[0][number].startswith(words)
    assert number not in found[1]


def test_many_boxes_are_unsure_by_their_own_chances_and_not_by_that_of_the_whole_image():
    # given images of many boxes, of which no model is sure as a whole
    many = cells(crowd(*[0.95] * 14), crowd(*[0.9] * 4, 0.4, 0.3), crowd(0.8, 0.6), Regions(()))
    many = replace(many, predictions=replace(many.predictions, confidence=np.full(4, 0.02)))
    found = reasons(many, Weighting(weights={1: 0.39}, threshold=0, max_share=1, min_strength=0))
    assert [said[1] for said in found] == [
        "low confidence (0.95)",
        "low confidence (0.72, 2 of 6 boxes below 0.5)",
        "low confidence (0.70)",
        "low confidence (0.02)",
    ]


def test_boxes_that_are_too_dark_or_too_blurred_are_described():
    found = cells(*[boxed((0.2, 0.2, 0.3, 0.3), (0.6, 0.6, 0.7, 0.7))] * 3)
    crops = np.array([[0.05, 100.0], [0.5, 5.0], [np.nan, np.nan]])
    said = reasons(replace(found, crops=crops))
    assert said[0][16] == "darker boxes than the labeled images"
    assert said[1][17] == "more blurred boxes than the labeled images"
    assert not {16, 17} & set(said[2])


def test_the_coefficient_is_the_product_of_what_is_left():
    # given an image whose only reasons are low confidence 0.6 and a close second of 0.4
    found = evidence(top=(0.6, 0.99, 0.01))
    only = Weighting(weights={1: 0.39, 31: 0.2})
    expected = 1 - (1 - 0.39 * 0.4) * (1 - 0.2 * (1 - 0.2 / 0.25))
    assert coefficients(weigh(found, only))[0] == pytest.approx(expected)


def test_only_images_over_the_threshold_are_hard_in_the_order_of_tasks():
    found = evidence(top=(0.51, 0.99, 0.49))
    assert [example.task for example in hard_examples(found)] == [1]
    every = hard_examples(found, Weighting(threshold=0.2, max_share=1))
    assert [example.task for example in every] == [1, 3]


def test_of_a_single_image_that_one_may_be_hard():
    alone = evidence(labels=(CAT,), top=(0.51,), features=np.eye(3)[:1])
    assert len(hard_examples(alone)) == 1


def test_settings_change_the_cut_and_single_weights():
    said = Settings(hard_threshold=0.4, hard_share=0.25, hard_weights={1: 0.9})
    assert weighting(said) == Weighting(
        {**MODELARTS_WEIGHTS, 1: 0.9}, threshold=0.4, max_share=0.25
    )
    assert weighting(Settings()) == DEFAULT_WEIGHTING


def test_every_coefficient_lies_between_0_and_1():
    found = coefficients(weigh(evidence(top=(0.5, 0.7, 0.5))))
    assert len(found) == 3
    assert np.all((found >= 0) & (found <= 1))


def test_every_reason_of_modelarts_has_a_weight():
    assert set(range(32)) == set(MODELARTS_WEIGHTS), "the numbers that settings may name"
    assert all(0 < weight < 1 for weight in DEFAULT_WEIGHTING.weights.values())


def test_every_reason_has_words_that_hold_for_any_image():
    assert set(PHRASES) == set(MODELARTS_WEIGHTS)
    assert len(set(PHRASES.values())) == len(PHRASES)


def test_no_images_and_no_labeled_images_are_no_error():
    none = evidence(labels=(), top=(), features=np.zeros((0, 3)))
    assert hard_examples(none) == ()
    bare = evidence()
    bare = replace(bare, labeled=bare.labeled.take([]), labeled_answers=())
    assert len(coefficients(weigh(bare))) == 3


def test_the_wording_is_that_of_the_interface():
    hard = HardExample(
        TaskId(1), 0.81, ((1, "low confidence (0.41)"), (31, "top two labels close (0.41, 0.38)"))
    )
    assert hard.text == ("hard 0.81: low confidence (0.41); top two labels close (0.41, 0.38)")


SEVERAL = Control(ControlName("pets"), "image", TaskKind.MULTI, (CAT, DOG))


def test_of_several_labels_one_that_is_a_toss_up_is_named():
    found = reasons(replace(evidence(top=(0.52, 0.99, 0.01)), control=SEVERAL))
    assert found[0][31] == "undecided about 'cat' (0.52)"
    assert 31 not in found[1]


def test_of_several_labels_one_that_the_neighbors_have_is_missed():
    several = replace(evidence(labels=(DOG, CAT, DOG), top=(0.9, 0.99, 0.01)), control=SEVERAL)
    assert reasons(several)[0][2] == (
        "answer differs from similar labeled images (5 of 5 say 'cat')"
    )
    without_cat = several.predictions.answers[1:]
    both = Choices((CAT, DOG))
    changed = replace(several.predictions, answers=(both, *without_cat))
    assert reasons(replace(several, predictions=changed))[0][2] == (
        "answer differs from similar labeled images (5 of 5 lack 'dog')"
    )


def test_without_crops_boxes_are_compared_by_their_places_alone():
    usual = boxed((0.2, 0.2, 0.3, 0.3), (0.6, 0.6, 0.7, 0.7))
    found = reasons(replace(cells(usual, boxed()), crops=None, labeled_crops=None))
    assert not {16, 17} & set(found[0])
    assert found[1][0] == "nothing found"


def test_without_boxes_the_confidence_in_the_empty_answer_counts():
    odd = cells(Choices((CAT,)), boxed((0.2, 0.2, 0.3, 0.3)))
    (reason,) = low_confidence(odd)
    assert reason.strength == pytest.approx([0.1, 0.1])
