import pytest

from backend.domain.errors import UnsupportedConfig
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config

CHOICES = """<View><Image name="img" value="$photo"/>
<Choices name="c" toName="img"><Choice value="cat" alias="k"/><Choice value="dog"/></Choices>
</View>"""
BOXES = """<View><Image name="img" value="$image"/><RectangleLabels name="r" toName="img">
<Label value="Car" predicted_values="car, truck"/><Label value="Person"/>
</RectangleLabels></View>"""


def test_choices_are_read_with_the_alias_that_label_studio_stores():
    read = labeling_config.parse(CHOICES)
    assert read.data_key == "photo"
    assert [(c.name, c.image, c.kind, c.labels) for c in read.controls] == [
        ("c", "img", TaskKind.SINGLE, ("k", "dog"))
    ]


def test_multiple_choice_is_its_own_kind():
    read = labeling_config.parse(CHOICES.replace("<Choices ", '<Choices choice="multiple" '))
    assert read.controls[0].kind is TaskKind.MULTI


def test_rectangles_carry_the_names_that_a_pretrained_model_uses():
    read = labeling_config.parse(BOXES)
    assert read.controls[0].kind is TaskKind.DETECTION
    assert read.controls[0].outside_names == {"car": "Car", "truck": "Car"}


def test_an_unsupported_control_is_named_in_a_warning():
    polygon = '<PolygonLabels name="p" toName="img"><Label value="x"/></PolygonLabels></View>'
    read = labeling_config.parse(BOXES.replace("</View>", polygon))
    assert [control.name for control in read.controls] == ["r"]
    assert read.warnings == ("<PolygonLabels name='p'> is ignored: this control cannot be learned",)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", "not readable XML"),
        ("<View>", "not readable XML"),
        ("<View/>", "no <Image> tag"),
        ('<View><Text name="t" value="$text"/></View>', "no <Image> tag"),
        ('<View><Image name="i" value="$image"/></View>', "a config without controls"),
        (
            '<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i"/></View>',
            "<BrushLabels>",
        ),
        (
            CHOICES.replace('value="$photo"', 'value="photo"'),
            "names no task data",
        ),
        (
            '<!DOCTYPE a [<!ENTITY x "y">]><View><Image name="i" value="$i"/>&x;</View>',
            "not readable XML",
        ),
    ],
)
def test_an_unsupported_config_is_refused_in_words(config: str, words: str):
    with pytest.raises(UnsupportedConfig, match=r"Use <Image>|Give it") as refusal:
        labeling_config.parse(config)
    assert words in refusal.value.message


def test_choices_on_each_region_are_left_alone():
    config = BOXES.replace(
        "</View>",
        '<Choices name="c" toName="img" perRegion="true"><Choice value="a"/></Choices></View>',
    )
    assert [control.name for control in labeling_config.parse(config).controls] == ["r"]
