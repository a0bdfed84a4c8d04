"""Our reading of labeling configs agrees with that of Label Studio's own SDK."""

import pytest

from backend.domain.answers import Choices, ImageRef, Prediction, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import TaskId, VersionName
from backend.domain.schema import TaskKind
from backend.label_studio import codec, labeling_config

pytest.importorskip("label_studio_sdk")

V1 = VersionName("al-0001-aaaa")

CONFIGS = {
    "single choice": """<View><Image name="img" value="$picture"/>
        <Choices name="kind" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>
        </View>""",
    "several choices, with aliases": """<View><Image name="image" value="$url"/>
        <Choices name="tags" toName="image" choice="multiple">
        <Choice value="A cat" alias="cat"/><Choice value="Ünïcode &amp; more"/></Choices></View>""",
    "nested choices": """<View><Image name="image" value="$image"/>
        <Choices name="kind" toName="image" allowNested="true"><Choice value="animal">
        <Choice value="cat"/></Choice><Choice value="plant"/></Choices></View>""",
    "rectangles": """<View><Header value="Cells"/><Image name="slide" value="$image" zoom="true"/>
        <RectangleLabels name="cell" toName="slide"><Label value="RBC" background="red"/>
        <Label value="WBC" hotkey="w"/></RectangleLabels></View>""",
    "two controls": """<View><Image name="image" value="$image"/>
        <View style="display: flex"><Choices name="scene" toName="image"><Choice value="day"/>
        <Choice value="night"/></Choices></View>
        <RectangleLabels name="box" toName="image"><Label value="car"/></RectangleLabels></View>""",
    "a control that we do not learn": """<View><Image name="image" value="$image"/>
        <Choices name="kind" toName="image"><Choice value="cat"/></Choices>
        <TextArea name="note" toName="image"/></View>""",
}
TAGS = {
    TaskKind.SINGLE: "Choices",
    TaskKind.MULTI: "Choices",
    TaskKind.DETECTION: "RectangleLabels",
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_names_tags_labels_and_the_data_key_are_those_of_the_sdk(config: str) -> None:
    from label_studio_sdk.label_interface.interface import LabelInterface

    ours, theirs = labeling_config.parse(config), LabelInterface(config)

    assert ours.controls
    for control in ours.controls:
        same = theirs.get_control(control.name)
        assert (same.tag, same.to_name) == (TAGS[control.kind], [control.image])
        (tag,) = control.own_tags
        assert {step for path in tag.stored.values() for step in path} == set(same.labels)
        assert theirs.get_object(control.image).value_name == ours.data_key
    left_out = {one.name for one in theirs.controls} - {one.name for one in ours.controls}
    assert len(left_out) == len(ours.warnings)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_sdk_accepts_every_label_in_our_predictions(config: str) -> None:
    from connectors.label_studio.validation import Validator

    schema, validator = labeling_config.parse(config), Validator(config)
    box = Box(0.1, 0.1, 0.2, 0.2)
    for control in schema.controls:
        for label in control.labels:
            answer = Regions((Region(box, label, 0.5),)) if control.is_drawn else Choices((label,))
            prediction = Prediction(ImageRef(TaskId(1), ""), {control.name: answer}, 0.5, V1)
            sent = {"task": 1, **codec.serialize(prediction, schema)}
            assert len(sent["result"]) == 1
            assert validator.reason(sent) == ""
