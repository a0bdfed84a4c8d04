import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection.comparison import BoxComparison, compare
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.thresholds import DEFAULT, NO_PRIOR, count_prior

CAT, DOG = Label("cat"), Label("dog")
HERE, THERE = Box(0.1, 0.1, 0.3, 0.3), Box(0.6, 0.6, 0.9, 0.9)


def image(*boxes: tuple[Box, Label, float]) -> Regions:
    ranked = sorted(boxes, key=lambda box: -box[2])
    return Regions(tuple(Region(box, label, score) for box, label, score in ranked))


def truth(*boxes: tuple[Box, Label]) -> Regions:
    return Regions(tuple(Region(box, label) for box, label in boxes))


def fit(seen, truths, labels, prior=NO_PRIOR) -> BoxConfidence:
    return BoxConfidence.fit(compare(seen, truths), labels, prior)


def hits(seen: Regions, truth: Regions) -> list[bool]:
    return BoxComparison.of(seen, truth).true_positives()[0].tolist()


def test_a_true_box_is_hit_once_and_only_with_its_label():
    candidates = image((HERE, CAT, 0.9), (HERE, CAT, 0.8), (THERE, DOG, 0.7))
    assert hits(candidates, truth((HERE, CAT), (THERE, CAT))) == [True, False, False]


def test_nothing_is_hit_where_nothing_is_true():
    assert hits(image((HERE, CAT, 0.9)), Regions(())) == [False]
    assert hits(Regions(()), truth((HERE, CAT))) == []


def test_the_threshold_leaves_the_least_work():
    # given a detector whose boxes are right from 0.6 on and wrong below
    seen = [image((HERE, CAT, 0.65), (THERE, CAT, 0.55))] * 20
    # when
    fitted = fit(seen, [truth((HERE, CAT))] * 20, (CAT,))
    # then
    assert 0.55 < fitted.thresholds[CAT] <= 0.65
    assert fitted.show(seen[0]) == image((HERE, CAT, 0.65))


def test_each_label_has_its_own_threshold():
    seen = [image((HERE, CAT, 0.3), (THERE, DOG, 0.6))] * 40
    fitted = fit(seen, [truth((HERE, CAT))] * 40, (CAT, DOG))
    assert fitted.thresholds[CAT] <= 0.3
    assert fitted.thresholds[DOG] > 0.6


def test_a_label_with_few_boxes_follows_the_others():
    cats = [image((HERE, CAT, 0.4))] * 40
    seen = [*cats, image((THERE, DOG, 0.39))]
    truths = [*[Regions(())] * 40, truth((THERE, DOG))]
    assert fit(seen, truths, (CAT, DOG)).thresholds[CAT] > 0.4


def test_without_held_out_images_threshold_and_confidence_are_cautious_defaults():
    fitted = fit([], [], (CAT,))
    assert fitted.thresholds == {CAT: pytest.approx(DEFAULT)}
    sure = fitted.confidence([image((HERE, CAT, 0.999)), Regions(())])
    assert (sure <= 0.5).all()


def test_the_confidence_in_an_empty_answer_depends_on_how_rare_misses_are():
    blind = fit([Regions(())] * 30, [truth((HERE, CAT))] * 30, (CAT,))
    sighted = fit([Regions(())] * 30, [Regions(())] * 30, (CAT,))
    assert blind.confidence([Regions(())])[0] < 0.1
    assert sighted.confidence([Regions(())])[0] > 0.9


def test_confidence_is_higher_for_certain_answers_than_for_uncertain_ones():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.3, 1.0, 400)
    right = rng.random(400) < scores
    seen = [image((HERE, CAT, float(score))) for score in scores]
    truths = [truth((HERE, CAT)) if hit else Regions(()) for hit in right]
    fitted = fit(seen, truths, (CAT,))
    sure, doubtful = fitted.confidence([image((HERE, CAT, 0.98)), image((HERE, CAT, 0.5))])
    assert sure > 0.8
    assert doubtful < 0.7


@given(st.lists(st.floats(0.05, 1.0), max_size=30))
def test_confidence_is_a_probability(scores: list[float]):
    fitted = fit([image((HERE, CAT, 0.9))], [truth((HERE, CAT))], (CAT,))
    answer = fitted.confidence([image(*((HERE, CAT, score) for score in scores))])
    assert 0 <= answer[0] <= 1


def crowded(boxes: int) -> Regions:
    """As a network trained too briefly shows one cat: many boxes, only the best of them right."""
    return image(*((HERE, CAT, 0.9 - 0.5 * at / boxes) for at in range(boxes)))


def test_without_held_out_images_as_many_boxes_are_shown_as_people_draw():
    seen, drawn = [crowded(20)] * 10, [truth((HERE, CAT))] * 8
    fitted = fit([], [], (CAT,), count_prior(seen, drawn, (CAT,)))
    assert len(fitted.show(crowded(20)).regions) == 1


def test_many_held_out_images_outweigh_what_is_expected():
    seen = [image((HERE, CAT, 0.8), (THERE, CAT, 0.7))] * 30
    truths = [truth((HERE, CAT), (THERE, CAT))] * 30
    prior = count_prior(seen, [truth((HERE, CAT))] * 8, (CAT,))
    few, many = (fit(seen[:n], truths[:n], (CAT,), prior) for n in (1, 30))
    assert len(few.show(seen[0]).regions) == 1
    assert len(many.show(seen[0]).regions) == 2


def test_nothing_is_expected_where_no_image_waits_or_nobody_drew():
    assert count_prior([], [truth((HERE, CAT))], (CAT,)) == {}
    assert count_prior([crowded(3)], [], (CAT,)) == {}
