"""How close embedding a folder comes to the bare speed of the runtime.

Run: python -m tests.bench.bench_embedding [FOLDER ...]

Prints, for each folder, the rate of the whole path (read, digest, decode, embed, store) over the
bare rate of ONNX Runtime on prepared batches, both as one session that uses all threads and as
one batch a thread, whichever is faster. Turns are interleaved and medians taken, because other
work on the machine hurts single runs. For 12-megapixel photos the path is compared with decode
alone.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from PIL import Image

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.encoders import cpu_threads, export_path, open_encoder
from backend.models.embedding.feature_extractor import open_cached
from backend.models.images.thumbnails import decode
from backend.settings import Settings
from tests.fakes.image_files import FakeImageFiles

DATA = Path(__file__).parents[3] / "shared" / "data"
SIDE = 224
TURNS = int(os.environ.get("TURNS", "5"))
MOST = int(os.environ.get("MOST", "160"))


def rate(work: Callable[[], object], images: int) -> float:
    started = time.perf_counter()
    work()
    return images / (time.perf_counter() - started)


def bare_workers(encoder: Encoder, images: np.ndarray, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(
            pool.map(
                encoder.embed, np.split(images, range(encoder.batch, len(images), encoder.batch))
            )
        )


def bare_session(session: onnxruntime.InferenceSession, images: np.ndarray) -> None:
    for start in range(0, len(images), 16):
        session.run(None, {"images": images[start : start + 16]})


def whole(settings: Settings, paths: Sequence[Path], warming: np.ndarray) -> float:
    """The rate with nothing cached but the loaded encoder.

    It embeds `warming` before, as the bare runtime did: the first batch of an encoder takes longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "weights").symlink_to(settings.data_dir / "weights")
        fresh = settings.model_copy(update={"data_dir": Path(folder)})
        extractor = open_cached(fresh, FakeImageFiles(), backbone(fresh))
        bare_workers(extractor.encoder(), warming, cpu_threads(settings))
        refs = [ImageRef(TaskId(number), str(path)) for number, path in enumerate(paths)]
        return rate(lambda: extractor.extract(refs, lambda *_: None), len(paths))


def decode_all(paths: Sequence[Path], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda path: decode(path, SIDE, 80), paths))


def exact(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def measure(name: str, paths: Sequence[Path], settings: Settings) -> None:
    threads = cpu_threads(settings)
    chosen = backbone(settings)
    encoder = open_encoder(chosen, "cpu", settings)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(export_path(chosen, settings.data_dir), options)
    images = np.stack([decode(path, SIDE, 80).pixels for path in paths])
    turns: dict[str, list[float]] = {"workers": [], "session": [], "whole": [], "decode": []}
    for _ in range(TURNS):
        count = len(paths)
        turns["workers"].append(rate(lambda: bare_workers(encoder, images, threads), count))
        turns["whole"].append(whole(settings, paths, images[: threads * encoder.batch]))
        turns["session"].append(rate(lambda: bare_session(session, images), count))
        turns["decode"].append(rate(lambda: decode_all(paths, threads), count))
    report(name, turns, cosine(encoder, paths, images))


def cosine(encoder: Encoder, paths: Sequence[Path], images: np.ndarray) -> np.ndarray:
    """Between the vectors of the fast decode and those of exact bicubic resampling."""
    some = slice(0, 64)
    slow = np.stack([exact(path) for path in paths[some]])
    pairs = zip(encoder.embed(images[some]), encoder.embed(slow), strict=True)
    return np.array([float(a.astype(float) @ b.astype(float)) for a, b in pairs])


def report(name: str, turns: dict[str, list[float]], similar: np.ndarray) -> None:
    def against(which: str) -> float:
        return median(w / b for w, b in zip(turns["whole"], turns[which], strict=True))

    rates = "  ".join(f"{key} {median(values):6.1f}/s" for key, values in turns.items())
    print(
        f"{name:12s} {rates}  whole/workers {against('workers'):.2f}  whole/session "
        f"{against('session'):.2f}  whole/decode {against('decode'):.2f}  "
        f"cosine mean {similar.mean():.4f} min {similar.min():.4f}",
        flush=True,
    )


def twelve_megapixels(folder: Path, sources: Sequence[Path]) -> Sequence[Path]:
    paths = [folder / f"{number}.jpg" for number in range(len(sources))]
    for source, path in zip(sources, paths, strict=True):
        with Image.open(source) as image:
            image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(
                path, quality=90
            )
    return paths


def digits(folder: Path) -> Sequence[Path]:
    from sklearn.datasets import load_digits

    paths = [folder / f"{number}.png" for number in range(MOST)]
    for path, image in zip(paths, load_digits().images, strict=False):
        Image.fromarray((image * 15.9).astype(np.uint8)).save(path)
    return paths


def found(folder: Path) -> Sequence[Path]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".jpg", ".png", ".jpeg"})
    return paths[:: max(1, len(paths) // MOST)][:MOST]


def main(folders: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(data_dir=Path(scratch, "data"), device="cpu")
        if folders:
            for folder in folders:
                measure(Path(folder).name, found(Path(folder)), settings)
            return
        measure("digits", digits(Path(scratch)), settings)
        if DATA.is_dir():
            measure("clothing", found(DATA / "clothing"), settings)
            measure("coco256", found(DATA / "coco256"), settings)
            large = twelve_megapixels(Path(scratch), found(DATA / "coco256")[:24])
            measure("12 megapixel", large, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
