"""Reading the environment."""

from pathlib import Path

import pytest

from backend import settings
from backend.domain.errors import BadInput
from backend.presentation import terminal_views
from backend.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def load(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def test_a_setting_is_read_under_its_public_name(monkeypatch):
    read = load(monkeypatch, AUTOLABEL_MIN_LABELS="3", LABEL_STUDIO_URL="http://studio:8080/")
    assert read.min_labels == 3
    assert read.label_studio_url == "http://studio:8080"


def test_a_setting_with_a_typo_is_an_error_that_names_the_nearest(monkeypatch):
    with pytest.raises(BadInput, match=r"Did you mean AUTOLABEL_BACKBONE\?"):
        load(monkeypatch, AUTOLABEL_BAKCBONE="efficientnet_lite0")


KUBERNETES = {
    "AUTOLABEL_SERVICE_HOST": "10.96.12.7",
    "AUTOLABEL_SERVICE_PORT": "9090",
    "AUTOLABEL_SERVICE_PORT_HTTP": "9090",
    "AUTOLABEL_PORT": "tcp://10.96.12.7:9090",
    "AUTOLABEL_PORT_9090_TCP": "tcp://10.96.12.7:9090",
    "AUTOLABEL_PORT_9090_TCP_ADDR": "10.96.12.7",
    "AUTOLABEL_REDIS_SERVICE_HOST": "10.96.12.8",
    "AUTOLABEL_REDIS_PORT": "tcp://10.96.12.8:6379",
    "AUTOLABEL_REDIS_PORT_6379_TCP_PROTO": "tcp",
    "AUTOLABEL_NAME": "/label-studio/autolabel",  # these two of a Docker link
    "AUTOLABEL_ENV_PYTHON_VERSION": "3.12.4",
}


def test_variables_that_kubernetes_sets_for_services_are_passed_over(monkeypatch):
    read = load(monkeypatch, **KUBERNETES)
    assert read.port == 9090
    assert settings.environment(read).get("AUTOLABEL_PORT", "9090") == "9090"


def test_a_typo_beside_them_is_still_an_error(monkeypatch):
    with pytest.raises(BadInput, match="AUTOLABEL_REDIS_PORT"):
        load(monkeypatch, **{**KUBERNETES, "AUTOLABEL_REDIS_PORT": "6379"})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("label-studio:8080", "http://label-studio:8080"),
        ("10.0.0.7:8080/", "http://10.0.0.7:8080"),
        (" https://labels.example/studio/ ", "https://labels.example/studio"),
    ],
)
def test_an_address_may_lack_its_scheme(monkeypatch, given, read):
    assert load(monkeypatch, LABEL_STUDIO_URL=given).label_studio_url == read
    assert load(monkeypatch, LABEL_STUDIO_PUBLIC_URL="").label_studio_public_url == ""


def test_a_typo_in_the_env_file_is_found_too(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("AUTOLABEL_PORTS=9191\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"Did you mean AUTOLABEL_PORT\?"):
        settings.load()


def test_an_env_file_saved_on_windows_is_read_from_its_first_line_on(monkeypatch, tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfAUTOLABEL_PORT=9191\r\n")
    monkeypatch.chdir(tmp_path)
    assert settings.load().port == 9191


def test_an_env_file_that_is_no_text_is_named(monkeypatch, tmp_path):
    (tmp_path / ".env").write_bytes(b"AUTOLABEL_BASIC_AUTH_USER=\xe4\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"cannot read \.env"):
        settings.load()


def test_an_empty_folder_is_none_and_not_the_working_directory(monkeypatch):
    read = load(
        monkeypatch,
        AUTOLABEL_DATA_DIR="",
        AUTOLABEL_LOCAL_FILES_ROOT="",
        AUTOLABEL_BACKBONE_WEIGHTS="",
    )
    assert read.data_dir == Path("~/.autolabel").expanduser()
    assert (read.local_files_root, read.backbone_weights) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTOLABEL_MIN_IMAGES_PER_LABEL", "4"),
        ("AUTOLABEL_MIN_LABELS", "0"),
        ("AUTOLABEL_PORT", "many"),
        ("AUTOLABEL_DEVICE", "gpu"),
        ("AUTOLABEL_HARD_THRESHOLD", "1.5"),
        ("AUTOLABEL_HARD_SHARE", "0"),
        ("AUTOLABEL_HARD_WEIGHTS", '{"1": 1.5}'),
        ("AUTOLABEL_HARD_WEIGHTS", '{"32": 0.5}'),
        ("AUTOLABEL_HARD_WEIGHTS", '{"low confidence": 0.5}'),
        ("AUTOLABEL_HARD_WEIGHTS", "1: 0.5"),
        ("AUTOLABEL_IMAGE_CACHE_GIGABYTES", "inf"),
        ("AUTOLABEL_FETCH_SECONDS", "nan"),
        ("AUTOLABEL_DATA_DIR", "~nobody-of-this-name/data"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_variable(monkeypatch, name, value):
    with pytest.raises(BadInput, match=name):
        load(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("AUTOLABEL_BASIC_AUTH_USER", "AUTOLABEL_BASIC_AUTH_PASSWORD"),
        ("AUTOLABEL_BASIC_AUTH_PASSWORD", "AUTOLABEL_BASIC_AUTH_USER"),
    ],
)
def test_half_of_a_login_protects_nothing_and_is_refused(monkeypatch, given, missing):
    with pytest.raises(BadInput, match=f"{missing} is missing"):
        load(monkeypatch, **{given: "ann"})


def test_a_user_name_with_a_colon_locks_everyone_out_and_is_refused(monkeypatch):
    with pytest.raises(BadInput, match="colon"):
        load(monkeypatch, AUTOLABEL_BASIC_AUTH_USER="a:b", AUTOLABEL_BASIC_AUTH_PASSWORD="c")


@pytest.mark.parametrize("name", ["autolabel_port", "label_studio_url", "Autolabel_Typo"])
def test_a_name_in_other_letters_than_capitals_is_refused(monkeypatch, name):
    with pytest.raises(BadInput, match=f"unknown setting {name}"):
        load(monkeypatch, **{name: "1"})


def test_weights_of_single_reasons_are_a_json_object(monkeypatch):
    read = load(monkeypatch, AUTOLABEL_HARD_WEIGHTS='{"1": 0.5, "20": 0}')
    assert read.hard_weights == {1: 0.5, 20: 0}
    assert load(monkeypatch, AUTOLABEL_HARD_WEIGHTS="").hard_weights == {}


def test_a_child_process_reads_the_weights_that_its_parent_read(monkeypatch):
    read = load(monkeypatch, AUTOLABEL_HARD_WEIGHTS='{"1": 0.5}')
    assert load(monkeypatch, **settings.environment(read)) == read


def test_secrets_are_masked_wherever_settings_are_shown(monkeypatch):
    read = load(
        monkeypatch,
        LABEL_STUDIO_API_KEY="top-secret",
        AUTOLABEL_BASIC_AUTH_USER="ann",
        AUTOLABEL_BASIC_AUTH_PASSWORD="hidden",
    )
    shown = repr(read) + str(settings.table(read))
    assert "top-secret" not in shown
    assert "hidden" not in shown
    assert read.label_studio_api_key.get_secret_value() == "top-secret"


@pytest.mark.parametrize("login", [":hidden", "ann:hidden", "ann:hid/d@en"])
def test_the_login_of_an_address_is_masked_and_its_host_shown(monkeypatch, login):
    read = load(monkeypatch, AUTOLABEL_REDIS_URL=f"redis://{login}@redis:6379/0")
    shown = {name: value for name, value, _ in settings.table(read)}
    assert shown["AUTOLABEL_REDIS_URL"] == "redis://**********@redis:6379/0"


def test_every_setting_says_what_it_means():
    assert all(words for _, _, words in settings.table(Settings.model_construct()))


def test_the_page_of_settings_is_what_the_command_prints():
    page = terminal_views.settings_markdown(settings.table(Settings.model_construct()))
    assert (DOCS / "settings.md").read_text() == page
