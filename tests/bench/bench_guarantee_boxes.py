"""May boxes be accepted unseen? Trains a detector on blood cells and asks for a guarantee.

60 images to learn from, 40 to calibrate on, and a simulated project on the others: how many need no
edit, and how often a certificate is had, accepts, and breaks its promise, at two errors asked:

    python -m tests.bench.bench_guarantee_boxes
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from backend.models.calibration import expected_calibration_error
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.policies.certification.acceptance_test import Validation
from backend.policies.certification.certificates import Terms, certify, promising
from backend.policies.certification.correctness import right
from tests.bench import bench_detection as detection
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LEARN, EPOCHS, SIZE, AUDIT, DRAWS = 60, 20, 320, 100, 400
ASKED = (0.05, 0.2)


def answers() -> tuple[np.ndarray, np.ndarray]:
    """(n,) confidence, and whether a person would leave the boxes as they are."""
    detection.LEARN, detection.TEST = LEARN, 10_000
    split = detection.split(seed=0)
    with tempfile.TemporaryDirectory() as folder:
        engine = UltralyticsEngine(str(detection.START), Path(folder))
        family = DetectorFamily(engine, image_size=SIZE, epochs=EPOCHS)
        predicted = family.fit(split.training_set).predict(
            image_batch(split.test), fetch, RecordedProgress()
        )
    return predicted.confidence, right(predicted.answers, split.truths)


def simulate(confidence: np.ndarray, good: np.ndarray, asked: float) -> str:
    rng, tested, accepted, broken = np.random.default_rng(0), 0, [], 0
    for _ in range(DRAWS):
        audit = np.zeros(len(good), dtype=bool)
        audit[rng.choice(len(good), AUDIT, replace=False)] = True
        sample = Validation(confidence[audit], good[audit], confidence[~audit])
        tested += promising(sample, Terms(asked))
        certificate = certify(sample, Terms(asked))
        inside = ~audit & (confidence >= (certificate.threshold if certificate else np.inf))
        accepted.append(inside.sum() / (~audit).sum())
        broken += bool(inside.any() and np.mean(~good[inside]) > asked)
    return (
        f"{asked:4.0%} asked at 95 %, {AUDIT} validation images: promising {tested / DRAWS:.0%}, "
        f"accepts {np.mean(accepted):.1%} of the images, promise broken in {broken / DRAWS:.1%}"
    )


def main() -> None:
    if not detection.START.is_file():
        sys.exit(f"no detector to start from: {detection.START} is missing")
    confidence, good = answers()
    ece = expected_calibration_error(confidence, good)
    print(f"{len(good)} images, {good.mean():.1%} need no edit, stated {confidence.mean():.1%}")
    print(f"calibration error {ece:.3f}, highest confidence {confidence.max():.2f}")
    for asked in ASKED:
        print(simulate(confidence, good, asked))


if __name__ == "__main__":
    main()
