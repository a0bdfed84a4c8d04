import numpy as np

from backend.domain.answers import Choices
from backend.domain.ids import Label, TaskId
from backend.policies.certification.audit_sample import MIN_TRAIN, audit, share_of, split

TASKS = tuple(TaskId(number) for number in range(1, 2001))


def answers(*labels):
    return [Choices((Label(label),) if label else ()) for label in labels]


def test_the_audit_sample_has_about_the_requested_share_and_is_always_the_same():
    drawn = audit(TASKS, seed=1, share=0.2)
    assert drawn == audit(reversed(TASKS), seed=1, share=0.2)
    assert 330 < len(drawn) < 470
    assert drawn != audit(TASKS, seed=2, share=0.2)


def test_new_images_and_a_larger_share_only_add_to_the_audit_sample():
    small = set(audit(TASKS[:1000], 1, 0.2))
    assert small == set(audit(TASKS, 1, 0.2)) & set(TASKS[:1000])
    assert small < set(audit(TASKS[:1000], 1, 0.3))


def test_a_share_can_be_had_for_any_number_of_images():
    for count in (1, 37, 2000):
        assert len(audit(TASKS, 1, share_of(TASKS, 1, count))) == count
    assert share_of(TASKS, 1, 0) == share_of(TASKS, 1, -5) == share_of((), 1, 3) == 0


def test_the_order_of_the_audit_sample_does_not_depend_on_the_order_of_the_tasks():
    drawn = audit(TASKS, 1, 1.0)
    assert abs(np.corrcoef(drawn, range(len(drawn)))[0, 1]) < 0.08


def test_what_a_model_was_trained_on_never_enters_the_audit_sample():
    taken = frozenset(TASKS[::2])
    assert not taken & set(audit(TASKS, 1, 0.5, taken))


def test_an_image_never_leaves_its_side_when_labels_are_added():
    labels = answers(*("cat" if task % 2 else "dog" for task in TASKS))
    before = split(TASKS[:200], labels[:200], 1, 0.2)[1]
    after = split(TASKS, labels, 1, 0.2)[1]
    assert set(before) == set(after) & set(range(200))


def test_train_and_held_out_share_nothing_and_cover_everything():
    labels = answers(*("cat" if task % 3 else "" for task in TASKS))
    train, held_out = split(TASKS, labels, 1, 0.2)
    assert sorted([*train, *held_out]) == list(range(len(TASKS)))
    assert 330 < len(held_out) < 470
    # and the empty answers are held out too
    assert any(not labels[position].labels for position in held_out)


def test_a_small_set_keeps_enough_images_of_each_label_for_training():
    for seed in range(50):
        labels = answers(*["cat"] * 5, *["dog"] * 5)
        train, held_out = split(TASKS[:10], labels, seed, 0.5)
        kept = [labels[position].labels[0] for position in train]
        assert min(kept.count("cat"), kept.count("dog")) >= MIN_TRAIN
        assert len(held_out) <= 2


def test_what_earlier_versions_trained_on_is_not_held_out_later():
    labels = answers(*["cat"] * 2000)
    trained = frozenset(TASKS[:1500])
    _, held_out = split(TASKS, labels, 1, 0.2, trained)
    assert len(held_out) > 0
    assert all(position >= 1500 for position in held_out)
