import pytest

from backend.domain.errors import UnsupportedConfig
from backend.domain.items import ItemKind
from backend.domain.schema import ImageTag, ShowWhen, TaskKind
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
        ("<View/>", "no <Image> or <Text> tag"),
        ('<View><Audio name="t" value="$a"/></View>', "no <Image> or <Text> tag"),
        ('<View><Text name="t" value="$text"/></View>', "a config without controls"),
        (
            '<View><Text name="t" value="Hello"/>'
            '<Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
            "names no task data",
        ),
        (
            '<View><Text name="t" value="$text"/>'
            '<Labels name="l" toName="t"><Label value="Person"/></Labels></View>',
            "spans of text cannot be learned",
        ),
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


def texts(inside: str, data: str = '<Text name="txt" value="$text"/>'):
    return labeling_config.parse(f"<View>{data}{inside}</View>")


def test_choices_about_a_text_are_read_like_those_about_an_image():
    read = texts('<Choices name="c" toName="txt" choice="multiple"><Choice value="a"/></Choices>')
    (control,) = read.controls
    assert (control.image, control.kind, control.labels) == ("txt", TaskKind.MULTI, ("a",))
    assert (read.items, read.data_key) == (ItemKind.TEXT, "text")
    assert read.images == (ImageTag("txt", "$text", ItemKind.TEXT, is_address=False),)


def test_a_text_is_fetched_only_where_its_tag_says_that_the_value_is_an_address():
    inside = '<Choices name="c" toName="txt"><Choice value="a"/></Choices>'
    linked = texts(inside, '<HyperText name="txt" value="$page" valueType="url"/>')
    assert linked.images == (ImageTag("txt", "$page", ItemKind.HYPERTEXT, is_address=True),)
    assert linked.items is ItemKind.HYPERTEXT
    assert not texts(inside, '<Text name="txt" value="$t" valueType="text"/>').images[0].is_address


def test_of_images_and_texts_a_project_is_learned_of_its_images():
    data = '<Text name="txt" value="$text"/><Image name="img" value="$image"/>'
    about_text = '<Choices name="a" toName="txt"><Choice value="x"/></Choices>'
    read = texts(about_text + labels("Choices", "b", "x"), data)
    assert [control.name for control in read.controls] == ["b"]
    (warning,) = read.warnings
    assert "it is about <Text name='txt'>, and the other questions are about images" in warning
    polygons = labels("PolygonLabels", "p", "x")
    assert [one.name for one in texts(about_text + polygons, data).controls] == ["a"]


def test_choices_on_each_region_are_left_alone():
    config = BOXES.replace(
        "</View>",
        '<Choices name="c" toName="img" perRegion="true"><Choice value="a"/></Choices></View>',
    )
    assert [control.name for control in labeling_config.parse(config).controls] == ["r"]


def parsed(inside: str, image: str = '<Image name="img" value="$image"/>'):
    return labeling_config.parse(f"<View>{image}{inside}</View>")


def labels(tag: str, name: str, *values: str, **attributes: str) -> str:
    given = "".join(f' {key}="{value}"' for key, value in attributes.items())
    option = "Choice" if tag == "Choices" else "Label"
    inside = "".join(f'<{option} value="{value}"/>' for value in values)
    return f'<{tag} name="{name}" toName="img"{given}>{inside}</{tag}>'


def test_names_of_tags_and_attributes_count_in_any_case():
    read = labeling_config.parse(
        '<view><image NAME="img" VALUE="$image"/><choices Name="c" TONAME="img" Choice="multiple" '
        'REQUIRED="true"><choice Value="a"/><CHOICE ALIAS="b" value="B"/></choices></view>'
    )
    assert [(one.kind, one.labels, one.required) for one in read.controls] == [
        (TaskKind.MULTI, ("a", "b"), True)
    ]


def test_words_in_attributes_count_in_any_case():
    read = parsed(
        '<Choices name="c" toName="img" choice="Multiple"><Choice value="a"/><Choice value="b"/>'
        '</Choices><Choices name="d" toName="img" visibleWhen="Choice-Selected" whenTagName="c">'
        '<Choice value="x"/><Choice value="y"/></Choices>'
    )
    assert [one.kind for one in read.controls] == [TaskKind.MULTI, TaskKind.SINGLE]
    assert read.controls[1].shown_when


def test_the_text_of_an_option_is_its_value():
    read = parsed(
        '<Choices name="c" toName="img"><Choice>cat</Choice><Choice>dog</Choice></Choices>'
    )
    assert read.controls[0].labels == ("cat", "dog")


def test_only_the_innermost_of_nested_choices_can_be_chosen():
    inside = '<Choice value="animal"><Choice value="cat"/></Choice><Choice value="plant"/>'
    nested = parsed(f'<Choices name="c" toName="img" allowNested="true">{inside}</Choices>')
    assert nested.controls[0].labels == ("animal > cat", "plant")
    flat = parsed(f'<Choices name="c" toName="img">{inside}</Choices>')
    assert flat.controls[0].labels == ("animal", "plant")


def test_conditions_of_a_question_are_its_own_and_those_around_it():
    deciding = '<Choices name="type" toName="img"><Choice value="Road" alias="r"/></Choices>'
    below = labels(
        "Choices", "lanes", "1", "2", visibleWhen="choice-unselected", whenTagName="type"
    )
    around = '<View visibleWhen="choice-selected" whenTagName="type" whenChoiceValue="Road,x">'
    read = parsed(f"{deciding}{around}{below}</View>")
    assert read.control("lanes").shown_when == (
        ShowWhen("type", None, negated=True),
        ShowWhen("type", frozenset({"r"})),
    )


def test_a_choice_of_any_question_may_decide():
    read = parsed(
        labels("Choices", "a", "x", "y")
        + f'<View whenChoiceValue="y">{labels("Choices", "b", "1")}</View>'
        + labels("Choices", "c", "1", visibleWhen="no-region-selected")
    )
    assert read.control("b").shown_when == (ShowWhen(None, frozenset({"y"})),)
    assert read.control("c").shown_when == ()


def test_without_the_name_of_a_question_any_choice_shows_the_tag():
    read = parsed(
        labels("Choices", "a", "x", "y")
        + labels("Choices", "b", "1", visibleWhen="choice-selected", whenChoiceValue="y")
    )
    assert read.control("b").shown_when == (ShowWhen(None, None),)


def test_rectangles_of_one_image_are_one_control():
    read = parsed(
        labels("RectangleLabels", "tools", "helmet", "other")
        + labels("RectangleLabels", "people", "worker", "other")
    )
    (control,) = read.controls
    assert control.name == "tools+people"
    assert control.labels == ("helmet", "tools/other", "worker", "people/other")
    assert read.names == {"tools", "people"}


def test_rectangles_under_another_condition_are_another_control():
    hidden = labels("RectangleLabels", "b", "y", visibleWhen="choice-selected", whenTagName="kind")
    read = parsed(
        labels("Choices", "kind", "u", "v") + labels("RectangleLabels", "a", "x") + hidden
    )
    assert [control.name for control in read.controls] == ["kind", "a", "b"]


def test_a_rectangle_with_labels_is_learned_like_rectangle_labels():
    read = parsed('<Rectangle name="r" toName="img"/>' + labels("Labels", "l", "price", "date"))
    (control,) = read.controls
    assert (control.name, control.kind, control.labels) == (
        "l",
        TaskKind.DETECTION,
        ("price", "date"),
    )
    assert read.names == {"r", "l"}
    assert not read.unlearned


def test_each_control_is_about_its_own_image():
    images = '<Image name="before" value="$one"/><Image name="after" value="$two.url"/>'
    read = labeling_config.parse(
        f'<View>{images}<Choices name="a" toName="before"><Choice value="x"/></Choices>'
        '<Choices name="b" toName="after"><Choice value="x"/></Choices></View>'
    )
    assert [(control.name, control.image) for control in read.controls] == [
        ("a", "before"),
        ("b", "after"),
    ]
    assert [(image.name, image.value) for image in read.images] == [
        ("before", "$one"),
        ("after", "$two.url"),
    ]
    assert read.data_key == "one"


def test_the_address_may_be_a_list_or_composed():
    images = '<Image name="img" valueList="$pages"/>'
    assert parsed(labels("Choices", "c", "x"), images).images[0].value == "$pages"
    composed = parsed(labels("Choices", "c", "x"), '<Image name="img" value="https://a.b/$file"/>')
    assert (composed.images[0].value, composed.data_key) == ("https://a.b/$file", "file")


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ('<Choices name="c" toName="img,two"><Choice value="x"/></Choices>', 'toName="img,two"'),
        ('<Pairwise name="c" toName="img,two"/>', "<Pairwise name='c'>"),
        (labels("Choices", "c", "x", perRegion="true"), 'perRegion="true"'),
        (labels("Choices", "c", "x", perItem="true"), 'perItem="true"'),
        (labels("Choices", "c", "x", value="$options"), 'value="$options"'),
        (labels("Choices", "c"), "it has no <Choice>"),
        (labels("RectangleLabels", "c"), "it has no <Label>"),
        ('<Choices toName="img"><Choice value="x"/></Choices>', "it has no name"),
        ('<Choices name="c" toName="text"><Choice value="x"/></Choices>', 'toName="text"'),
        ('<Rectangle name="c" toName="img"/>', "use <RectangleLabels>"),
        (labels("Labels", "c", "x"), "use <RectangleLabels>"),
        (
            labels("Choices", "c", "x", visibleWhen="region-selected"),
            'visibleWhen="region-selected"',
        ),
        (
            labels("Choices", "c", "x", visibleWhen="choice-selected", whenTagName="tree"),
            'whenTagName="tree"',
        ),
        (
            '<Repeater on="$pages" indexFlag="{{idx}}">'
            + labels("Choices", "c", "x")
            + "</Repeater>",
            "<Repeater on='$pages'>",
        ),
        (labels("PolygonLabels", "c", "x"), "<PolygonLabels name='c'>"),
        ('<TextArea name="c" toName="img"/>', "<TextArea name='c'>"),
    ],
)
def test_what_is_not_learned_is_named_with_its_attribute(inside, words):
    read = parsed(inside + labels("RectangleLabels", "r", "x", "y"))
    (warning,) = read.warnings
    assert words in warning
    assert " is ignored: " in warning
    assert len(read.unlearned) == 1
    with pytest.raises(UnsupportedConfig) as refusal:
        parsed(inside)
    assert words in refusal.value.message


def test_a_question_that_waits_for_one_that_is_not_learned_is_not_learned_either():
    waiting = labels("Choices", "b", "x", visibleWhen="choice-selected", whenTagName="a")
    last = labels("Choices", "c", "x", visibleWhen="choice-selected", whenTagName="b")
    read = parsed(
        labels("Choices", "a", "x", perRegion="true") + waiting + last + labels("Choices", "d", "x")
    )
    assert [control.name for control in read.controls] == ["d"]
    assert len(read.warnings) == 3


def test_colors_are_those_that_the_config_states_plainly():
    config = BOXES.replace(
        '<Label value="Person"/>', '<Label value="Person" background="#12aB34"/>'
    )
    config = config.replace('value="Car"', 'value="Car" background="red; fill: url(x)"')
    assert labeling_config.colors(config) == {"Person": "#12aB34"}
    assert labeling_config.colors(CHOICES) == {}
