"""What a training leaves out of the labeled images is said before it starts."""

import pytest

from backend.domain.answers import (
    Choices,
    Gap,
    ImageRef,
    LabeledImage,
    Region,
    Regions,
    Unanswered,
)
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, ProjectId, TaskId
from backend.domain.projects import LeftOut
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.policies import left_out

FIND, QUALITY = ControlName("find"), ControlName("quality")
SCHEMA = LabelSchema(
    "image",
    (
        Control(FIND, "img", TaskKind.DETECTION, (Label("car"), Label("bus"))),
        Control(QUALITY, "img", TaskKind.SINGLE, (Label("good"), Label("bad"))),
    ),
)
CAR = Regions((Region(Box(0, 0, 1, 1), Label("car")),))
PROJECT = ProjectId(7)


def images(count, answers, start=1, **gaps):
    unanswered = {ControlName(name): one for name, one in gaps.items()}
    return [
        LabeledImage(ImageRef(TaskId(task), ""), answers, unanswered=unanswered)
        for task in range(start, start + count)
    ]


def test_labels_that_left_the_config_are_counted_and_named_with_the_cure():
    strange = Unanswered(Gap.UNKNOWN_LABEL, ("Car",))
    labeled = [*images(40, {}, find=strange), *images(22, {FIND: CAR}, start=50)]
    (line,) = left_out.warnings(SCHEMA, labeled, PROJECT)
    assert line == (
        "40 of 62 labeled images teach 'find' nothing, due to labels that are not in the labeling "
        'config: \'Car\' (40). Rename them (autolabel labels 7 rename "Car" "car"), or add them '
        "to the labeling config"
    )


def test_a_label_unlike_all_others_is_renamed_to_whatever_the_reader_chooses():
    names = tuple(f"strange {number}" for number in range(7))
    labeled = images(1, {}, find=Unanswered(Gap.UNKNOWN_LABEL, names))
    (line,) = left_out.warnings(SCHEMA, labeled, PROJECT)
    assert line.startswith("1 of 1 labeled images teaches 'find' nothing")
    assert 'rename "strange 0" "NEW"' in line
    assert "and 2 more" in line


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (Gap.NO_LABEL, "without a label"),
        (Gap.UNKNOWN_CONTROL, "not in the labeling config: 'yolo' (3)"),
        (Gap.OTHER_IMAGE, "another image"),
        (Gap.NO_AREA, "without any area"),
        (Gap.HIDDEN_ANSWERS, "it is hidden"),
        (Gap.SEVERAL_LABELS, "so it is unclear: 'yolo' (3) on tasks 1, 2, 3. Choose one"),
        (Gap.DISAGREEMENT, "annotators who disagree, so it is unclear: tasks 1, 2, 3. Decide"),
    ],
)
def test_each_reason_has_its_sentence(gap, words):
    labeled = images(3, {}, find=Unanswered(gap, ("yolo",)))
    (line,) = left_out.warnings(SCHEMA, labeled, PROJECT)
    assert line.startswith("3 of 3 labeled images teach 'find' nothing, due to ")
    assert words in line


def test_of_many_tasks_some_are_listed():
    labeled = images(21, {}, find=Unanswered(Gap.DISAGREEMENT))
    assert "19, 20 and more." in left_out.warnings(SCHEMA, labeled, PROJECT)[0]


@pytest.mark.parametrize(("other", "cure"), [("quality", 'required="true"'), ("note", "answer:")])
def test_images_that_were_only_judged_are_explained(other, cure):
    judged = Unanswered(Gap.OTHER_QUESTIONS, (other,))
    labeled = images(260, {QUALITY: Choices((Label("bad"),))}, find=judged)
    (line,) = left_out.warnings(SCHEMA, labeled, PROJECT)
    assert line.startswith("260 of 260 labeled images have no rectangle of 'find' but answer other")
    assert cure in line


def test_mostly_empty_answers_are_a_warning_that_says_how_they_came_about():
    good = {FIND: Regions(()), QUALITY: Choices((Label("good"),))}
    labeled = [
        *images(6, {FIND: Regions(())}),
        *images(5, good, start=10),
        *images(10, {FIND: CAR}, start=20),
    ]
    (line,) = left_out.warnings(SCHEMA, labeled, PROJECT)
    assert line.startswith(
        "11 of 21 images that answer 'find' have no rectangle and teach that there is nothing: "
        "6 were submitted without any answer, 5 answer other questions only."
    )
    assert not left_out.warnings(SCHEMA, labeled[1:], PROJECT)


def test_empty_choices_are_called_so():
    many = LabelSchema("image", (Control(QUALITY, "img", TaskKind.MULTI, (Label("a"),)),))
    (line,) = left_out.warnings(many, images(2, {QUALITY: Choices(())}), PROJECT)
    assert "have no choice" in line


def test_what_nobody_was_asked_is_not_left_out():
    assert left_out.left_out(SCHEMA, images(2, {}, find=Unanswered(Gap.NOT_ASKED))) == ()


def test_the_counts_are_given_by_control_and_reason():
    first = images(2, {}, find=Unanswered(Gap.UNKNOWN_LABEL, ("Car", "Bus")))
    second = images(1, {}, start=9, find=Unanswered(Gap.UNKNOWN_LABEL, ("Car",)))
    assert left_out.left_out(SCHEMA, [*first, *second]) == (
        LeftOut(FIND, Gap.UNKNOWN_LABEL, 3, (("Car", 3), ("Bus", 2)), (1, 2, 9)),
    )
