"""A labeling config changes in the labels only; the rest of its text stays as it is."""

import re

import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.label_studio import label_config_edit
from backend.label_studio.label_config_edit import completed, edited, labels, widened

CONFIG = """<View>
  <!-- the animals, "cat" first -->
  <Image name="image" value="$image"/>
  <Choices name="kind" toName="image" choice="single">
    <Choice value="cat" hotkey="1"/>
    <Choice background='red > blue' value='dog' ></Choice>
    <Choice alias="bird" value="A bird &amp; more"/>
  </Choices>
  <RectangleLabels name="box" toName="image">
    <Label value="cat"/><Label value="ear"/>
  </RectangleLabels>
</View>
"""


def rename(old, new):
    return LabelEdit(LabelChange.RENAME, (Label(old),), Label(new))


def merge(*names):
    return LabelEdit(LabelChange.MERGE, tuple(map(Label, names[:-1])), Label(names[-1]))


def delete(label):
    return LabelEdit(LabelChange.DELETE, (Label(label),))


def test_labels_are_listed_by_control_with_the_names_that_annotations_hold():
    assert labels(CONFIG) == {"kind": ("cat", "dog", "bird"), "box": ("cat", "ear")}


def test_a_rename_changes_the_value_in_every_control_and_nothing_else():
    renamed = edited(CONFIG, rename("cat", "Kätzchen <&>"))
    assert renamed == CONFIG.replace('value="cat"', 'value="Kätzchen &lt;&amp;&gt;"')
    assert labels(renamed)["box"] == ("Kätzchen <&>", "ear")


def test_a_rename_changes_the_alias_where_there_is_one():
    renamed = edited(CONFIG, rename("bird", "fowl"))
    assert renamed == CONFIG.replace('alias="bird"', 'alias="fowl"')


def test_a_tag_in_single_quotes_with_an_angle_bracket_is_found():
    assert edited(CONFIG, rename("dog", "Dog")) == CONFIG.replace("'dog'", '"Dog"')


def test_a_merge_into_a_label_that_exists_removes_the_others_with_their_lines():
    merged = edited(CONFIG, merge("cat", "dog"))
    assert labels(merged) == {"kind": ("dog", "bird"), "box": ("dog", "ear")}
    assert '    <Choice value="cat" hotkey="1"/>\n' not in merged
    assert "single\">\n    <Choice background='red > blue'" in merged


def test_a_merge_into_a_new_label_renames_the_first_and_removes_the_others():
    merged = edited(CONFIG, merge("cat", "dog", "pet"))
    assert labels(merged) == {"kind": ("pet", "bird"), "box": ("pet", "ear")}
    assert '<Choice value="pet" hotkey="1"/>' in merged


def test_a_deletion_removes_the_tag():
    assert labels(edited(CONFIG, delete("ear"))) == {
        "kind": ("cat", "dog", "bird"),
        "box": ("cat",),
    }


def test_lines_that_end_as_in_windows_keep_their_ends():
    windows = CONFIG.replace("\n", "\r\n")
    assert edited(windows, delete("cat")) == edited(CONFIG, delete("cat")).replace("\n", "\r\n")


def test_for_as_long_as_both_are_in_use_the_config_has_both_labels():
    assert labels(widened(CONFIG, rename("cat", "Cat"))) == {
        "kind": ("cat", "Cat", "dog", "bird"),
        "box": ("cat", "Cat", "ear"),
    }


@pytest.mark.parametrize("edit", [delete("cat"), rename("unknown", "cat")])
def test_nothing_is_added_where_no_new_label_comes(edit):
    assert widened(CONFIG, edit) == CONFIG


def test_a_spelling_that_the_config_lacks_may_turn_into_a_label_that_it_has():
    assert edited(CONFIG, rename("Cat", "cat")) == CONFIG
    assert edited(CONFIG, delete("Cat")) == CONFIG


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (rename("cat", "dog"), "merge"),
        (rename("Cat", "Dog"), "none of 'Cat', 'Dog'"),
    ],
)
def test_what_cannot_be_meant_is_refused(edit, problem):
    with pytest.raises(BadInput, match=problem):
        label_config_edit.check(CONFIG, edit)


def test_the_only_label_of_a_control_cannot_be_deleted():
    with pytest.raises(BadInput, match="the only label of 'box'"):
        edited(edited(CONFIG, delete("ear")), delete("cat"))


def test_a_label_with_labels_below_it_cannot_be_deleted():
    nested = CONFIG.replace(
        '<Choice value="cat" hotkey="1"/>',
        '<Choice value="cat"><Choice value="tabby"/></Choice>',
    )
    with pytest.raises(BadInput, match="further labels below"):
        edited(nested, delete("cat"))
    assert labels(edited(nested, rename("cat", "Cat")))["kind"][:2] == ("Cat", "tabby")


CONDITIONS = """<View><Image name="image" value="$image"/>
  <Choices name="kind" toName="image">
    <Choice value="road"/><Choice value="path"/><Choice value="A bird" alias="bird"/>
  </Choices>
  <View visibleWhen="choice-selected" whenTagName="kind" whenChoiceValue="road,A bird"/>
  <View VisibleWhen="choice-selected" whenTagName='kind' whenchoicevalue = 'path,road'/>
  <View visibleWhen="choice-selected" whenTagName="other" whenChoiceValue="road"/>
  <View whenChoiceValue="road"/>
  <View visibleWhen="region-selected" whenLabelValue="road,x"/>
</View>"""


@pytest.mark.parametrize(
    ("edit", "conditions"),
    [
        (
            rename("road", "a &amp;"),
            ["a &amp;amp;,A bird", "path,a &amp;amp;", "road", "a &amp;amp;", "a &amp;amp;,x"],
        ),
        (merge("road", "path"), ["path,A bird", "path", "road", "path", "path,x"]),
        (merge("bird", "road"), ["road", "path,road", "road", "road", "road,x"]),
        (delete("road"), ["road,A bird", "path,road", "road", "road", "road,x"]),
    ],
)
def test_conditions_name_the_new_label(edit, conditions):
    changed = edited(CONDITIONS, edit)
    written = re.findall(r"""(?i)when(?:choice|label)value ?= ?["']([^"']*)""", changed)
    assert written == conditions


def test_tags_and_attributes_count_in_any_case():
    lower = (
        CONFIG.replace("Choice v", "choice v")
        .replace("toName", "toname")
        .replace("value=", "VALUE=")
    )
    assert labels(lower) == labels(CONFIG)
    assert edited(lower, rename("cat", "Cat")) == lower.replace('VALUE="cat"', 'VALUE="Cat"')


@pytest.mark.parametrize("edit", [delete("cat"), rename("cat", "Cat")])
@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (CONFIG.replace('choice="single"', 'allowNested="true"'), "as paths"),
        (CONFIG.replace("Choices", "Taxonomy"), "as paths"),
        (CONFIG.replace('<Choice value="cat" hotkey="1"/>', "<Choice>cat</Choice>"), "the text of"),
    ],
)
def test_labels_that_annotations_or_configs_hold_otherwise_are_refused(config, problem, edit):
    with pytest.raises(BadInput, match=problem):
        label_config_edit.check(config, edit)


def test_a_config_gets_the_labels_that_it_lacks_and_keeps_the_others():
    wanted = {"kind": ("cat", '"q" <&>'), "box": ("ear",), "gone": ("x",)}
    now = completed(CONFIG, wanted)
    assert labels(now) == {"kind": ("cat", "dog", "bird", '"q" <&>'), "box": ("cat", "ear")}
    assert completed(now, wanted) == now


def test_a_control_whose_labels_are_paths_gets_none():
    config = '<View><Taxonomy name="t" toName="i"><Choice value="a"/></Taxonomy></View>'
    assert completed(config, {"t": ("b",)}) == config
