"""What do the policies cost? Seconds and peak memory, each in a process of its own.

python -m tests.bench.bench_policy_cost [WORDS]

Given WORDS, only the steps whose names contain them.
"""

import multiprocessing
import resource
import sys
import time

import numpy as np

from backend.domain.answers import Choices, ImageRef
from backend.domain.audits import AuditTerms, Promise
from backend.domain.batches import IMAGE_STATS, ImageBatch, PredictionBatch
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.policies.certification.audit_plan import plan
from backend.policies.grouping import group
from backend.policies.hard_examples.coefficient import hard_examples
from backend.policies.hard_examples.evidence import Evidence
from backend.policies.selection import select

DIMENSIONS, LABELS, LABELED = 1280, 10, 500
CONTROL = Control(
    ControlName("class"), "image", TaskKind.SINGLE, tuple(Label(str(k)) for k in range(LABELS))
)


def images(many: int, first: int, rng: np.random.Generator) -> ImageBatch:
    """Vectors around a hundred centers, as features of real images are."""
    centers = np.random.default_rng(0).normal(size=(100, DIMENSIONS)).astype(np.float32)
    features = np.empty((many, DIMENSIONS), dtype=np.float16)
    for start in range(0, many, 5000):
        rows = slice(start, min(many, start + 5000))
        near = centers[rng.integers(0, 100, rows.stop - rows.start)]
        drawn = near + 1.5 * rng.standard_normal(near.shape, dtype=np.float32)
        features[rows] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    refs = tuple(ImageRef(TaskId(first + row), "") for row in range(many))
    image_stats = rng.normal(100, 10, (many, len(IMAGE_STATS))).astype(np.float32)
    return ImageBatch(refs, features, image_stats)


def predictions(many: int, rng: np.random.Generator) -> PredictionBatch:
    table = rng.dirichlet(np.full(LABELS, 0.2), many)
    answers = tuple(Choices((CONTROL.labels[k],)) for k in table.argmax(axis=1))
    return PredictionBatch(answers, table.max(axis=1), table)


def choose(many: int, count: int, cold: bool) -> float:
    rng = np.random.default_rng(1)
    pool, labeled, predicted = images(many, 0, rng), images(LABELED, many, rng), None
    if not cold:
        predicted = predictions(many, rng)
    started = time.perf_counter()
    select(TaskKind.SINGLE, pool, predicted, labeled, count, rng)
    return time.perf_counter() - started


def cluster(many: int, count: int) -> float:
    rng = np.random.default_rng(1)
    pool = images(many, 0, rng)
    started = time.perf_counter()
    group(pool, count, rng)
    return time.perf_counter() - started


def audit(many: int, promise: Promise) -> float:
    """Planning as a job that may accept does it."""
    chances = 1 - np.random.default_rng(1).beta(3, 0.4, many)
    started = time.perf_counter()
    plan(chances, LABELED, AuditTerms(promise), 0.0375, many // 20)
    return time.perf_counter() - started


def whole_step(many: int) -> float:
    """Hard examples with three views, certificate and selection, as one round does them."""
    rng = np.random.default_rng(1)
    pool, labeled = images(many, 0, rng), images(LABELED, many, rng)
    predicted = predictions(many, rng)
    views = {number: predictions(many, rng) for number in (19, 20, 21)}
    answers = predictions(LABELED, rng).answers
    started = time.perf_counter()
    hard_examples(Evidence(CONTROL, pool, predicted, labeled, answers, views))
    plan(1 - predicted.confidence, LABELED, AuditTerms(), 0.0375, many // 20)
    select(TaskKind.SINGLE, pool, predicted, labeled, 100, rng)
    return time.perf_counter() - started


STEPS = {
    "choose 100 of 100,000, cold start (limit 60 s, 2 GB)": (choose, (100_000, 100, True)),
    "choose 100 of 100,000, with a model (limit 60 s, 2 GB)": (choose, (100_000, 100, False)),
    "choose 1,000 of 100,000, with a model": (choose, (100_000, 1000, False)),
    "200 groups of 100,000": (cluster, (100_000, 200)),
    "plan an audit of 100,000, dataset (limit 5 s)": (audit, (100_000, Promise.DATASET)),
    "plan an audit of 100,000, accepted (limit 5 s)": (audit, (100_000, Promise.ACCEPTED)),
    "the whole step on 5,000 images (limit 10 s)": (whole_step, (5000,)),
    "the whole step on 100,000 images": (whole_step, (100_000,)),
}


def _measure(name: str) -> tuple[float, float, float]:
    """Seconds on the clock, seconds of CPU with the making of the data, gigabytes at the peak."""
    step, arguments = STEPS[name]
    seconds = step(*arguments)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def main(wanted: str) -> None:
    fresh = multiprocessing.get_context("spawn")
    for name in filter(lambda step: wanted in step, STEPS):
        with fresh.Pool(1) as process:
            seconds, cpu, gigabytes = process.apply(_measure, (name,))
        print(f"{name:56} {seconds:6.1f} s {cpu:6.1f} CPU s {gigabytes:6.2f} GB", flush=True)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
