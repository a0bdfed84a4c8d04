from backend.domain.answers import Choices, ImageRef, Prediction
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, LabelSchema, ShowWhen, TaskKind

TYPE, LANES, DAMAGE = ControlName("type"), ControlName("lanes"), ControlName("damage")


def control(name, *labels, when=(), kind=TaskKind.SINGLE):
    return Control(name, "img", kind, tuple(map(Label, labels)), shown_when=tuple(when))


ROAD = ShowWhen(TYPE, frozenset({Label("road")}))
CHAIN = LabelSchema(
    "image",
    (
        control(TYPE, "road", "none"),
        control(LANES, "1", "2", when=[ROAD]),
        control(DAMAGE, "yes", when=[ShowWhen(LANES)]),
    ),
)


def chosen(**answers):
    return {ControlName(name): Choices((Label(label),)) for name, label in answers.items()}


def test_a_question_shows_after_the_answer_that_it_waits_for():
    assert CHAIN.shown({}) == {TYPE}
    assert CHAIN.shown(chosen(type="none")) == {TYPE}
    assert CHAIN.shown(chosen(type="road")) == {TYPE, LANES}
    assert CHAIN.shown(chosen(type="road", lanes="2")) == {TYPE, LANES, DAMAGE}


def test_an_answer_to_a_hidden_question_opens_nothing():
    assert CHAIN.shown(chosen(type="none", lanes="2")) == {TYPE}


def test_a_question_may_show_until_something_is_chosen():
    until = ShowWhen(TYPE, frozenset({Label("road")}), negated=True)
    schema = LabelSchema(
        "image", (control(TYPE, "road", "none"), control(LANES, "1", when=[until]))
    )
    assert schema.shown({}) == {TYPE, LANES}
    assert schema.shown(chosen(type="none")) == {TYPE, LANES}
    assert schema.shown(chosen(type="road")) == {TYPE}


def test_questions_that_wait_for_each_other_never_show():
    schema = LabelSchema(
        "image",
        (
            control(TYPE, "road", when=[ShowWhen(LANES)]),
            control(LANES, "1", when=[ShowWhen(TYPE)]),
        ),
    )
    assert schema.shown(chosen(type="road", lanes="1")) == frozenset()


def test_any_choice_may_be_waited_for():
    schema = LabelSchema(
        "image", (control(TYPE, "road"), control(LANES, "1", when=[ShowWhen(None)]))
    )
    assert schema.shown({}) == {TYPE}
    assert schema.shown(chosen(type="road")) == {TYPE, LANES}


def test_each_image_of_a_task_has_its_address_and_size():
    ref = ImageRef(TaskId(1), "a.png", ("b.png",))
    assert [ref.at(position).uri for position in range(2)] == ["a.png", "b.png"]
    prediction = Prediction(ref, {}, 0.5, "v", (1, 2), sizes={"right": (3, 4)})
    assert (prediction.size_of("left"), prediction.size_of("right")) == ((1, 2), (3, 4))


def test_labels_that_two_tags_share_are_told_apart():
    apart = control(TYPE, "road", "other").prefixed({Label("other")})
    assert apart.labels == ("road", "type/other")
    assert apart.own_tags[0].stored == {"road": ("road",), "type/other": ("other",)}
