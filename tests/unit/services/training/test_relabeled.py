"""A model answers in the labels of now, whatever it was trained on."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from backend.domain.answers import Choices, Region, Regions
from backend.domain.batches import PredictionBatch
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, TaskKind
from backend.services.training.relabeled import RelabeledModel, own_control
from tests.fakes.steps import quiet

CAT, DOG, PET, EAR = map(Label, ("cat", "dog", "pet", "ear"))
LEFT, RIGHT = Box(0.1, 0.1, 0.2, 0.2), Box(0.6, 0.6, 0.8, 0.8)


@dataclass
class Fixed:
    """A model that always answers the same."""

    answers: tuple
    probabilities: list
    metrics: dict = field(default_factory=lambda: {"accuracy": 0.9})
    notes: dict = field(default_factory=lambda: {"c": 1})

    def predict(self, images, fetch, progress):
        return PredictionBatch(
            self.answers, np.full(len(self.answers), 0.7), np.array(self.probabilities)
        )

    def save(self, folder):
        (folder / "model").write_text("saved")


def relabeled(kind, renamed, answers, probabilities, labels):
    control = Control(ControlName("c"), "img", kind, labels)
    return RelabeledModel(Fixed(answers, probabilities), control, renamed)


def predicted(*arguments):
    return relabeled(*arguments).predict(None, None, quiet)


def test_a_rename_changes_the_names_and_no_number():
    found = predicted(
        TaskKind.SINGLE, {CAT: PET, DOG: DOG}, (Choices((CAT,)),), [[0.7, 0.3]], (DOG, PET)
    )
    assert found.answers == (Choices((PET,)),)
    assert found.confidence == pytest.approx([0.7])
    assert found.probabilities == pytest.approx(np.array([[0.3, 0.7]]))


def test_merged_exclusive_labels_add_up_and_may_win():
    found = predicted(
        TaskKind.SINGLE,
        {CAT: PET, DOG: PET, EAR: EAR},
        (Choices((EAR,)),),
        [[0.3, 0.3, 0.4]],
        (PET, EAR),
    )
    assert found.answers == (Choices((PET,)),)
    assert found.confidence == pytest.approx([0.6])


def test_the_others_share_what_a_deleted_label_had():
    found = predicted(
        TaskKind.SINGLE,
        {CAT: Label(""), DOG: DOG, EAR: EAR},
        (Choices((CAT,)), Choices((CAT,))),
        [[0.6, 0.3, 0.1], [1.0, 0.0, 0.0]],
        (DOG, EAR),
    )
    assert found.answers[0] == Choices((DOG,))
    assert found.confidence == pytest.approx([0.75, 0])


def test_of_several_labels_merged_ones_are_chosen_once_and_deleted_ones_left_out():
    found = predicted(
        TaskKind.MULTI,
        {CAT: PET, DOG: PET, EAR: Label("")},
        (Choices((CAT, DOG, EAR)),),
        [[0.9, 0.6, 0.8]],
        (PET,),
    )
    assert found.answers == (Choices((PET,)),)
    assert found.probabilities == pytest.approx(np.array([[0.9]]))


def test_of_equal_rectangles_the_one_with_the_better_score_stays():
    regions = (
        Region(LEFT, CAT, 0.5),
        Region(LEFT, DOG, 0.9),
        Region(RIGHT, CAT, 0.4),
        Region(RIGHT, EAR, 0.8),
        Region(LEFT, CAT, 0.1),
    )
    found = predicted(
        TaskKind.DETECTION,
        {CAT: PET, DOG: PET, EAR: Label("")},
        (Regions(regions),),
        [[0.5, 0.9, 0.8]],
        (PET,),
    )
    assert found.answers == (Regions((Region(LEFT, PET, 0.9), Region(RIGHT, PET, 0.4))),)


def test_all_else_is_the_models(tmp_path: Path):
    model = relabeled(TaskKind.SINGLE, {CAT: PET}, (), [], (PET,))
    model.save(tmp_path)
    assert (tmp_path / "model").read_text() == "saved"
    assert (model.metrics, model.notes, model.out_of_fold) == ({"accuracy": 0.9}, {"c": 1}, None)


def test_the_model_is_loaded_for_its_own_labels():
    control = Control(ControlName("c"), "img", TaskKind.SINGLE, (PET,))
    assert own_control(control, {CAT: PET, DOG: PET}).labels == (CAT, DOG)
