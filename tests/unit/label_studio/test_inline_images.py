"""Lists of tasks are kept without the images that tasks hold themselves."""

import json

from backend.domain.ids import ProjectId
from backend.label_studio import codec, labeling_config
from backend.label_studio.inline_images import task_without_content, without_content

PROJECT = ProjectId(3)
LONG = "data:image/png;base64," + "A" * 9_000
SCHEMA = labeling_config.parse(
    '<View><Image name="img" value="$photos[1].url"/><Choices name="c" toName="img">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


def test_a_copy_of_a_task_has_the_same_short_address_as_a_list():
    data = {"photos": [{"url": "/a.png"}, {"url": LONG}], "number": 7, "note": None}
    task = {"id": 1, "data": data, "annotations": []}
    copy = task_without_content(task, PROJECT)
    assert len(json.dumps(copy)) < 200
    assert (copy["data"]["number"], copy["annotations"]) == (7, [])
    listed = without_content(codec.image_ref(task, SCHEMA), PROJECT)
    assert codec.image_ref(copy, SCHEMA) == listed
    assert without_content(listed, PROJECT) == listed


def test_a_long_text_stays_in_its_address():
    config = (
        '<View><Text name="t" value="$text"/><Choices name="c" toName="t">'
        '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
    )
    for text in ("word " * 3_000, LONG):
        ref = codec.image_ref({"id": 1, "data": {"text": text}}, labeling_config.parse(config))
        assert without_content(ref, PROJECT) == ref
