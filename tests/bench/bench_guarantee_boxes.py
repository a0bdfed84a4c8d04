"""May boxes be accepted unseen? Trains a detector on blood cells and asks for a guarantee.

60 images to learn from, 40 to calibrate on, and a simulated project on the others: how many need no
edit, and what an audit accepts and how often it breaks its promise, for each promise at 5, 10 and
20 %:

    python -m tests.bench.bench_guarantee_boxes
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.audits import AuditTerms, Promise
from backend.domain.batches import PredictionBatch
from backend.models.calibration import expected_calibration_error
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.policies.certification.audit_plan import plan
from backend.policies.certification.audit_verdict import AuditFindings, accepted, judge
from backend.policies.certification.box_plan import BoxChances, plan_boxes
from backend.policies.certification.correctness import pairs, right
from backend.policies.certification.risk import share_of
from tests.bench import bench_detection as detection
from tests.fakes.audited_boxes import audited_boxes
from tests.fakes.audited_projects import drawn_audit
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LEARN, EPOCHS, SIZE, AUDIT, DRAWS = 60, 20, 320, 100, 400
ASKED, RISK = (0.05, 0.1, 0.2), 0.0375


def answers() -> tuple[PredictionBatch, Sequence[Regions]]:
    """What a detector predicts for images that it has not seen, and what is true."""
    detection.LEARN, detection.TEST = LEARN, 10_000
    split = detection.split(seed=0)
    with tempfile.TemporaryDirectory() as folder:
        engine = UltralyticsEngine(str(detection.START), Path(folder))
        family = DetectorFamily(engine, image_size=SIZE, epochs=EPOCHS)
        predicted = family.fit(split.training_set).predict(
            image_batch(split.test), fetch, RecordedProgress()
        )
    return predicted, split.truths


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
    return told(terms, pays=pays, accepted=float(np.mean(shares)), broken=broken / DRAWS)


def simulate_boxes(predicted: PredictionBatch, truths: Sequence[Regions], terms: AuditTerms) -> str:
    """Do the same for the promise about boxes; the shares are of the images."""
    order = np.argsort(-predicted.confidence, kind="stable")
    pairs_ = [(regions(predicted.answers[row]), truths[row]) for row in order]
    found = np.array([len(one.regions) for one, _ in pairs_])
    matched = np.array([len(pairs(one, truth)) for one, truth in pairs_])
    missed = np.array([len(truth.regions) for _, truth in pairs_]) - matched
    rng, shares, broken = np.random.default_rng(0), [], 0
    for _ in range(DRAWS):
        seed = int(rng.integers(1 << 31))
        images = audited_boxes(found, found - matched, missed, AUDIT, terms.max_error, RISK, seed)
        images.label(images.audit.sample)
        file = images.finish()
        broken += file is not None and images.breaks(file)
        shares.append(len(file.accepted) / len(found) if file else 0.0)
    wrong = np.array([sum(1 - (box.score or 0) for box in one.regions) for one, _ in pairs_])
    chances = BoxChances(1 - predicted.confidence[order], found.astype(float), wrong)
    pays = plan_boxes(chances, LEARN, terms, RISK).pays
    return told(terms, pays=pays, accepted=float(np.mean(shares)), broken=broken / DRAWS)


def regions(answer: Answer) -> Regions:
    assert isinstance(answer, Regions)
    return answer


def told(terms: AuditTerms, *, pays: bool, accepted: float, broken: float) -> str:
    return (
        f"{terms.max_error:4.0%} asked at 95 %, {terms.promise}: an audit would "
        f"{'' if pays else 'not '}be drawn; one of {AUDIT} accepts {accepted:.1%} of the "
        f"images, promise broken in {broken:.1%}"
    )


def main() -> None:
    if not detection.START.is_file():
        sys.exit(f"no detector to start from: {detection.START} is missing")
    predicted, truths = answers()
    confidence, good = predicted.confidence, right(predicted.answers, truths)
    ece = expected_calibration_error(confidence, good)
    print(f"{len(good)} images, {good.mean():.1%} need no edit, stated {confidence.mean():.1%}")
    print(f"calibration error {ece:.3f}, highest confidence {confidence.max():.2f}")
    for asked in ASKED:
        for promise in (Promise.DATASET, Promise.ACCEPTED):
            print(simulate(confidence, good, AuditTerms(promise, asked)), flush=True)
        print(simulate_boxes(predicted, truths, AuditTerms(Promise.BOXES, asked)), flush=True)


if __name__ == "__main__":
    main()
