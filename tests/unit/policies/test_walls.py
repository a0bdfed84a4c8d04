from backend.domain.answers import Choices
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.policies.walls import MOST, choose_walls


def schema(*kinds: TaskKind) -> LabelSchema:
    controls = (Control(f"c{n}", "image", kind, ("a", "b")) for n, kind in enumerate(kinds))
    return LabelSchema("image", tuple(controls))


def test_the_most_frequent_answers_get_a_wall_each():
    predicted = [{"c0": Choices(("b",))}, *[{"c0": Choices(("a",))}] * 2]
    assert choose_walls(schema(TaskKind.SINGLE), predicted) == [
        {"c0": Choices(("a",))},
        {"c0": Choices(("b",))},
    ]


def test_there_are_only_so_many_walls():
    predicted = [{"c0": Choices((str(n),))} for n in range(MOST + 3)]
    assert len(choose_walls(schema(TaskKind.SINGLE), predicted)) == MOST


def test_a_set_of_labels_is_one_answer_and_none_at_all_has_no_wall():
    both, neither = Choices(("a", "b")), Choices(())
    predicted = [{"c0": neither}, {"c0": neither}, {"c0": both}]
    assert choose_walls(schema(TaskKind.MULTI), predicted) == [{"c0": both}]


def test_answers_to_several_questions_are_confirmed_together():
    a, b, none = Choices(("a",)), Choices(("b",)), Choices(())
    predicted = [{"c0": a, "c1": b}, {"c0": a, "c1": none}, {"c0": a, "c1": b}]
    assert choose_walls(schema(TaskKind.SINGLE, TaskKind.MULTI), predicted) == [
        {"c0": a, "c1": b},
        {"c0": a},
    ]


def test_rectangles_are_not_on_a_wall_which_would_not_show_them():
    predicted = [{"c0": Choices(("a",))}]
    assert choose_walls(schema(TaskKind.SINGLE, TaskKind.DETECTION), predicted) == []
