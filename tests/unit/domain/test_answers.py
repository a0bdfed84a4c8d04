import pytest

from backend.domain.answers import Choices, ImageRef, Prediction
from backend.domain.ids import ControlName, Label, TaskId, VersionName


def prediction(score):
    answers = {ControlName("pets"): Choices((Label("cat"),))}
    image = ImageRef(TaskId(7), "/7.png")
    return Prediction(image, answers, score, VersionName("al-0001-abcd"))


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan")])
def test_a_score_that_is_no_probability_is_refused_by_the_task(score):
    with pytest.raises(ValueError, match="task 7"):
        prediction(score)


def test_any_probability_is_a_score():
    assert [prediction(score).score for score in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
