from backend.domain.items import ItemKind
from backend.domain.schema import ImageTag, LabelSchema
from backend.policies.item_checks import images_only, none_chosen, nothing_left

IMAGES = LabelSchema("image", (), images=(ImageTag("i", "$image"),))
TEXTS = LabelSchema("text", (), images=(ImageTag("t", "$text", ItemKind.TEXT),))


def test_chosen_tasks_of_which_none_is_unlabeled_are_refused_by_their_number():
    assert none_chosen(1).message == "the chosen task is labeled or skipped"
    assert none_chosen(3).message == "none of the 3 chosen tasks is unlabeled"
    assert none_chosen(3).hint == "Choose tasks that nobody labeled or skipped"


def test_nothing_left_names_images_or_texts():
    assert nothing_left(ItemKind.IMAGE).message == "no unlabeled image left"
    assert nothing_left(ItemKind.TEXT).text == (
        "no unlabeled text left. Import more texts into the project."
    )


def test_what_is_for_images_is_refused_for_texts_by_name():
    assert images_only(IMAGES, "folders are synchronized") == ()
    (reason,) = images_only(TEXTS, "folders are synchronized")
    assert reason.message == (
        "folders are synchronized for images only, and this project has texts"
    )
