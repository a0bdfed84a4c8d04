import sys

import pytest

from connectors.errors import Rejected
from connectors.label_studio.validation import Validator

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="cell"/></RectangleLabels></View>"""


def prediction(score=0.5, **value):
    box = {"x": 1, "y": 1, "width": 2, "height": 2, "rectanglelabels": ["cell"], **value}
    region = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": box}
    return {"task": 1, "model_version": "al-0001-aaaa", "score": score, "result": [region]}


def test_a_good_prediction_has_no_reason():
    assert Validator(CONFIG).reason(prediction()) == ""


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (prediction(score=1.5), "1.5"),
        (prediction(x=101), "101"),
        (prediction(rectanglelabels=["whale"]), "whale"),
        ({"task": 1, "result": [{"from_name": "nobody"}]}, "Missing required field"),
        ({"task": 1, "result": "no list"}, "list"),
        ({"task": 1}, "result"),
    ],
)
def test_a_bad_prediction_says_what_is_wrong(bad, word):
    assert word in Validator(CONFIG).reason(bad)


@pytest.mark.parametrize("config", ["", "<View>", "no xml"])
def test_a_config_that_cannot_be_read_is_rejected(config):
    with pytest.raises(Rejected, match="labeling config"):
        Validator(config)


def test_without_the_sdk_the_reason_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "label_studio_sdk", None)
    monkeypatch.setitem(sys.modules, "label_studio_sdk._legacy.exceptions", None)
    assert "label-studio-autolabel[sdk]" in Validator(CONFIG).reason(prediction())
