"""Labeling configs as people write them, with the controls that we learn and do not learn."""

from dataclasses import dataclass

IMAGE = '<Image name="img" value="$image"/>'
TEXT = '<Text name="txt" value="$text"/>'
PAIR = '<Image name="left" value="$one"/><Image name="right" value="$two"/>'


@dataclass(frozen=True)
class Written:
    """A config; names of its tags that are learned, and of those that are not.

    `notes` counts what is said besides about tags that are learned.
    """

    config: str
    learned: frozenset[str]
    ignored: frozenset[str] = frozenset()
    notes: int = 0


def written(
    inside: str, learned: str, ignored: str = "", image: str = IMAGE, notes: int = 0
) -> Written:
    names = frozenset(learned.split()), frozenset(ignored.split())
    return Written(f"<View>{image}{inside}</View>", *names, notes)


def choices(name: str, options: str = "yes no", more: str = "", to: str = "img") -> str:
    inside = "".join(f'<Choice value="{one}"/>' for one in options.split())
    return f'<Choices name="{name}" toName="{to}" {more}>{inside}</Choices>'


def boxes(name: str, options: str = "car bus", more: str = "", to: str = "img") -> str:
    return shape("RectangleLabels", name, options, more, to)


def shape(tag: str, name: str, options: str = "a b", more: str = "", to: str = "img") -> str:
    inside = "".join(f'<Label value="{one}"/>' for one in options.split())
    return f'<{tag} name="{name}" toName="{to}" {more}>{inside}</{tag}>'


def when(tag: str, value: str = "", kind: str = "choice-selected") -> str:
    chosen = f' whenChoiceValue="{value}"' if value else ""
    return f'visibleWhen="{kind}" whenTagName="{tag}"{chosen}'


def under(inside: str, condition: str) -> str:
    return f"<View {condition}>{inside}</View>"


CORPUS = {
    "one choice": written(choices("c"), "c"),
    "one choice, as radio buttons": written(choices("c", more='choice="single-radio"'), "c"),
    "one choice, as a menu": written(choices("c", more='layout="select"'), "c"),
    "several choices": written(choices("c", more='choice="multiple" showInline="true"'), "c"),
    "a required choice": written(choices("c", more='required="true"'), "c"),
    "two questions": written(choices("c") + choices("d", "day night"), "c d"),
    "rectangles": written(boxes("r"), "r"),
    "rectangles of one label": written(boxes("r", "gauge"), "r"),
    "rectangles with options": written(boxes("r", more='strokeWidth="3" smart="true"'), "r"),
    "a choice and rectangles": written(choices("c") + boxes("r"), "c r"),
    "labels in two groups": written(
        boxes("tools", "helmet") + boxes("people", "worker"), "tools people"
    ),
    "a shared label": written(boxes("a", "x other") + boxes("b", "y other"), "a b"),
    "a rectangle with labels": written(
        '<Rectangle name="r" toName="img"/>' + shape("Labels", "l", "price date"), "r l"
    ),
    "styled text around the controls": written(
        '<Style>.a {color: red}</Style><Header value="What is it?"/>'
        f'<View className="a" style="display: flex"><View>{choices("c")}</View></View>',
        "c",
    ),
    "aliases and scripts": written(
        '<Choices name="c" toName="img"><Choice value="A cat" alias="cat"/>'
        '<Choice value="阀门 &amp; more"/></Choices>',
        "c",
    ),
    "hints, hot keys and colors": written(
        '<RectangleLabels name="r" toName="img"><Label value="a" background="#f00" hotkey="1"/>'
        '<Label value="b" hint="the other one" selected="true"/></RectangleLabels>',
        "r",
    ),
    "names of a pretrained model": written(
        '<RectangleLabels name="r" toName="img" model_score_threshold="0.2">'
        '<Label value="Car" predicted_values="car,truck"/><Label value="Bus"/></RectangleLabels>',
        "r",
    ),
    "nested choices": written(
        '<Choices name="c" toName="img" allowNested="true"><Choice value="animal">'
        '<Choice value="cat"/><Choice value="dog"/></Choice><Choice value="plant"/></Choices>',
        "c",
    ),
    "deeply nested choices": written(
        '<Choices name="c" toName="img" allowNested="true" choice="multiple"><Choice value="a">'
        '<Choice value="b"><Choice value="d"/></Choice></Choice><Choice value="e"/></Choices>',
        "c",
    ),
    "a question after an answer": written(
        choices("type", "road none") + under(choices("lanes", "1 2"), when("type", "road")),
        "type lanes",
    ),
    "a question after one of two answers": written(
        choices("type", "road path none")
        + under(choices("wet", more='choice="multiple"'), when("type", "road,path")),
        "type wet",
    ),
    "a question after any answer": written(
        choices("type") + choices("more", more=when("type")), "type more"
    ),
    "a question until an answer": written(
        choices("type") + choices("why", more=when("type", "yes", "choice-unselected")), "type why"
    ),
    "a chain of questions": written(
        choices("a")
        + under(choices("b") + under(choices("c"), when("b", "yes")), when("a", "yes")),
        "a b c",
    ),
    "rectangles after an answer": written(
        choices("seen") + under(boxes("r"), when("seen", "yes")), "seen r"
    ),
    "a question while no region is selected": written(
        boxes("r") + choices("c", more='visibleWhen="no-region-selected"'), "r c"
    ),
    "a path in the data": written(
        choices("c"), "c", image='<Image name="img" value="$meta.photo"/>'
    ),
    "an item of a list": written(
        choices("c"), "c", image='<Image name="img" value="$all[0].url"/>'
    ),
    "a composed address": written(
        choices("c"), "c", image='<Image name="img" value="https://cdn.example.org/$file"/>'
    ),
    "a list of images": written(
        choices("c"), "c", image='<Image name="img" valueList="$all"/>', notes=1
    ),
    "options of the image": written(
        choices("c"),
        "c",
        image='<Image name="img" value="$image" zoom="true" zoomControl="true" '
        'rotateControl="true" crossOrigin="anonymous" brightnessControl="true"/>',
    ),
    "two images, a question each": written(
        choices("a", to="left") + choices("b", to="right"), "a b", image=PAIR
    ),
    "two images, rectangles each": written(
        boxes("a", to="left") + boxes("b", to="right"), "a b", image=PAIR
    ),
    "one of two images": written(choices("a", to="right"), "a", image=PAIR),
    "two images and a comparison": written(
        choices("a", to="left") + '<Pairwise name="p" toName="left,right"/>', "a", "p", image=PAIR
    ),
    "a question about both images": written(
        choices("a", to="left") + choices("same", to="left,right"), "a", "same", image=PAIR
    ),
    "an image and a text": written(
        choices("a") + choices("t", to="txt"),
        "a",
        "t",
        image=IMAGE + '<Text name="txt" value="$t"/>',
    ),
    "a choice for each region": written(
        boxes("r") + choices("c", more='perRegion="true"'), "r", "c"
    ),
    "a choice for each region of a label": written(
        boxes("r") + choices("c", more='perRegion="true" whenLabelValue="car"'), "r", "c"
    ),
    "a choice for a selected region": written(
        boxes("r") + choices("c", more='visibleWhen="region-selected"'), "r", "c"
    ),
    "a question after a choice for each region": written(
        boxes("r") + choices("c", more='perRegion="true"') + choices("d", more=when("c", "yes")),
        "r",
        "c d",
    ),
    "options from the data": written(
        boxes("r") + '<Choices name="c" toName="img" value="$options"/>', "r", "c"
    ),
    "a filter of labels": written('<Filter name="f" toName="r"/>' + boxes("r"), "r"),
    "a note": written(boxes("r") + '<TextArea name="note" toName="img"/>', "r", "note"),
    "a rating": written(choices("c") + '<Rating name="stars" toName="img"/>', "c", "stars"),
    "a number": written(choices("c") + '<Number name="n" toName="img" min="0" max="9"/>', "c", "n"),
    "a tree": written(
        choices("c") + '<Taxonomy name="t" toName="img"><Choice value="a"/></Taxonomy>', "c", "t"
    ),
    "a date": written(choices("c") + '<DateTime name="day" toName="img"/>', "c", "day"),
    "polygons beside rectangles": written(boxes("r") + shape("PolygonLabels", "p"), "r", "p"),
    "brushes beside rectangles": written(boxes("r") + shape("BrushLabels", "b"), "r", "b"),
    "points beside rectangles": written(boxes("r") + shape("KeyPointLabels", "k"), "r", "k"),
    "ellipses beside rectangles": written(boxes("r") + shape("EllipseLabels", "e"), "r", "e"),
    "a rectangle without labels": written(
        choices("c") + '<Rectangle name="r" toName="img"/>', "c", "r"
    ),
    "labels for polygons": written(
        choices("c") + '<Polygon name="p" toName="img"/>' + shape("Labels", "l"), "c", "p l"
    ),
    "only polygons": written(shape("PolygonLabels", "p"), "", "p"),
    "a text": written(choices("c", to="txt"), "c", image=TEXT),
    "a text with several choices": written(
        choices("c", "cat dog", 'choice="multiple"', to="txt"), "c", image=TEXT
    ),
    "a text and names in it": written(
        choices("c", to="txt") + shape("Labels", "l", "person place", to="txt"),
        "c",
        "l",
        image=TEXT,
    ),
    "a text at an address": written(
        choices("c", to="txt"), "c", image='<Text name="txt" value="$url" valueType="url"/>'
    ),
    "hypertext": written(
        choices("c", to="txt"), "c", image='<HyperText name="txt" value="$html"/>'
    ),
    "two texts, a question each": written(
        choices("a", to="txt") + choices("b", to="two"),
        "a b",
        image=TEXT + '<Text name="two" value="$other"/>',
    ),
    "a text and hypertext": written(
        choices("a", to="txt") + choices("b", to="two"),
        "a",
        "b",
        image=TEXT + '<HyperText name="two" value="$other"/>',
    ),
    "only names in a text": written(
        shape("Labels", "l", "person place", to="txt"), "", "l", image=TEXT
    ),
}
