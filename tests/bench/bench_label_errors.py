"""Are the labels that look wrong, wrong? Spoils a share of the labels and looks at what is listed.

Of the clothing photos 300 or 800 carry labels, some of which were changed to another one at
random. The model learns from four fifths of them and answers those out of fold, as a job does.
Beside the product's list: confident learning (Northcutt et al. 2021), and ranking by
self-confidence if the number of wrong labels were known.

Of the boxes of `bccd`, 5 % are moved, dropped or renamed. A detector learns from 60 such images and
predicts the others. A listed box counts as wrong if people's box was spoiled at that place:

    python -m tests.bench.bench_label_errors [images|boxes]
"""

import sys
from dataclasses import dataclass, replace

import numpy as np
from cleanlab.filter import find_label_issues as confident_learning

from backend.domain.answers import Choices
from backend.domain.ids import TaskId
from backend.domain.jobs import Algorithm
from backend.models.classification.family import ClassifierFamily
from backend.policies.box_label_issues import find_box_issues, find_box_label_issues
from backend.policies.label_issues import find_label_issues
from tests.bench import bench_detection as detection
from tests.bench import spoiled_boxes
from tests.bench.bench_few_shot import DATA, Data, load, silent, training_set
from tests.bench.spoiled_boxes import spoil

LABELED, NOISE, SEEDS, LEARNED = (300, 800), (0.0, 0.02, 0.05, 0.1), range(3), 0.8
BOX_NOISE = (0.0, 0.05)


@dataclass(frozen=True)
class Labeled:
    """Labels by a person, some of them wrong, and out-of-fold probabilities."""

    given: np.ndarray
    wrong: np.ndarray
    probabilities: np.ndarray


def spoiled(data: Data, rows: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Return the labels of the rows, a share of them changed to any other label."""
    given = data.truth[rows].copy()
    changed = rng.permutation(len(rows))[: round(noise * len(rows))]
    shift = rng.integers(1, len(data.labels), len(changed))
    given[changed] = (given[changed] + shift) % len(data.labels)
    return given


def labeled(data: Data, count: int, noise: float, seed: int) -> Labeled:
    rng = np.random.default_rng([seed, count])
    rows = rng.permutation(len(data.truth))[:count]
    given = spoiled(data, rows, noise, rng)
    said = data.truth.copy()
    said[rows] = given
    train, held_out = np.split(rows, [round(LEARNED * count)])
    seen = replace(data, truth=said)
    model = ClassifierFamily().fit(training_set(seen, train, held_out, Algorithm.FAST, seed))
    assert model.out_of_fold is not None
    later = model.predict(data.images.take(held_out), data.files.path, silent)
    table = np.concatenate([model.out_of_fold.probabilities, later.probabilities])
    return Labeled(given, given != data.truth[rows], table)


def ours(data: Data, one: Labeled) -> np.ndarray:
    answers = [Choices((data.labels[label],)) for label in one.given]
    tasks = [TaskId(row) for row in range(len(answers))]
    found = find_label_issues(data.control, tasks, answers, one.probabilities)
    return np.isin(tasks, [issue.task for issue in found])


def by_confident_learning(data: Data, one: Labeled) -> np.ndarray:
    return confident_learning(
        one.given, one.probabilities, filter_by="confident_learning", n_jobs=1
    )


def by_self_confidence(data: Data, one: Labeled) -> np.ndarray:
    """List as many as are wrong, which nobody knows."""
    own = one.probabilities[np.arange(len(one.given)), one.given]
    return own.argsort().argsort() < one.wrong.sum()


RULES = {
    "Autolabel": ours,
    "confident learning": by_confident_learning,
    "self-confidence, number known": by_self_confidence,
}


def row(listed: np.ndarray, wrong: np.ndarray) -> tuple[float, float, float]:
    """Return the share listed, precision and recall."""
    return listed.mean(), *quality(int((listed & wrong).sum()), int(listed.sum()), int(wrong.sum()))


def quality(hits: int, listed: int, wrong: int) -> tuple[float, float]:
    """Return precision and recall; NaN where there is nothing to divide by."""
    precision, recall = (hits / total if total else np.nan for total in (listed, wrong))
    return precision, recall


def means(rows: list[tuple[float, float, float]]) -> tuple[float, ...]:
    """Return the mean of each column over its numbers, NaN where it has none."""
    columns = (np.array(column)[~np.isnan(column)] for column in zip(*rows, strict=True))
    return tuple(float(column.mean()) if len(column) else np.nan for column in columns)


def of_images() -> None:
    data = load()
    print(f"listed | precision | recall, means over {len(SEEDS)} seeds")
    for count in LABELED:
        for noise in NOISE:
            drawn = [labeled(data, count, noise, seed) for seed in SEEDS]
            print(f"{count} labels, {noise:.0%} wrong", flush=True)
            for name, rule in RULES.items():
                listed, precision, recall = means(
                    [row(rule(data, one), one.wrong) for one in drawn]
                )
                print(f"  {name:30} {listed:5.1%} | {precision:.2f} | {recall:.2f}", flush=True)


def of_boxes() -> None:
    print("boxes: listed | precision | recall; images listed | precision")
    for noise in BOX_NOISE:
        detected = spoiled_boxes.detected(noise)
        for seed in SEEDS:
            print(f"  {noise:.0%} wrong, seed {seed}: {boxes_listed(detected, noise, seed)}")
        sys.stdout.flush()


def boxes_listed(detected: spoiled_boxes.Detected, noise: float, seed: int) -> str:
    rng, tasks = np.random.default_rng([seed, 2]), [*map(TaskId, range(len(detected.truths)))]
    spoiled = [spoil(one, detected.labels, noise, rng) for one in detected.truths]
    given = [one.given for one in spoiled]
    listed = find_box_issues(tasks, given, detected.predictions)
    errors = {(task, place) for task in tasks for place in range(len(spoiled[task].errors))}
    found = {(one.task, spoiled[one.task].place_of(one.predicted)) for one in listed}
    boxes = sum(len(one.regions) for one in given)
    precision, recall = quality(len(found & errors), len(listed), len(errors))
    wrong = {task for task, _ in errors}
    images = {one.task for one in find_box_label_issues(tasks, given, detected.predictions)}
    image_precision, _ = quality(len(images & wrong), len(images), len(wrong))
    return (
        f"{len(listed) / boxes:5.1%} | {precision:.2f} | {recall:.2f}; "
        f"{len(images) / len(tasks):5.1%} | {image_precision:.2f}"
    )


def main(what: str) -> None:
    if what != "boxes" and DATA.is_dir():
        of_images()
    if what != "images" and detection.START.is_file():
        of_boxes()
    if not (DATA.is_dir() and detection.START.is_file()):
        sys.exit(f"some labels could not be spoiled: {DATA} or {detection.START} is missing")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
