"""What the processes log, with real settings, and without the secrets in them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRETS = {
    "LABEL_STUDIO_API_KEY": "t0ken-of-label-studio",
    "LABEL_STUDIO_URL": "http://ann:passw0rd-of-url@studio.example",
    "AUTOLABEL_REDIS_URL": "redis://:passw%30rd/of-redis@redis.example:6379/0",
    "AUTOLABEL_BASIC_AUTH_USER": "ann",
    "AUTOLABEL_BASIC_AUTH_PASSWORD": "passw0rd-of-backend",
    "AWS_SECRET_ACCESS_KEY": "secret-of-aws",
    "AWS_SESSION_TOKEN": "session-of-aws",
}
HIDDEN = (
    "t0ken-of-label-studio",
    "passw0rd-of-url",
    "passw%30rd/of-redis",
    "passw0rd/of-redis",
    "passw0rd-of-backend",
    "secret-of-aws",
    "session-of-aws",
)
PROGRAM = """
import logging, threading
from backend.processes import logs
logs.configure(logging.INFO)
logs.log_errors_of_threads()
said = {said!r}
logging.getLogger("x").warning("it said %s", said)
try:
    raise ValueError(said)
except ValueError:
    logging.getLogger("y").exception("handled")
thread = threading.Thread(target=int, args=["of a thread: " + said])
thread.start()
thread.join()
raise RuntimeError("of the program: " + said)
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of a program that puts every secret into messages and errors."""
    program = PROGRAM.format(said=" ".join(HIDDEN))
    environment = {**os.environ, **SECRETS, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=tmp_path_factory.mktemp("no-env-file"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_errors_that_nobody_caught_are_logged_with_their_traceback(logged: str) -> None:
    for said in ("it said", "handled", "of a thread", "of the program"):
        assert said in logged
    assert "RuntimeError: of the program" in logged


@pytest.mark.parametrize("secret", HIDDEN)
def test_no_secret_is_logged(logged: str, secret: str) -> None:
    assert secret not in logged
