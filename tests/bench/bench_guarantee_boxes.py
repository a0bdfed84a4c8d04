"""May boxes be accepted unseen? Trains a detector on blood cells and asks for a guarantee.

60 images to learn from, 40 to calibrate on, and a simulated project on the others: how many need no
edit, and how often a certificate is had, accepts, and breaks its promise, at two errors asked:

    python -m tests.bench.bench_guarantee_boxes
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from backend.domain.audits import AuditTerms, Promise
from backend.models.calibration import expected_calibration_error
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.policies.certification.audit_plan import plan
from backend.policies.certification.audit_verdict import AuditFindings, accepted, judge
from backend.policies.certification.correctness import right
from backend.policies.certification.risk import share_of
from tests.bench import bench_detection as detection
from tests.fakes.audited_projects import drawn_audit
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LEARN, EPOCHS, SIZE, AUDIT, DRAWS = 60, 20, 320, 100, 400
ASKED, RISK = (0.05, 0.1, 0.2), 0.0375


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


def simulate(confidence: np.ndarray, good: np.ndarray, terms: AuditTerms) -> str:
    """Draw an audit of AUDIT images from all of them many times, whether or not it pays."""
    rng, shares, broken = np.random.default_rng(0), [], 0
    order = np.argsort(-confidence, kind="stable")
    budget = share_of(terms.max_error, len(good))
    for _ in range(DRAWS):
        audit = drawn_audit(
            confidence[order],
            AUDIT,
            terms,
            risk_given=RISK,
            budget=budget,
            seed=int(rng.integers(1 << 31)),
        )
        sampled = np.zeros(len(good), dtype=bool)
        sampled[list(audit.sample)] = True
        found = AuditFindings(sampled, np.zeros(len(good), bool), sampled & ~good[order])
        passed = judge(audit, found, budget).passed
        rows = list(accepted(found, passed.size)) if passed else []
        wrong = int(np.sum(~good[order][rows]))
        whole = terms.promise is Promise.DATASET
        broken += wrong > share_of(terms.max_error, len(good) if whole else len(rows))
        shares.append(len(rows) / len(good))
    pays = plan(1 - confidence, LEARN, terms, RISK, budget).pays
    return (
        f"{terms.max_error:4.0%} asked at 95 %, {terms.promise}: an audit would "
        f"{'' if pays else 'not '}be drawn; one of {AUDIT} accepts {np.mean(shares):.1%} of the "
        f"images, promise broken in {broken / DRAWS:.1%}"
    )


def main() -> None:
    if not detection.START.is_file():
        sys.exit(f"no detector to start from: {detection.START} is missing")
    confidence, good = answers()
    ece = expected_calibration_error(confidence, good)
    print(f"{len(good)} images, {good.mean():.1%} need no edit, stated {confidence.mean():.1%}")
    print(f"calibration error {ece:.3f}, highest confidence {confidence.max():.2f}")
    for asked in ASKED:
        for promise in Promise:
            print(simulate(confidence, good, AuditTerms(promise, asked)))


if __name__ == "__main__":
    main()
