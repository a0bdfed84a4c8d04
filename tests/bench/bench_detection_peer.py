"""Rectangles on a CPU: our predictions beside the usual backend, which calls Ultralytics by image.

    python -m tests.bench.bench_detection_peer --epochs 5 --rounds 5

Trains a detector on blood cells, exports it, and runs the same files through three ways in turn:
ours (ONNX Runtime, read ahead in threads), ours with torch, as a version without an ONNX file does,
and the peer, `YOLO(checkpoint).predict(file)` for one image after the other. Prints images a second
at 100 images and at one, the ratios of their medians, and mAP50 of both networks on 200 images.
Processor time counts all threads; other programs disturb it less than the clock.
"""

import argparse
import gc
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.domain.ids import Label
from backend.models.detection.family import DetectorFamily
from backend.models.detection.inference import detect
from backend.models.detection.ultralytics_engine import setup
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.detection.ultralytics_engine.onnx_network import OnnxNetwork
from tests.bench import bench_detection as detection
from tests.fakes.detection_training_sets import RecordedProgress, fetch

MANY = 100


def ways(folder: Path, engine: UltralyticsEngine, labels: list[Label]) -> dict[str, Any]:
    """Each way takes images and returns what it finds in them."""
    fast = engine.load(folder)
    assert isinstance(fast, OnnxNetwork), "the network was not exported"
    slow = engine._network(folder / "weights.pt", None)
    peer = setup.import_configured(folder).YOLO(str(folder / "weights.pt"))
    options = {"imgsz": detection.SIZE, "device": "cpu", "verbose": False}

    def ours(network: Any) -> Callable[[Any], Any]:
        return lambda refs: detect(network, refs, fetch, labels, 0.05, RecordedProgress())

    return {
        "ours": ours(fast),
        "ours with torch": ours(slow),
        "peer": lambda refs: [peer.predict(ref.uri, **options) for ref in refs],
    }


def race(ways: dict[str, Any], refs: Any, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the medians of images a second by the clock and by the processors."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            _, seconds, cpu = detection.clocked(lambda work=work: work(refs))
            rates[name].append((len(refs) / seconds, len(refs) / cpu))
    return {
        name: (statistics.median(w for w, _ in found), statistics.median(c for _, c in found))
        for name, found in rates.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    detection.TEST = 200
    split = detection.split(seed=0)
    threads = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = UltralyticsEngine(str(detection.START), folder, threads=threads)
        family = DetectorFamily(engine, image_size=detection.SIZE, epochs=chosen.epochs)
        family.fit(split.training_set).save(folder)
        racing = ways(folder, engine, list(split.training_set.control.labels))
        for work in racing.values():
            work(split.test[:5])
        gc.collect()
        gc.freeze()  # as our workers do once all is loaded; helps the peer as well
        for count, rounds in ((MANY, chosen.rounds), (1, 10 * chosen.rounds)):
            found = race(racing, split.test[:count], rounds)
            for way, (wall, cpu) in found.items():
                print(f"{count} images, {way}: {wall:.1f} images/s, {cpu:.1f} by the processors")
            wall, cpu = (found["ours"][k] / found["peer"][k] for k in (0, 1))
            print(
                f"{count} images, ours / peer: {wall:.2f} ({cpu:.2f} by the processors)", flush=True
            )
        networks = engine.load(folder), engine._network(folder / "weights.pt", None)
        ours, theirs = (detection.map50(network, split) for network in networks)
        print(f"mAP50 with ONNX {ours:.4f}, with torch {theirs:.4f}; 0.002 apart at most wanted")


if __name__ == "__main__":
    main()
