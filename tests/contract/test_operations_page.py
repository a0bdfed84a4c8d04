"""The page for operators names what there is: each metric, and settings that exist."""

import re
from pathlib import Path

from backend.settings import variables

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
SUFFIXES = re.compile(r"_(total|created|bucket|sum|count)$")


def test_each_metric_is_explained_and_each_explained_metric_exists(client):
    client.get("/health")
    text = client.get("/metrics").get_data(as_text=True)
    families = re.findall(r"^# TYPE (autolabel_\w+) ", text, re.MULTILINE)
    explained = re.findall(r"^\| `(autolabel_\w+)` \|", PAGE, re.MULTILINE)
    assert {SUFFIXES.sub("", name) for name in families} == set(explained)


def test_each_setting_that_limits_something_exists():
    named = set(re.findall(r"AUTOLABEL_[A-Z_]+", PAGE))
    assert named
    assert named <= set(variables())
