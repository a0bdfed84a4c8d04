"""Annotations come from everywhere, and Label Studio stores whatever their result holds."""

from hypothesis import given
from hypothesis import strategies as st

from backend.label_studio import codec, labeling_config

CONFIG = """<View>
  <Image name="img" value="$image"/>
  <Choices name="kind" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>
  <RectangleLabels name="box" toName="img"><Label value="cat"/></RectangleLabels>
</View>"""
SCHEMA = labeling_config.parse(CONFIG)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NUMBERS = SCALARS | st.lists(SCALARS, max_size=2)
LABELS = NUMBERS | st.lists(st.sampled_from(["cat", "dog", "wolf", 5, None]))
VALUES = SCALARS | st.fixed_dictionaries(
    {},
    optional={
        "choices": LABELS,
        "rectanglelabels": LABELS,
        "x": NUMBERS,
        "y": NUMBERS,
        "width": NUMBERS,
        "height": NUMBERS,
        "rotation": NUMBERS,
    },
)
RESULTS = SCALARS | st.fixed_dictionaries(
    {},
    optional={
        "from_name": st.sampled_from(["kind", "box", "other", None, 5]),
        "value": VALUES,
        "original_width": NUMBERS,
        "original_height": NUMBERS,
    },
)


@given(result=st.lists(RESULTS, max_size=4))
def test_no_annotation_keeps_the_others_from_being_read(result):
    task = {"id": 1, "data": {"image": "/1.jpg"}, "annotations": [{"id": 1, "result": result}]}

    image = codec.labeled_image(task, SCHEMA)

    for answer in image.answers.values() if image else ():
        assert set(answer.labels) <= {"cat", "dog"}
