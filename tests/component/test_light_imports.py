import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import sys, backend.{module}
runtimes = {{"torch", "torchvision", "ultralytics", "transformers", "onnxruntime"}}
heavy = runtimes | {{"cv2", "matplotlib"}}
print(*heavy & sys.modules.keys())
"""
PRELOAD = """
import os, pathlib, sys
from backend import rq_entry, settings
rq_entry.preload(settings.Settings(data_dir=pathlib.Path(sys.argv[1])))
assert {"matplotlib", "scipy"} <= sys.modules.keys()
assert int(os.environ["GOMP_SPINCOUNT"]) <= 10_000
runtimes = {"torch", "torchvision", "ultralytics", "transformers", "onnxruntime"}
print(*runtimes & sys.modules.keys())
"""


@pytest.mark.parametrize(
    "module", ["processes.worker", "processes.warm_up", "processes.supervisor", "jobs.boundary"]
)
def test_the_parents_of_work_horses_load_no_model_runtime(module: str):
    command = [sys.executable, "-c", LOOK.format(module=module)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout.strip() == ""


def test_what_a_worker_loads_before_it_forks_is_no_model_runtime(tmp_path: Path):
    command = [sys.executable, "-c", PRELOAD, str(tmp_path)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout.strip() == ""
