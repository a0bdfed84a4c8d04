from pathlib import Path

import pytest

from backend.domain.ids import ControlName
from backend.domain.version_names import (
    GROUP_NAME,
    MARKER_PREFIXES,
    VERSION_NAME,
    control_folder,
    group_name,
    is_answer_of_ours,
    is_published_model,
    list_edition,
    list_edition_of,
    list_place,
    review_name,
)


def test_names_of_versions_and_groups_have_a_fixed_width():
    assert VERSION_NAME.fullmatch("al-0007-3f9c")
    assert not VERSION_NAME.fullmatch("al-7-3f9c")
    assert GROUP_NAME.fullmatch(group_name(7))
    assert group_name(7) == "group-007"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("pets", "pets"), ("a b", "a b"), ("a/b", "a%2Fb"), (".", "%2E"), ("..", "%2E%2E")],
)
def test_the_folder_of_a_control_stays_inside_its_version(name, folder):
    assert control_folder(Path("al-0001-abcd"), ControlName(name)) == Path("al-0001-abcd", folder)


def test_a_long_name_gets_a_unique_folder_name_of_valid_length(tmp_path: Path) -> None:
    names = [ControlName("\u732b" * count) for count in (28, 29, 30, 1000)]
    folders = [control_folder(tmp_path, name) for name in names]
    for folder in folders:
        folder.mkdir()
    assert folders[0].name == "%E7%8C%AB" * 28, "short enough for its whole name"
    assert len(set(folders)) == len(names)
    assert [control_folder(tmp_path, name) for name in names] == folders


def test_each_edition_of_a_list_has_a_name_of_its_own():
    first = list_edition("Label next", [])
    second = list_edition("Label next", ["al-0001-3f9c", list_place(first, 0, 1)])
    other = list_edition("Audit", [list_place(second, 0, 1)])
    assert (first[-5:], second[-5:], other[-5:]) == ("0001-", "0002-", "0001-")
    assert first[:-5] == second[:-5] != other[:-5]
    assert second.startswith(MARKER_PREFIXES)


@pytest.mark.parametrize("length", [1, 99, 100, 250, 20_000])
def test_names_in_a_list_are_in_the_order_of_the_list(length):
    edition = list_edition("Audit", [])
    names = [list_place(edition, position, length) for position in range(length)]
    assert names == sorted(names)
    assert len(set(names)) == min(length, 100)
    assert {list_edition_of(name) for name in names} == {edition}


def test_other_names_belong_to_no_list():
    names = ("al-0001-3f9c", "group-001", "list-mine")
    assert {list_edition_of(name) for name in names} == {None}


def test_names_of_corrected_predictions_differ_and_are_no_versions():
    first, second = review_name(), review_name()
    assert first != second
    assert is_answer_of_ours(first)
    assert not VERSION_NAME.fullmatch(first)


@pytest.mark.parametrize("name", ["al-0007-3f9c", "im-0007-3f9c", "reviewed-0a1b2c3d"])
def test_trained_imported_and_corrected_answers_are_ours(name):
    assert is_answer_of_ours(name)


@pytest.mark.parametrize("name", ["", "theirs", "reviewed-by-ann", "group-001", "al-0007-3f9c-2"])
def test_markers_and_the_predictions_of_others_are_no_answers_of_ours(name):
    assert not is_answer_of_ours(name)


@pytest.mark.parametrize(
    "name", ["yolo11n.pt", "timm:resnet18.a1_in1k", "torchvision:resnet18", "timm:a"]
)
def test_models_that_others_publish_are_known_by_their_names(name):
    assert is_published_model(name)


@pytest.mark.parametrize(
    "name",
    ["", "al-0007-3f9c", "/etc/model.pt", "../model.pt", "a/b.pt", ".pt", "timm:", "timm:../a.pt"],
)
def test_neither_versions_nor_paths_are_names_of_published_models(name):
    assert not is_published_model(name)
