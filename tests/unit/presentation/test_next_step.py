import pytest

from backend.presentation.next_step import NextPlace, next_step

AUDIT = "Label these 120 random images (tab 'Audit'); about 680 others will be accepted"


@pytest.mark.parametrize(
    ("report", "action", "place"),
    [
        ({"predicted": 40}, "Review them", NextPlace.REVIEW_PAGE),
        ({"predicted": 40, "verdict": AUDIT}, "Open the tab Audit", NextPlace.LABEL_STUDIO),
        ({"picks": [{}, {}]}, "Open the tab Label next", NextPlace.LABEL_STUDIO),
        (
            {"version": "al-0001-aaaa", "predicted": 0, "unlabeled": 0},
            "Export them",
            NextPlace.LABEL_STUDIO,
        ),
    ],
)
def test_a_report_asks_for_one_thing(report, action, place):
    step = next_step(report)
    assert (step.action, step.place) == (action, place)


def test_an_audit_that_ended_asks_for_nothing_more_than_to_confirm_the_rest():
    report = {"predicted": 40, "verdict": AUDIT, "certificate": {"error": 0.05}}
    assert next_step(report).action == "Review them"


@pytest.mark.parametrize(
    "report",
    [{}, {"predicted": "many"}, {"deleted": 3}, {"version": "al-0001-aaaa", "certificate": {}}],
)
def test_other_reports_ask_for_nothing(report):
    assert next_step(report) is None


def test_the_sentence_says_how_much_there_is_to_do():
    assert "1,200 predictions" in next_step({"predicted": 1200}).sentence
    assert "2 images" in next_step({"picks": [{}, {}]}).sentence
