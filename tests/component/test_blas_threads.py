"""Thread counts of BLAS, in processes of their own: the tests' own process has loaded more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTED = """
import json, pathlib, sys
{start}
from threadpoolctl import threadpool_info
print(json.dumps([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]))
"""
JOB = """
from backend import rq_entry, settings
rq_entry.preload(settings.Settings(data_dir=pathlib.Path(sys.argv[1])))
"""
WEB = """
from backend import settings, wiring
from backend.cli import servers
from backend.web import app
app.serve = lambda *_: None
servers.serve()
"""
FREE = "import numpy"


def blas_threads(start: str, folder: Path) -> list[int]:
    environment = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}
    environment |= {"OPENBLAS_NUM_THREADS": "2", "AUTOLABEL_DATA_DIR": str(folder)}
    environment |= {"LABEL_STUDIO_URL": "http://localhost:9", "LABEL_STUDIO_API_KEY": "f" * 40}
    command = [sys.executable, "-c", COUNTED.format(start=start), str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core allows one thread anyway")
def test_blas_alone_takes_several_threads(tmp_path: Path) -> None:
    assert set(blas_threads(FREE, tmp_path)) == {2}


@pytest.mark.parametrize("start", [JOB, WEB], ids=["job", "web"])
def test_each_blas_of_a_job_and_of_the_web_process_takes_one_thread(
    start: str, tmp_path: Path
) -> None:
    assert set(blas_threads(start, tmp_path)) == {1}
