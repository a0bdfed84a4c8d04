import numpy as np

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.policies.box_label_issues import find_box_label_issues
from backend.policies.label_issues import find_label_issues
from tests.fakes.noisy_labels import noisy

NAMES = tuple(Label(name) for name in ("cat", "dog", "emu"))
ONE = Control(ControlName("pets"), "image", TaskKind.SINGLE, NAMES)
MANY = Control(ControlName("pets"), "image", TaskKind.MULTI, NAMES)


def test_most_wrong_labels_are_found_and_few_right_ones_reported():
    table, given = noisy()
    tasks = [TaskId(i) for i in range(600)]
    found = find_label_issues(ONE, tasks, [Choices((NAMES[k],)) for k in given], table)
    wrong = [issue.task < 60 for issue in found]
    assert sum(wrong) >= 50
    assert np.mean(wrong) > 0.8
    assert [s.severity for s in found] == sorted((s.severity for s in found), reverse=True)


def test_a_label_issue_says_what_it_looks_like():
    table = np.array([[0.9, 0.1, 0]] * 5 + [[0.1, 0.9, 0]] * 5 + [[0.97, 0.03, 0]])
    given = [Choices((NAMES[0],))] * 5 + [Choices((NAMES[1],))] * 6
    (found,) = find_label_issues(ONE, [TaskId(i) for i in range(11)], given, table)
    assert found.task == 10
    assert found.reason == "labeled 'dog', looks like 'cat' (0.97)"


def test_missing_and_superfluous_labels_are_distinguished():
    table = np.array(
        [[0.95, 0.05, 0.05]] * 10 + [[0.05, 0.95, 0.05]] * 10 + [[0.05, 0.05, 0.95]] * 5
    )
    given = [Choices((NAMES[0],))] * 9 + [Choices(())] + [Choices((NAMES[1],))] * 9
    given += [Choices((NAMES[1], NAMES[2]))] + [Choices((NAMES[2],))] * 5
    found = find_label_issues(MANY, [TaskId(i) for i in range(25)], given, table)
    words = {issue.task: issue.reason for issue in found}
    assert words == {9: "lacks 'cat', model says 0.95", 19: "has 'emu', model says 0.05"}


def test_labels_without_images_and_no_images_at_all_are_no_error():
    table = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1]])
    tasks, given = [TaskId(1), TaskId(2)], [Choices((NAMES[0],))] * 2
    for control in (ONE, MANY):
        assert find_label_issues(control, tasks, given, table) == ()
        assert find_label_issues(control, [], [], np.zeros((0, 3))) == ()


def test_a_single_label_has_nothing_to_be_mistaken_for():
    only = Control(ControlName("pets"), "image", TaskKind.SINGLE, NAMES[:1])
    given = [Choices(NAMES[:1])] * 9
    assert find_label_issues(only, [TaskId(i) for i in range(9)], given, np.ones((9, 1))) == ()


def test_a_label_of_few_images_is_not_judged():
    # given a label that no fold could learn, so that every model gives it no chance
    table = np.array([[0.97, 0.03, 0.0]] * 40 + [[0.03, 0.97, 0.0]] * 40 + [[0.5, 0.5, 0.0]] * 4)
    given = [Choices((NAMES[row // 40],)) for row in range(84)]
    assert find_label_issues(ONE, [TaskId(i) for i in range(84)], given, table) == ()


def region(left, label=NAMES[0], score=None):
    return Region(Box(left, 0.1, left + 0.2, 0.3), label, score)


ODD = TaskId(1)


def box_issues(drawn, found):
    """Reasons for an odd image beside others, of whose sure boxes people left out a twentieth."""
    sure = [([region(0.1)], [region(0.1, score=0.99)])] * 95
    left_out = [([], [region(0.1, score=0.99)])] * 5
    unsure = [([region(0.5)], [region(0.5, score=0.6)])] * 12 + [([], [region(0.5, score=0.6)])] * 8
    images = [(drawn, found), *left_out, *sure, *unsure]
    issues = find_box_label_issues(
        [TaskId(ODD + place) for place in range(len(images))],
        [Regions(tuple(truth)) for truth, _ in images],
        [Regions(tuple(prediction)) for _, prediction in images],
    )
    assert {issue.task for issue in issues} - {ODD} == {ODD + place for place in range(1, 6)}
    return [issue.reason for issue in issues if issue.task == ODD]


def test_boxes_that_agree_are_no_issue():
    assert box_issues([region(0.1)], [region(0.12, score=0.99)]) == []


def test_missed_misplaced_and_mislabeled_boxes_are_distinguished():
    assert box_issues([region(0.1)], [region(0.1, score=0.9), region(0.6, score=0.97)]) == [
        "a 'cat' seems to be missed (0.97)"
    ]
    assert box_issues([region(0.1)], [region(0.2, score=0.97)]) == [
        "a 'cat' seems misplaced (0.97)"
    ]
    assert box_issues([region(0.1)], [region(0.1, NAMES[1], 0.97)]) == [
        "a 'cat' looks like 'dog' (0.97)"
    ]


def test_several_wrong_boxes_of_an_image_are_told_together_the_most_severe_first():
    found = [region(0.1, score=0.96), region(0.6, NAMES[1], 0.98)]
    assert box_issues([], found) == [
        "a 'dog' seems to be missed (0.98); a 'cat' seems to be missed (0.96)"
    ]


def test_a_box_that_is_found_is_no_issue_for_a_spurious_neighbor():
    found = region(0.1, score=0.95)
    assert box_issues([region(0.1)], [found, region(0.22, score=0.97)]) == []
    assert box_issues([region(0.1)], [found, region(0.1, NAMES[1], score=0.97)]) == []


def test_a_box_that_is_found_does_not_confirm_its_misplaced_neighbor():
    drawn = [region(0.1), region(0.5)]
    found = [region(0.1, score=0.95), region(0.6, score=0.97)]
    assert box_issues(drawn, found) == ["a 'cat' seems misplaced (0.97)"]


def test_a_box_of_another_label_that_only_touches_says_nothing():
    assert box_issues([region(0.1)], [region(0.2, NAMES[1], 0.99)]) == []


def test_an_unsure_model_reports_no_box():
    assert box_issues([], [region(0.6, score=0.7)]) == []
    assert box_issues([region(0.1)], [region(0.1, NAMES[1], 0.7)]) == []


def test_a_model_that_is_as_often_wrong_as_it_says_reports_no_box():
    wrong = [(Regions(()), Regions((region(0.1, score=0.7),)))] * 30
    right = [(Regions((region(0.1),)), Regions((region(0.1, score=0.7),)))] * 70
    tasks = [TaskId(place) for place in range(100)]
    assert find_box_label_issues(tasks, *zip(*wrong, *right, strict=True)) == ()


def test_the_most_severe_task_comes_first():
    agreeing = [(Regions((region(0.1),)), Regions((region(0.1, score=0.99),)))] * 60
    odd = [(Regions(()), Regions((region(0.1, score=score),))) for score in (0.98, 0.99, 0.995)]
    tasks = [TaskId(place) for place in range(63)]
    found = find_box_label_issues(tasks, *zip(*odd, *agreeing, strict=True))
    assert [issue.task for issue in found] == [2, 1, 0]
    assert found[0].severity > found[1].severity > found[2].severity >= 0.3


def test_an_answer_without_boxes_of_either_side_is_no_issue():
    sure = Regions((region(0.1, score=0.99),))
    answers = [Choices(()), sure]
    assert find_box_label_issues([TaskId(1), TaskId(2)], answers, [sure, Choices(())]) == ()


def test_of_several_wrong_labels_of_a_task_the_most_severe_one_counts():
    # given a task that lacks a label surely and has another one that it should not have, less so
    table = np.array([[0.95, 0.05, 0.9]] * 10 + [[0.05, 0.95, 0.1]] * 10 + [[0.99, 0.3, 0.02]])
    given = [Choices((NAMES[0], NAMES[2]))] * 10 + [Choices((NAMES[1],))] * 10
    for labels, worst in (((2,), "lacks 'cat'"), ((), "lacks 'cat'"), ((0, 2), "has 'emu'")):
        odd = Choices(tuple(NAMES[k] for k in labels))
        found = find_label_issues(MANY, [TaskId(i) for i in range(21)], [*given, odd], table)
        assert [issue.reason[: len(worst)] for issue in found if issue.task == 20] == [worst]
