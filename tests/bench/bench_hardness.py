"""Do the hard examples hold the mistakes? Prints what share of them lies in the hard tenth.

Against confidence alone and against what the best order could reach, with and without a second
look at altered copies of the least certain images, as a job takes it; means over seeds, on the
clothing photos:

    python -m tests.bench.bench_hardness
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.domain.answers import Choices
from backend.domain.batches import PredictionBatch, ProjectPredictions
from backend.domain.jobs import Algorithm
from backend.domain.versions import AugmentationTrial
from backend.models.classification.family import ClassifierFamily
from backend.models.embedding.extractors import open_extractor
from backend.policies.certification.correctness import right
from backend.policies.hard_examples.coefficient import coefficients, hard_examples, weigh
from backend.policies.hard_examples.evidence import Evidence
from backend.ports.model_family import Model, TrainingSet
from backend.services.prediction.consistency import OF_IMAGES, ConsistencyCheck
from backend.settings import Settings
from tests.bench.bench_few_shot import DATA, Data, drawn, load, silent, training_set
from tests.fakes.scratch import temporary

SHOTS, SEEDS = (5, 20, 60), range(10)


@dataclass(frozen=True)
class Looked:
    """What a job knows of the unlabeled images before it weighs the reasons."""

    evidence: Evidence
    wrong: np.ndarray


def looked(data: Data, consistency: ConsistencyCheck, shots: int, seed: int) -> Looked:
    """A model of so many labels a class, with predictions of the rest and of augmented copies."""
    train, rest = drawn(data.truth, shots, seed)
    task = training_set(data, train, rest, Algorithm.FAST, seed)
    model = ClassifierFamily().fit(task)
    batch = model.predict(task.unlabeled, data.files.path, silent)
    views = second_looks(consistency, task, model, batch)
    evidence = Evidence(data.control, task.unlabeled, batch, task.train, task.train_answers, views)
    truths = [Choices((data.labels[k],)) for k in data.truth[rest]]
    return Looked(evidence, ~right(batch.answers, truths))


def second_looks(
    consistency: ConsistencyCheck, task: TrainingSet, model: Model, batch: PredictionBatch
) -> Mapping[int, PredictionBatch]:
    """Predict augmented copies by all augmentations, as if each had passed its trial."""
    passed = [AugmentationTrial(number, 20, 0, used=True) for number in OF_IMAGES]
    predicted = ProjectPredictions(task.unlabeled, {task.control.name: batch}, batch.confidence)
    return consistency.views(task.control, model, predicted, passed, silent)


def share_caught(hardness: np.ndarray, wrong: np.ndarray, share: float = 0.1) -> float:
    first = np.argsort(-hardness, kind="stable")[: round(share * len(wrong))]
    return float(wrong[first].sum() / wrong.sum())


def measure(found: Looked) -> dict[str, float]:
    evidence, wrong = found.evidence, found.wrong
    plain = coefficients(weigh(replace(evidence, views={})))
    full = coefficients(weigh(evidence))
    hard = {example.task for example in hard_examples(evidence)}
    is_hard = np.array([task in hard for task in evidence.images.tasks])
    return {
        "wrong": wrong.mean(),
        "confidence alone": share_caught(1 - evidence.predictions.confidence, wrong),
        "ours, without views": share_caught(plain, wrong),
        "ours": share_caught(full, wrong),
        "best possible": min(1.0, round(0.1 * len(wrong)) / wrong.sum()),
        "called hard": is_hard.mean(),
        "mistakes in them": wrong[is_hard].sum() / wrong.sum(),
    }


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"no images to find mistakes in: {DATA} is missing")
    data = load()
    print(f"share of all mistakes in the hard tenth; means over {len(SEEDS)} seeds")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), device="cpu")
        consistency = ConsistencyCheck(
            open_extractor(settings, data.files), settings.augmented_images, temporary
        )
        for shots in SHOTS:
            rows = [measure(looked(data, consistency, shots, seed)) for seed in SEEDS]
            means = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
            words = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
            print(f"{shots:3} labels a class: {words}", flush=True)


if __name__ == "__main__":
    main()
