import pytest

from backend.domain.errors import BadInput
from backend.domain.jobs import Algorithm, JobRequest, Mode
from backend.jobs.requests import FIELDS, job_request


def test_an_empty_request_asks_for_fast_active_learning_without_accepting():
    assert job_request(3, {}) == JobRequest(3, Mode.ACTIVE_LEARNING, Algorithm.FAST)


@pytest.mark.parametrize(
    "request_",
    [
        JobRequest(3, Mode.PRE_LABELING, model_version="al-0001-aaaa", task_ids=(1, 2)),
        JobRequest(3, Mode.GROUPING, groups=7, count=9),
    ],
)
def test_every_field_of_a_request_can_be_given(request_):
    assert job_request(3, {name: getattr(request_, name) for name in FIELDS}) == request_


def test_a_chosen_version_may_not_be_certified_on_what_it_learned_from():
    wish = {"mode": "pre-labeling", "model_version": "al-0001-aaaa", "accept": True}
    assert job_request(3, wish).accept
    with pytest.raises(BadInput, match=r"may have been trained on.* Start an active-learning job"):
        job_request(3, {**wish, "labels_are_random": True})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mode": "magic"}, "mode"),
        ({"max_error": 0}, "max_error"),
        ({"confidence": "high"}, "confidence"),
        ({"task_ids": ["x"]}, "task_ids.0"),
        ({"accept": "yes"}, "accept"),
        ({"modle": "fast"}, "modle"),
        ({"groups": 1}, "groups"),
        ({"groups": 201}, "groups"),
        ({"count": 0}, "count"),
        ({"mode": "pre-labeling"}, "pre-labeling needs a model_version"),
    ],
)
def test_a_field_that_does_not_fit_is_named(body, field):
    with pytest.raises(BadInput, match=field):
        job_request(3, body)
