"""Whatever is sent, the answer is JSON, names what is wrong, and shows nothing of our inside."""

import copy
import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WRITTEN = json.loads((Path(__file__).parent / "payloads.json").read_text())
POSTS = sorted({call["path"] for call in WRITTEN.values() if call["method"] == "POST"})
OURS = ["/api/projects/2/jobs", "/api/projects/2/versions/al-0001-3f9c/activate"]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)

many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(value, here=()):
    """The path of every value inside a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*here, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*here, key))


@st.composite
def spoiled(draw):
    """A recorded call of which one value is something else."""
    call = copy.deepcopy(draw(st.sampled_from([one for one in WRITTEN.values() if one["body"]])))
    *path, last = draw(st.sampled_from(list(places(call["body"]))))
    inner = call["body"]
    for key in path:
        inner = inner[key]
    inner[last] = draw(ANYTHING)
    return call


def is_clean(answer):
    text = answer.get_data(as_text=True)
    assert isinstance(json.loads(text), dict)
    assert answer.status_code < 500, text
    assert "Traceback" not in text
    if answer.status_code >= 400:
        assert json.loads(text)["error"]["message"]


@many
@given(path=st.sampled_from([*POSTS, *OURS]), body=ANYTHING)
def test_any_json_is_answered(client, path, body):
    is_clean(client.post(path, json=body))


@many
@given(path=st.sampled_from([*POSTS, *OURS]), body=st.binary(max_size=200))
def test_any_bytes_are_answered(client, path, body):
    is_clean(client.post(path, data=body, content_type="application/json"))


@many
@given(call=spoiled())
def test_a_call_of_label_studio_with_one_wrong_value_is_answered(client, call):
    is_clean(client.post(call["path"], json=call["body"]))
