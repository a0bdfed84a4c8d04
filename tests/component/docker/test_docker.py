"""What can be said of the Dockerfile and the compose file without a container engine."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr

from backend.processes.exposure import refuse_open
from backend.settings import Settings
from tests.fakes.compose import DOCKER


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_the_dockerfile_has_no_lint():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_label_studio_is_built_with_our_action_in_its_menu(compose):
    build = compose["services"]["label-studio"]["build"]
    stage = (DOCKER / "Dockerfile").read_text().partition(f" AS {build['target']}\n")[2]
    source, target = re.search(r"COPY (\S+) \\\s+(\S+)", stage).groups()
    assert (DOCKER.parent / source).is_file()
    assert target.endswith("/label_studio/data_manager/actions/autolabel_action.py")


def test_the_image_runs_as_an_ordinary_user_and_has_a_health_check():
    ours, _, _ = (DOCKER / "Dockerfile").read_text().partition("\n# Label Studio with")
    base, *stages = ours.split("\nFROM base")
    assert "HEALTHCHECK" in base
    assert len(stages) == 2
    for stage in stages:
        assert "USER 1000" in stage


def test_a_random_user_of_group_0_can_write_the_data_folder_and_has_a_home():
    text = (DOCKER / "Dockerfile").read_text()
    assert re.search(r"install -d -o autolabel -g root -m 2775 /data", text)
    for variable in ("HOME=/data", "USER=autolabel"):
        assert variable in text


def test_label_studio_accepts_the_backends_name_for_webhooks(compose):
    url = urlsplit(compose["services"]["web"]["environment"]["AUTOLABEL_PUBLIC_URL"])
    assert "." in url.hostname
    assert url.hostname in compose["services"]["web"]["networks"]["default"]["aliases"]
    studio = compose["services"]["label-studio"]["environment"]
    assert studio["ML_BLOCK_LOCAL_IP"] == studio["SSRF_PROTECTION_ENABLED"] == "false"


def test_web_and_worker_are_one_image_with_another_command(compose):
    web, worker = compose["services"]["web"], compose["services"]["worker"]
    assert web["image"] == worker["image"]
    assert web["volumes"] == worker["volumes"]
    assert (web["command"], worker["command"]) == ("autolabel serve", "autolabel worker")


def test_a_stop_reaches_them_at_once_though_a_first_process_ignores_signals(compose):
    assert all(compose["services"][name]["init"] for name in ("web", "worker"))


def test_secrets_come_from_the_environment_and_have_no_default(compose):
    environment = compose["services"]["web"]["environment"]
    for name in ("LABEL_STUDIO_API_KEY", "AUTOLABEL_BASIC_AUTH_PASSWORD"):
        assert environment[name].startswith("${" + name + ":?")


def test_the_web_process_of_the_compose_file_starts_though_it_listens_on_a_network(compose):
    given = {**compose["services"]["web"]["environment"], "AUTOLABEL_HOST": "0.0.0.0"}
    assert "AUTOLABEL_HOST=0.0.0.0" in (DOCKER / "Dockerfile").read_text()
    login = SecretStr(given["AUTOLABEL_BASIC_AUTH_PASSWORD"])
    user = given["AUTOLABEL_BASIC_AUTH_USER"]
    refuse_open(Settings(host="0.0.0.0", basic_auth_user=user, basic_auth_password=login))


def test_what_must_last_lies_in_volumes(compose):
    for service in ("label-studio", "postgres", "redis", "web", "worker"):
        source = compose["services"][service]["volumes"][0].split(":")[0]
        assert source in compose["volumes"]


def test_nothing_listens_beyond_this_machine_by_default(compose):
    ports = [port for one in compose["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_kind_of_machine_has_a_profile_with_a_web_process_and_a_worker(compose):
    profiles = {}
    for name, service in compose["services"].items():
        for profile in service.get("profiles", ["always"]):
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "always": {"label-studio", "redis"},
        "cpu": {"web", "worker"},
        "gpu": {"web-gpu", "worker-gpu"},
        "postgres": {"postgres"},
    }


def test_the_services_with_a_gpu_differ_in_nothing_but_image_and_device(compose):
    for name in ("web", "worker"):
        cpu, gpu = compose["services"][name], compose["services"][f"{name}-gpu"]
        differing = {key for key in cpu | gpu if cpu.get(key) != gpu.get(key)}
        assert differing == {"image", "build", "profiles", "deploy"}
        assert gpu["build"]["target"] == "cuda"


def test_a_training_has_shared_memory_for_its_data_loaders(compose):
    assert compose["services"]["worker"]["shm_size"] == "2gb"


def test_label_studio_finds_the_postgresql_of_the_profile(compose):
    studio = compose["services"]["label-studio"]["environment"]
    database = compose["services"]["postgres"]["environment"]
    assert studio["POSTGRE_HOST"] in compose["services"]
    assert studio["POSTGRE_NAME"] == database["POSTGRES_DB"]
    assert studio["POSTGRE_USER"] == database["POSTGRES_USER"]
    assert studio["POSTGRE_PASSWORD"] == database["POSTGRES_PASSWORD"]
