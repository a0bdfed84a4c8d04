"""Faults that `autolabel doctor` finds without Label Studio: each is named, with a hint."""

import shutil
from collections import namedtuple

import pytest
from typer.testing import CliRunner

from backend.cli import doctor
from backend.cli.commands import app
from backend.cli.diagnosis import diagnosis_lines
from backend.processes.label_studio_server import free_port
from backend.settings import Settings

Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings with which nothing runs."""
    return Settings(
        label_studio_url=f"http://127.0.0.1:{free_port()}",
        public_url=f"http://127.0.0.1:{free_port()}",
        data_dir=tmp_path / "data",
        device="cpu",
    )


def finding(name, settings):
    (found,) = (one for one in doctor.examine(settings).checks if one.name == name)
    return found


def changed(settings, **changes):
    return settings.model_copy(update=changes)


def test_a_fault_is_an_exit_status_and_a_hint(redis_url, tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    env = {
        "LABEL_STUDIO_URL": url,
        "AUTOLABEL_REDIS_URL": redis_url,
        "AUTOLABEL_DATA_DIR": str(tmp_path),
        "COLUMNS": "200",
    }
    done = CliRunner(env=env).invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "FAIL Label Studio" in done.stdout
    assert "LABEL_STUDIO_URL" in done.stdout
    assert "ok   Redis" in done.stdout


def test_a_wrong_url_is_named_with_the_setting(settings):
    url = f"http://127.0.0.1:{free_port()}"
    found = finding("Label Studio", changed(settings, label_studio_url=url))
    assert not found.good
    assert url in found.found
    assert "LABEL_STUDIO_URL" in found.hint


def test_a_missing_worker_is_distinguished_from_a_missing_redis(settings, redis_url, no_redis):
    idle = changed(settings, redis_url=redis_url)
    assert finding("Redis", idle).good
    assert finding("worker", idle).found == "no worker takes jobs"
    assert "autolabel worker" in finding("worker", idle).hint

    down = finding("Redis", changed(settings, redis_url=no_redis))
    assert not down.good
    assert "AUTOLABEL_REDIS_URL" in down.hint


def test_a_web_part_that_does_not_run_is_named(settings):
    found = finding("web", settings)
    assert not found.good
    assert "AUTOLABEL_PUBLIC_URL" in found.hint


@pytest.mark.parametrize(
    ("check", "change", "setting"),
    [
        ("backbone", {"backbone_weights": "nowhere.pt"}, "AUTOLABEL_BACKBONE_WEIGHTS"),
        ("detector", {"detector": "nowhere/yolo.pt"}, "AUTOLABEL_DETECTOR"),
        ("device", {"device": "cuda:99"}, "AUTOLABEL_DEVICE"),
    ],
)
def test_a_missing_file_or_device_is_named_with_its_setting(
    settings, tmp_path, check, change, setting
):
    ((name, value),) = change.items()
    value = tmp_path / value if name == "backbone_weights" else value
    found = finding(check, changed(settings, **{name: value}))
    assert not found.good
    assert setting in found.found + found.hint


def test_a_disk_that_is_nearly_full_is_found(settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - 10**8, 10**8))
    found = finding("disk", settings)
    assert not found.good
    assert "0.1 GB free" in found.found
    assert "AUTOLABEL_DATA_DIR" in found.hint


def test_a_data_folder_that_cannot_be_written_is_found(settings, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    found = finding("disk", changed(settings, data_dir=tmp_path / "file" / "data"))
    assert not found.good
    assert "AUTOLABEL_DATA_DIR" in found.hint


def test_an_open_backend_is_named_with_the_settings_that_close_it(settings):
    found = finding("exposure", changed(settings, host="0.0.0.0"))
    assert not found.good
    assert "AUTOLABEL_BASIC_AUTH_USER" in found.hint
    wanted = finding("exposure", changed(settings, host="0.0.0.0", insecure=True))
    assert wanted.good
    assert "AUTOLABEL_INSECURE is set: everyone who reaches 0.0.0.0" in wanted.found
    assert "only this machine" in finding("exposure", settings).found


@pytest.mark.parametrize("name", ["label_studio_url", "public_url"])
def test_no_password_of_an_address_is_shown(settings, name):
    host = f"127.0.0.1:{free_port()}"
    diagnosis = doctor.examine(changed(settings, **{name: f"http://ann:s3cret@{host}"}))
    shown = "\n".join(diagnosis_lines(diagnosis))
    assert host in shown
    assert "s3cret" not in shown


def test_no_part_of_the_password_of_redis_is_shown(settings):
    found = finding("Redis", changed(settings, redis_url="redis://:s3cr/et@redis:6379"))
    assert "s3cr" not in found.found + found.hint
    assert "%2F" in found.hint
