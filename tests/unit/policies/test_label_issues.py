import numpy as np

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.policies.box_label_issues import doubted_boxes
from backend.policies.label_issues import confident_other, doubted

NAMES = tuple(Label(name) for name in ("cat", "dog", "emu"))
ONE = Control(ControlName("pets"), "image", TaskKind.SINGLE, NAMES)
MANY = Control(ControlName("pets"), "image", TaskKind.MULTI, NAMES)


def noisy(count=600, wrong=60, seed=0):
    """Probabilities of a decent model, true labels, and given ones of which some are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, count)
    logits = rng.normal(0, 1, (count, 3)) + 4 * np.eye(3)[true]
    table = np.exp(logits)
    table /= table.sum(axis=1, keepdims=True)
    given = true.copy()
    given[:wrong] = (true[:wrong] + rng.integers(1, 3, wrong)) % 3
    return table, given


def test_most_wrong_labels_are_found_and_few_right_ones_doubted():
    table, given = noisy()
    tasks = [TaskId(i) for i in range(600)]
    found = doubted(ONE, tasks, [Choices((NAMES[k],)) for k in given], table)
    wrong = [issue.task < 60 for issue in found]
    assert sum(wrong) >= 50
    assert np.mean(wrong) > 0.8
    assert [s.doubt for s in found] == sorted((s.doubt for s in found), reverse=True)


def test_the_same_labels_are_doubted_as_cleanlab_doubts():
    from cleanlab.filter import find_label_issues

    table, given = noisy(seed=1)
    theirs = find_label_issues(given, table, filter_by="confident_learning", n_jobs=1)
    ours = confident_other(given, table) >= 0
    assert np.mean(ours == theirs) > 0.99


def test_a_doubted_label_says_what_it_looks_like():
    table = np.array([[0.9, 0.1, 0]] * 5 + [[0.1, 0.9, 0]] * 5 + [[0.97, 0.03, 0]])
    given = [Choices((NAMES[0],))] * 5 + [Choices((NAMES[1],))] * 6
    (found,) = doubted(ONE, [TaskId(i) for i in range(11)], given, table)
    assert found.task == 10
    assert found.words == "labeled 'dog', looks like 'cat' (0.97)"


def test_of_several_labels_a_missing_and_a_superfluous_one_are_told_apart():
    table = np.array([[0.95, 0.05, 0.05]] * 10 + [[0.05, 0.95, 0.05]] * 10)
    given = [Choices((NAMES[0],))] * 9 + [Choices(())] + [Choices((NAMES[1],))] * 9
    given.append(Choices((NAMES[1], NAMES[2])))
    found = doubted(MANY, [TaskId(i) for i in range(20)], given, table)
    words = {issue.task: issue.words for issue in found}
    assert words == {9: "lacks 'cat', model says 0.95", 19: "has 'emu', model says 0.05"}


def test_labels_without_any_image_and_no_image_at_all_are_no_trouble():
    table = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1]])
    assert doubted(ONE, [TaskId(1), TaskId(2)], [Choices((NAMES[0],))] * 2, table) == ()
    assert doubted(ONE, [], [], np.zeros((0, 3))) == ()


def region(left, label=NAMES[0], score=None):
    return Region(Box(left, 0.1, left + 0.2, 0.3), label, score)


def doubts(drawn, found):
    issues = doubted_boxes([TaskId(1)], [Regions(tuple(drawn))], [Regions(tuple(found))])
    return [issue.words for issue in issues]


def test_boxes_that_agree_are_not_doubted():
    assert doubts([region(0.1)], [region(0.12, score=0.99)]) == []


def test_a_missed_a_misplaced_and_a_mislabeled_box_are_told_apart():
    assert doubts([region(0.1)], [region(0.1, score=0.9), region(0.6, score=0.95)]) == [
        "a 'cat' seems to be missed (0.95)"
    ]
    assert doubts([region(0.1)], [region(0.2, score=0.6)]) == ["a 'cat' seems misplaced (0.60)"]
    assert doubts([region(0.1)], [region(0.1, NAMES[1], 0.97)]) == [
        "a 'cat' looks like 'dog' (0.97)"
    ]


def test_a_box_that_is_found_is_not_doubted_for_a_spurious_neighbor():
    found = region(0.1, score=0.95)
    assert doubts([region(0.1)], [found, region(0.22, score=0.6)]) == []
    assert doubts([region(0.1)], [found, region(0.1, NAMES[1], score=0.95)]) == []


def test_a_box_that_is_found_leaves_its_misplaced_neighbor_in_doubt():
    drawn = [region(0.1), region(0.5)]
    found = [region(0.1, score=0.95), region(0.6, score=0.7)]
    assert doubts(drawn, found) == ["a 'cat' seems misplaced (0.70)"]


def test_an_unsure_model_doubts_no_box():
    assert doubts([], [region(0.6, score=0.7)]) == []
    assert doubts([region(0.1)], [region(0.1, NAMES[1], 0.7)]) == []


def test_the_most_doubtful_task_comes_first():
    found = doubted_boxes(
        [TaskId(1), TaskId(2)],
        [Regions(()), Regions(())],
        [Regions((region(0.1, score=0.92),)), Regions((region(0.1, score=0.99),))],
    )
    assert [issue.task for issue in found] == [2, 1]
