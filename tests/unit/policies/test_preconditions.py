from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.items import ItemKind
from backend.domain.projects import LabelCount
from backend.domain.schema import Control, ImageTag, LabelSchema, TaskKind
from backend.domain.versions import ModelVersion
from backend.policies.preconditions import (
    Counts,
    Minimum,
    incomplete,
    model_fits,
    new_labels,
    reasons,
    warnings,
)

PETS = ControlName("pets")
MOOD = ControlName("mood")


def control(name, *labels, kind=TaskKind.SINGLE):
    return Control(name, "image", kind, tuple(Label(label) for label in labels))


def schema(*controls):
    return LabelSchema("image", controls)


def counts(name, **images):
    return [LabelCount(name, Label(label), count) for label, count in images.items()]


@dataclass
class Judged:
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]

    @property
    def ready(self):
        return not self.reasons


def ready(controls, used, labeled=10, unlabeled=10, excluded=0):
    asked = schema(*controls), Counts(used, labeled, unlabeled, excluded), Minimum(2, 5)
    return Judged(reasons(*asked), warnings(*asked))


def test_two_labels_on_five_images_each_and_one_unlabeled_image_are_enough():
    readiness = ready([control(PETS, "cat", "dog")], counts(PETS, cat=5, dog=5), unlabeled=1)
    assert readiness.ready


def test_every_reason_is_given_at_once_with_counts():
    # given one class with too few images, one used label and no image left
    readiness = ready([control(PETS, "cat", "dog")], counts(PETS, dog=3), labeled=3, unlabeled=0)
    # then all three are named
    assert [reason.message for reason in readiness.reasons] == [
        "1 of 2 labels used",
        "class 'dog' has 3 of 5 images",
        "no unlabeled image left (3 labeled)",
    ]
    assert [reason.hint for reason in readiness.reasons] == [
        "Label images with 1 more label, 5 each",
        "Label 2 more images of 'dog', or remove the label from the others",
        "Import more images into the project",
    ]
    assert [(reason.have, reason.need) for reason in readiness.reasons] == [(1, 2), (3, 5), (0, 1)]
    assert readiness.reasons[1].label == "dog"


BOXES = ControlName("boxes")


def boxes(*labels):
    return Control(BOXES, "image", TaskKind.DETECTION, tuple(map(Label, labels)))


def test_rectangles_of_one_label_are_refused_by_naming_the_setting():
    (reason,) = ready([boxes("gauge")], counts(BOXES, gauge=80)).reasons
    assert reason.text == (
        "1 of 2 labels used. Give the labeling config at least 2 labels, or set "
        "AUTOLABEL_MIN_LABELS=1, which allows rectangles with a single label."
    )


def test_who_runs_the_backend_may_allow_rectangles_of_one_label_but_never_choices():
    least = Minimum(labels=1, images=5)
    one = LabelSchema("image", (boxes("gauge"),))
    assert not reasons(one, Counts(counts(BOXES, gauge=80), 80, 9), least)
    choice = LabelSchema("image", (control(PETS, "cat"),))
    (reason,) = reasons(choice, Counts(counts(PETS, cat=80), 80, 9), least)
    assert (reason.have, reason.need) == (1, 2)
    assert "AUTOLABEL_MIN_LABELS" not in reason.hint


def test_the_labels_of_the_whole_project_count_for_rectangles():
    asked = [control(PETS, "cat", "dog"), boxes("gauge")]
    assert not ready(asked, [*counts(PETS, cat=9, dog=9), *counts(BOXES, gauge=9)]).reasons


def test_accepting_beside_what_is_not_learned_is_refused_by_name():
    learned = LabelSchema(
        "image", (control(PETS, "cat", "dog"), boxes("x")), unlearned=("<TextArea name='note'>",)
    )
    found = incomplete(learned, Counts(counts(PETS, cat=9, dog=9), 18, 9))
    assert [one.code for one in found] == [ReasonCode.UNLEARNED_CONTROLS] * 2
    assert "<TextArea name='note'>" in found[0].message
    assert "'boxes' (no labels yet)" in found[1].message
    assert "--partial" in found[0].hint
    assert len(incomplete(learned)) == 1


def test_a_config_with_a_single_label_has_a_hint_to_add_more():
    readiness = ready([control(PETS, "cat")], counts(PETS, cat=9))
    assert [reason.text for reason in readiness.reasons] == [
        "1 of 2 labels used. Give the labeling config at least 2 labels."
    ]


def test_a_control_that_nobody_used_is_left_out_with_a_warning():
    readiness = ready(
        [control(PETS, "cat", "dog"), control(MOOD, "happy", "sad")], counts(PETS, cat=60, dog=60)
    )
    assert readiness.ready
    assert readiness.warnings == ("'mood' is left out: it has no labels yet",)


def test_where_no_control_is_used_each_one_is_a_reason():
    readiness = ready([control(PETS, "cat", "dog"), control(MOOD, "happy", "sad")], [])
    assert [reason.message for reason in readiness.reasons] == [
        "0 of 2 labels used in 'pets'",
        "0 of 2 labels used in 'mood'",
    ]


def test_two_used_controls_are_judged_each_on_its_own():
    used = [*counts(PETS, cat=9, dog=9), *counts(MOOD, happy=4)]
    readiness = ready([control(PETS, "cat", "dog"), control(MOOD, "happy", "sad")], used)
    assert [reason.code for reason in readiness.reasons] == [
        ReasonCode.TOO_FEW_LABELS,
        ReasonCode.TOO_FEW_IMAGES,
    ]


def test_unused_labels_few_images_and_long_names_only_warn():
    long = "a label whose name does not fit anywhere"
    readiness = ready(
        [control(PETS, "cat", "dog", "emu", long)], counts(PETS, cat=50, dog=49, **{long: 60})
    )
    assert readiness.ready
    assert readiness.warnings == (
        "labels that nobody used yet: 'emu'",
        "classes with fewer than 50 images: 'dog'",
        "label names longer than 32 characters: 'a label whose name does not f...'",
    )


def test_a_count_of_a_label_that_left_the_config_does_not_help():
    readiness = ready([control(PETS, "cat", "dog")], counts(PETS, cat=9, cow=9))
    assert [reason.message for reason in readiness.reasons] == ["1 of 2 labels used"]


def test_a_message_fits_into_a_reason_phrase_however_long_the_name():
    readiness = ready([control(PETS, "x" * 500, "dog")], counts(PETS, dog=9, **{"x" * 500: 1}))
    assert readiness.reasons
    assert all(len(reason.message) < 80 for reason in readiness.reasons)


def test_labels_that_no_model_may_be_trained_on_are_mentioned():
    used = counts(PETS, cat=60, dog=3)
    found = ready([control(PETS, "cat", "dog")], used, excluded=7)
    assert [one.message for one in found.reasons] == ["class 'dog' has 3 of 5 images to train on"]
    assert found.warnings[-1].startswith("7 labeled images are not used for training")


def version(kind, *labels, name=PETS):
    return ModelVersion(
        name=VersionName("al-0001-abcd"),
        project=ProjectId(1),
        kinds={name: kind},
        labels={name: tuple(Label(label) for label in labels)},
        metrics={},
        trained_on={},
        parent=None,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        backbone="",
        device="cpu",
        packages={},
    )


def test_a_model_with_the_same_kind_and_labels_fits_in_any_order():
    assert not model_fits(
        schema(control(PETS, "cat", "dog")), version(TaskKind.SINGLE, "dog", "cat")
    )


def test_a_model_of_another_kind_and_other_labels_is_refused_by_naming_each_difference():
    reasons = model_fits(schema(control(PETS, "cat", "dog")), version(TaskKind.MULTI, "cat", "cow"))
    assert {reason.code for reason in reasons} == {ReasonCode.MODEL_MISMATCH}
    assert [reason.message for reason in reasons] == [
        "model al-0001-abcd does not fit: "
        "'pets' asks for classification, the model does multilabel",
        "model al-0001-abcd does not fit: 'pets' lacks its label 'cow'",
        "model al-0001-abcd does not fit: it was trained without 'dog'",
    ]


def test_a_model_of_a_control_that_is_gone_is_refused():
    reasons = model_fits(schema(control(MOOD, "sad")), version(TaskKind.SINGLE, "cat"))
    assert "the labeling config has no 'pets'" in reasons[0].message


def test_what_keeps_a_model_from_fitting_has_a_hint():
    wider = model_fits(schema(control(PETS, "cat", "dog")), version(TaskKind.SINGLE, "cat"))
    narrower = model_fits(schema(control(PETS, "cat")), version(TaskKind.SINGLE, "cat", "dog"))
    assert [reason.hint for reason in (*wider, *narrower)] == [
        "Train a new version in an active-learning job, or choose another one",
        "Add it to the labeling config, or choose another version",
    ]


def test_a_version_that_learned_nothing_fits_no_project():
    empty = replace(version(TaskKind.SINGLE, "cat"), kinds={}, labels={})
    (reason,) = model_fits(schema(control(PETS, "cat")), empty)
    assert reason.message == "model al-0001-abcd does not fit: it has learned nothing"
    assert reason.hint


def test_a_project_of_texts_is_told_about_texts():
    texts = (ImageTag("t", "$text", ItemKind.TEXT, is_address=False),)
    asked = LabelSchema("text", (control(PETS, "cat", "dog"),), images=texts)
    few = Counts(counts(PETS, dog=3), 3, 0, 2)
    words = [reason.text for reason in reasons(asked, few, Minimum(2, 5))]
    words += warnings(asked, Counts(counts(PETS, dog=6, cat=6), 12, 3, 2), Minimum(2, 5))
    assert not [one for one in words if "image" in one]
    assert any("class 'dog' has 3 of 5 texts" in one for one in words)
    assert any("no unlabeled text left (3 labeled)" in one for one in words)


def test_a_version_trained_on_images_does_not_fit_texts():
    texts = (ImageTag("t", "$text", ItemKind.HYPERTEXT),)
    asked = LabelSchema("text", (control(PETS, "cat"),), images=texts)
    (reason,) = model_fits(asked, version(TaskKind.SINGLE, "cat"))
    assert "it was trained on images, the project asks about texts" in reason.message
    assert not model_fits(asked, replace(version(TaskKind.SINGLE, "cat"), items=ItemKind.TEXT))


def test_a_label_that_was_added_keeps_no_version_from_predicting_the_others():
    schema_ = schema(control(PETS, "cat", "dog", "fox"))
    older = version(TaskKind.SINGLE, "cat", "dog")
    assert model_fits(schema_, older)
    assert not model_fits(schema_, older, new_labels=True)
    (line,) = new_labels(schema_, older)
    assert "was trained without 'fox' of 'pets'" in line
    assert not new_labels(schema(control(PETS, "cat", "dog")), older)
    assert not new_labels(schema(control(MOOD, "calm", "wild")), older)
