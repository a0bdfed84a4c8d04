"""Fine-tune a network of a library that comes without a training of its own."""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor, nn
from torchvision.transforms import v2

from backend.models.detection.engine import Network, TrainedNetwork
from backend.models.detection.held_out_fitness import fitness
from backend.models.detection.letterboxed_dataset import Example, LetterboxedDataset, augmentation
from backend.models.detection.training_loop import Recipe, Training
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.model_family import TrainingSet


class FineTunable(Network, Protocol):
    """A network with its weights at hand."""

    @property
    def module(self) -> nn.Module:
        """What is trained, in place."""
        ...


def fine_tune(
    network: FineTunable,
    training_set: TrainingSet,
    plan: TrainingPlan,
    recipe: Recipe,
    loss: Callable[[Sequence[Example]], Tensor],
    scaling: v2.Transform,
) -> TrainedNetwork:
    """Train a network on letterboxed images; the best epoch is the one that answers best.

    Args:
        network: to train; its weights change.
        training_set: images and answers.
        plan: epochs, batch, rate and image size.
        recipe: how the networks of the library are fine-tuned.
        loss: of one batch.
        scaling: how images are scaled and moved at random.
    """
    recipe.freeze(network.module, plan.frozen)
    training = Training(
        network.module,
        recipe,
        plan,
        loss,
        fitness(network, training_set),
        training_set.progress,
        training_set.seed,
    )
    dataset = LetterboxedDataset(training_set, plan.image_size, augmentation(scaling))
    return TrainedNetwork(network, training.run(dataset))
