"""mAP50 on the held-out images, by which engines without a training of their own choose epochs."""

from collections.abc import Callable

from backend.domain.answers import Regions
from backend.models.detection.average_precision import mean_average_precision
from backend.models.detection.engine import Network
from backend.models.detection.inference import detect
from backend.models.detection.training_plan import MIN_VALIDATION
from backend.ports.model_family import TrainingSet

_EVALUATED = 0.01
"""Score from which boxes count when epochs are compared."""


def fitness(network: Network, training_set: TrainingSet) -> Callable[[], float] | None:
    """Return a function that computes the network's present mAP50.

    None where the held-out images cannot rank epochs: too few of them, or none with a box.
    """
    boxes = any(answer.labels for answer in training_set.held_out_answers)
    if not boxes or len(training_set.held_out) < MIN_VALIDATION:
        return None
    truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
    refs, labels = training_set.held_out.refs, training_set.control.labels

    def measure() -> float:
        fetch, progress = training_set.fetch, training_set.progress
        detections = detect(network, refs, fetch, labels, _EVALUATED, progress)
        return mean_average_precision(detections, truths, labels)

    return measure
