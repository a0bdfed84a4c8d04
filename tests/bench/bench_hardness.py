"""Do the hard examples hold the mistakes? Prints what share of them lies in the hard tenth.

Against confidence alone, against what the best order could reach, with and without answers to
altered copies of the images; means over seeds, on the clothing photos:

    python -m tests.bench.bench_hardness
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from backend.domain import Algorithm, Choice, ImageRef, TaskId
from backend.models.classification.classifier import Classifier
from backend.models.embedding.gallery import open_gallery
from backend.pictures import Pictures
from backend.policies.correctness import right
from backend.policies.hardness import examine
from backend.policies.miners.evidence import Evidence
from backend.settings import Settings
from tests.bench.bench_few_shot import DATA, Data, Folder, drawn, lesson, load, silent

SHOTS, SEEDS = (5, 20, 60), range(3)

ALTERED = {
    19: lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 150)),
    20: ImageOps.mirror,
    21: lambda image: ImageOps.crop(image, round(min(image.size) / 10)),
}


def views(data: Data, folder: Path) -> dict[int, Pictures]:
    """The same images blurred, mirrored and cropped, as the backbone sees them."""
    found = {}
    for number, alter in ALTERED.items():
        paths = []
        for position, path in enumerate(data.files.paths):
            paths.append(folder / f"{number}-{position}.jpg")
            with Image.open(path) as image:
                alter(image.convert("RGB")).save(paths[-1], quality=95)
        refs = [ImageRef(TaskId(position), str(path)) for position, path in enumerate(paths)]
        settings = Settings(data_dir=folder, device="cpu")
        found[number] = open_gallery(settings, Folder(tuple(paths))).look(refs, silent)[0]
    return found


def share_caught(hardness: np.ndarray, wrong: np.ndarray, share: float = 0.1) -> float:
    first = np.argsort(-hardness, kind="stable")[: round(share * len(wrong))]
    return float(wrong[first].sum() / wrong.sum())


def measure(data: Data, altered: dict[int, Pictures], shots: int, seed: int) -> dict[str, float]:
    train, rest = drawn(data.truth, shots, seed)
    task = lesson(data, train, rest, Algorithm.FAST, seed)
    model = Classifier().fit(task)
    said = model.predict(task.unlabeled, data.files.path, silent)
    wrong = ~right(said.answers, [Choice((data.labels[k],)) for k in data.truth[rest]])
    evidence = Evidence(data.control, task.unlabeled, said, task.train, task.train_answers)
    seen = {
        number: model.predict(pictures.take(rest), data.files.path, silent)
        for number, pictures in altered.items()
    }
    plain = examine(evidence)
    full = examine(
        Evidence(data.control, task.unlabeled, said, task.train, task.train_answers, seen)
    )
    hard = {example.task for example in full.examples}
    is_hard = np.array([position in hard for position in rest])
    if seed == 0:
        for example in full.examples[:2]:
            print(f"    {example.text}")
    return {
        "wrong": wrong.mean(),
        "confidence alone": share_caught(1 - said.confidence, wrong),
        "ours, no views": share_caught(plain.coefficients, wrong),
        "ours": share_caught(full.coefficients, wrong),
        "best possible": min(1.0, round(0.1 * len(wrong)) / wrong.sum()),
        "called hard": is_hard.mean(),
        "mistakes in them": wrong[is_hard].sum() / wrong.sum(),
    }


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"no images to find mistakes in: {DATA} is missing")
    data = load()
    with tempfile.TemporaryDirectory() as folder:
        altered = views(data, Path(folder))
    print("share of all mistakes in the hard tenth; then how many are called hard")
    for shots in SHOTS:
        rows = [measure(data, altered, shots, seed) for seed in SEEDS]
        means = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
        words = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
        print(f"{shots:3} labels a class: {words}", flush=True)


if __name__ == "__main__":
    main()
