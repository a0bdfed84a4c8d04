import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.label_edits import LabelChange, LabelEdit

CAT, DOG, PET = Label("cat"), Label("dog"), Label("pet")


def test_a_rename_turns_one_label_into_another():
    edit = LabelEdit(LabelChange.RENAME, (CAT,), PET)
    assert edit.mapping == {CAT: PET}
    assert edit.words == "rename 'cat' to 'pet'"


def test_a_merge_leaves_a_label_that_is_the_new_one_as_it_is():
    edit = LabelEdit(LabelChange.MERGE, (CAT, DOG), DOG)
    assert edit.mapping == {CAT: DOG}
    assert edit.words == "merge 'cat', 'dog' to 'dog'"


def test_a_deletion_turns_a_label_into_none():
    assert LabelEdit(LabelChange.DELETE, (CAT,)).mapping == {CAT: ""}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "delete 'cat'"),
        ({"with_images": True}, "delete 'cat' with its tasks"),
        (
            {"with_images": True, "delete_files": True},
            "delete 'cat' with its tasks and their files",
        ),
    ],
)
def test_a_deletion_says_what_else_it_deletes(fields, words):
    assert LabelEdit(LabelChange.DELETE, (CAT,), **fields).words == words


def test_a_restore_names_its_backup():
    assert LabelEdit(LabelChange.RESTORE, backup="job-1").words == "restore job-1"


@pytest.mark.parametrize(
    ("change", "labels", "fields", "problem"),
    [
        (LabelChange.RESTORE, (), {}, "needs a backup"),
        (LabelChange.RENAME, (CAT,), {"into": PET, "backup": "job-1"}, "only a restore"),
        (LabelChange.DELETE, (), {}, "a label is missing"),
        (LabelChange.DELETE, (Label(" "),), {}, "a label is missing"),
        (LabelChange.RENAME, (CAT,), {}, "the new name is missing"),
        (LabelChange.RENAME, (CAT,), {"into": CAT}, "the old name is the new one"),
        (LabelChange.RENAME, (CAT, DOG), {"into": PET}, "one old name"),
        (LabelChange.DELETE, (CAT,), {"into": PET}, "has no new name"),
        (LabelChange.MERGE, (CAT,), {"into": PET, "with_images": True}, "only a deletion"),
        (LabelChange.DELETE, (CAT,), {"delete_files": True}, "with their tasks only"),
    ],
)
def test_contradictions_are_refused(change, labels, fields, problem):
    with pytest.raises(BadInput, match=problem):
        LabelEdit(change, labels, **fields)
