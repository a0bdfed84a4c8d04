from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from backend.domain.answers import Regions
from backend.models.detection.letterboxed_dataset import LetterboxedDataset, augmentation
from backend.models.detection.torchvision_engine.detector import TorchvisionEngine
from backend.models.detection.torchvision_engine.network import build
from backend.models.detection.torchvision_engine.training import RECIPE, loss, scaling
from backend.models.detection.training_loop import Training
from backend.models.detection.training_plan import TrainingPlan, plan
from tests.fakes.detection_training_sets import CONTROL, RecordedProgress, training_set
from tests.fakes.small_detector import SMALL


def short(epochs: int, patience: int = 10) -> TrainingPlan:
    chosen = plan([Regions(())] * 8, on_gpu=False, minutes=5.0, continued=False)
    return replace(chosen, epochs=epochs, patience=patience, image_size=64)


class Greedy(nn.Module):
    """Learns to say one; runs out of memory on more images than `most`, once it has learned."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.most = most
        self.began: list[float] = []
        self.batches: list[int] = []

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        if not self.batches or self.batches[-1] != len(images):
            self.began.append(self.weight.item())
        self.batches.append(len(images))
        if len(images) > self.most and len(self.batches) > 1:
            raise torch.OutOfMemoryError
        return {"loss": ((self.weight - 1) ** 2).sum()}


def test_a_training_that_runs_out_of_memory_begins_again_in_smaller_batches(tmp_path: Path):
    asked = training_set(tmp_path, train=8)
    module = Greedy(most=1)
    trained = Training(
        module,
        RECIPE,
        short(epochs=2),
        partial(loss, module, device="cpu"),
        None,
        asked.progress,
        0,
    )
    assert trained.run(LetterboxedDataset(asked, 64, augmentation(scaling()))) == 2
    assert module.batches == [4, 4, 2] + [1] * 16
    assert module.began == [0, 0, 0], "what the failed attempts had learned is gone"


def test_held_out_images_without_a_box_choose_no_epoch_and_end_no_training(tmp_path: Path):
    torch.manual_seed(0)
    torch.save(build(SMALL, len(CONTROL.labels), 64).state_dict(), tmp_path / "start.pth")
    engine = TorchvisionEngine(f"{SMALL}@{tmp_path / 'start.pth'}", tmp_path)
    asked = training_set(tmp_path, train=4, held_out=8, progress=RecordedProgress())
    empty = replace(asked, held_out_answers=[Regions(())] * 8)
    assert engine.train(empty, short(epochs=5, patience=2), None).epochs == 5


def test_images_with_nothing_in_them_can_be_learned_from(tmp_path: Path):
    torch.manual_seed(0)
    torch.save(build(SMALL, len(CONTROL.labels), 64).state_dict(), tmp_path / "start.pth")
    engine = TorchvisionEngine(f"{SMALL}@{tmp_path / 'start.pth'}", tmp_path)
    asked = training_set(tmp_path, train=4, held_out=0)
    trained = engine.train(replace(asked, train_answers=[Regions(())] * 4), short(epochs=1), None)
    assert all(part.isfinite().all() for part in trained.network.module.state_dict().values())
