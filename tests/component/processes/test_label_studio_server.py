import os
import socket
import time

import pytest

from backend.domain.errors import LabelStudioUnreachable, Unavailable
from backend.processes.label_studio_server import LabelStudioProcess, free_port


def command(folder, script):
    path = folder / "label-studio"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def process(folder, script, port=None):
    return LabelStudioProcess(command(folder, script), folder / "data", port or free_port())


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition, seconds=60):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.02)


def test_a_taken_port_is_refused_and_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=str(port)):
            process(tmp_path, "sleep 600", port).start()


def test_a_missing_binary_is_named(tmp_path):
    missing = LabelStudioProcess(tmp_path / "nowhere", tmp_path / "data", free_port())

    with pytest.raises(Unavailable, match="nowhere cannot be run"):
        missing.start()


def test_one_that_ends_while_starting_points_to_its_log(tmp_path):
    failing = process(tmp_path, "echo no database; exit 3")
    failing.start()

    with pytest.raises(LabelStudioUnreachable, match="ended while starting") as ended:
        failing.wait(60)

    assert str(failing.log) in str(ended.value)
    assert "no database" in failing.log.read_text()
    failing.stop()


def test_one_that_never_answers_is_given_up(tmp_path):
    silent = process(tmp_path, "sleep 600")
    silent.start()
    try:
        with pytest.raises(LabelStudioUnreachable, match="did not start within 0 s"):
            silent.wait(0.1)
        assert silent.is_running
    finally:
        silent.stop()


def test_stopping_ends_its_children_too_and_may_be_repeated(tmp_path):
    note = tmp_path / "pids"
    parent = process(tmp_path, f"sleep 600 & echo $$ $! > {note}; wait")
    parent.start()
    eventually(lambda: note.exists() and len(note.read_text().split()) == 2)
    pids = [int(pid) for pid in note.read_text().split()]
    assert all(is_alive(pid) for pid in pids)

    parent.stop()
    parent.stop()

    eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert not parent.is_running


def test_its_account_goes_to_the_command_and_nothing_is_sent_outside(tmp_path):
    seen = tmp_path / "seen"
    one = process(tmp_path, f'echo "$@" > {seen}; env >> {seen}; echo done >> {seen}')
    one.start()
    eventually(lambda: seen.exists() and "done" in seen.read_text())
    one.stop()

    words = seen.read_text()
    assert f"--user-token {one.token}" in words
    assert f"--username {one.username}" in words
    for line in ("COLLECT_ANALYTICS=False", "LATEST_VERSION_CHECK=false", "SENTRY_DSN="):
        assert line in words.splitlines()


def test_it_writes_nothing_into_the_home_of_the_user(tmp_path):
    seen = tmp_path / "seen"
    one = process(tmp_path, f"env > {seen}; echo done >> {seen}")
    one.start()
    eventually(lambda: seen.exists() and "done" in seen.read_text())
    one.stop()

    lines = seen.read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line.startswith("XDG_") and "=" in line)
    for kind in ("CONFIG", "CACHE", "DATA"):
        assert given[f"XDG_{kind}_HOME"].startswith(str(one.data_dir))
