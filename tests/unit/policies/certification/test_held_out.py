from backend.domain.answers import Choices
from backend.domain.ids import Label, TaskId
from backend.policies.certification.held_out import MIN_TRAIN, split

TASKS = tuple(TaskId(number) for number in range(1, 2001))


def answers(*labels):
    return [Choices((Label(label),) if label else ()) for label in labels]


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
