"""How good a model is, in words."""

import math

import pytest

from backend.presentation import metrics as quality


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("accuracy", 0.934, "93.4%"),
        ("ece", 0.0412, "0.0412"),
        ("images", 12.5, "12.5"),
        ("images", 1240.0, "1,240"),
        ("accuracy", None, "not measured"),
        ("map50", math.nan, "not measured"),
    ],
)
def test_a_share_is_formatted_in_percent_and_an_error_as_it_is(name, value, expected):
    assert quality.metric_value(value, name) == expected


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (
            {"c": {"accuracy": 0.93, "log_loss": 0.2, "ece": 0.04}},
            "Accuracy 93.0%, calibration error 0.04",
        ),
        ({"": {"accuracy": 0.0, "map50": 0.8}}, "mAP at IoU 0.5 80.0%"),
        (
            {"pets": {"accuracy": 0.9}, "mood": {"accuracy": 0.8}},
            "Accuracy of 'pets' 90.0%, accuracy of 'mood' 80.0%",
        ),
        ({"": {"accuracy": 0.9, "precision/St. Bernard": 0.5}}, "Accuracy 90.0%"),
        (
            {"the.kind": {"accuracy": 0.9, "ece": 0.1}, "parts": {"map50": 0.4}},
            "Accuracy of 'the.kind' 90.0%, calibration error of 'the.kind' 0.1, "
            "mAP at IoU 0.5 of 'parts' 40.0%",
        ),
        ({"": {"kappa": 0.7, "other": 0.1}}, "Kappa 70.0%"),
        ({"": {"accuracy": None}}, "Not measured: too few labels to hold some out"),
        ({"": {"map50": math.nan}}, "Not measured: too few labels to hold some out"),
    ],
)
def test_a_version_is_summed_up_by_its_main_figures(metrics, expected):
    assert quality.summary(metrics) == expected


def test_only_figures_that_were_measured_are_listed():
    assert quality.figures({"": {"macro_f1": 0.5, "log_loss": 0.25, "ece": None}}) == (
        "Macro F1 50.0%, log loss 0.25"
    )


def test_a_metric_of_a_label_names_it():
    assert quality.metric_name("precision/St. Bernard") == "Precision of 'St. Bernard'"
