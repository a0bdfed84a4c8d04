import subprocess
import sys

import pytest

LOOK = """
import sys, backend.{module}
heavy = {{"torch", "torchvision", "ultralytics", "onnxruntime", "cv2", "matplotlib"}}
sys.exit(" ".join(heavy & sys.modules.keys()))
"""


@pytest.mark.parametrize("module", ["worker", "supervisor", "job_run"])
def test_the_parents_of_work_horses_load_no_model_runtime(module: str):
    command = [sys.executable, "-c", LOOK.format(module=module)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stderr.strip() == ""
