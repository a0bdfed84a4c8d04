"""The only reader of the environment.

Every setting is an environment variable or a line of `.env` in the working directory. Names begin
with `AUTOLABEL_`; an unknown one is an error that suggests the nearest known name, because a typo
that is silently ignored is hard to find.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from backend.domain.errors import BadInput
from backend.domain.jobs import MOST_PICKS

PREFIX = "AUTOLABEL_"
_FILE = ".env"
_ENCODING = "utf-8-sig"  # editors on Windows put a byte order mark first


_PATHS = (
    "data_dir",
    "local_files_root",
    "media_root",
    "delete_files_root",
    "backbone_weights",
    "ca_bundle",
)
"""Settings that are paths: empty means unset, and `~` is expanded."""


def _completed(url: str) -> str:
    """Return an address with its scheme, which people leave out, and without trailing slash."""
    url = url.strip().rstrip("/")
    return url if "://" in url or not url else f"http://{url}"


Url = Annotated[str, AfterValidator(_completed)]
Reason = Annotated[int, Field(ge=0, le=31)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseSettings):
    """All settings. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_FILE,
        env_file_encoding=_ENCODING,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )

    label_studio_url: Url = Field(
        "http://localhost:8080",
        validation_alias="LABEL_STUDIO_URL",
        description="base URL of Label Studio",
    )
    label_studio_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="LABEL_STUDIO_API_KEY",
        description="legacy token or personal access token; both work",
    )
    label_studio_public_url: Url = Field(
        "",
        validation_alias="LABEL_STUDIO_PUBLIC_URL",
        description="address of Label Studio in browsers and tasks; empty means LABEL_STUDIO_URL",
    )
    ca_bundle: Path | None = Field(
        None,
        description="certificate authorities to trust besides the usual ones: a PEM file; "
        "SSL_CERT_FILE and REQUESTS_CA_BUNDLE are honoured too",
    )
    host: str = Field("127.0.0.1", description="address on which the backend listens")
    port: int = Field(9090, ge=0, le=65535, description="port on which the backend listens")
    public_url: Url = Field(
        "http://localhost:9090", description="address at which Label Studio reaches the backend"
    )
    data_dir: Path = Field(
        Path("~/.autolabel"),
        validate_default=True,
        description="folder for model versions, features, cached images and job reports",
    )
    redis_url: str = Field(
        "", description="URL of a Redis or Valkey server; empty: `autolabel up` starts its own"
    )
    basic_auth_user: str = Field(
        "", description="user name for HTTP Basic authentication, on every route except /health"
    )
    basic_auth_password: SecretStr = Field(
        SecretStr(""), description="password for HTTP Basic authentication"
    )
    insecure: bool = Field(
        False, description="allow an address that is not loopback without user name and password"
    )

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 or mps",
    )
    backbone: str = Field(
        "auto",
        min_length=1,
        description="frozen image encoder: efficientnet_lite0, efficientnet_lite2, timm:NAME, "
        "torchvision:NAME, several joined by +; auto: by device and algorithm, see encoders.md",
    )
    backbone_weights: Path | None = Field(
        None, description="local weights file of the backbone, for machines without internet access"
    )
    upgrade_backbone: str = Field(
        "",
        description="a stronger encoder by which an idle worker embeds all projects; the next "
        "training takes it where it is better",
    )
    embed_ahead: bool = Field(
        True, description="let an idle worker fetch and embed new images of connected projects"
    )
    text_encoder: str = Field(
        "tfidf",
        min_length=1,
        description="encoder of texts: tfidf, fitted to each project, or "
        "sentence-transformers:NAME",
    )
    detector: str = Field(
        "yolo11n.pt",
        description="base network for rectangles: Ultralytics name or path, torchvision:NAME, "
        "transformers:NAME or PATH",
    )
    nms_across_labels: bool = Field(
        False, description="keep only the best of overlapping rectangles with different labels"
    )
    threads: int = Field(0, ge=0, description="CPU threads of a worker; 0 means all cores")
    seed: int = Field(0, description="seed of all random choices")

    min_labels: int = Field(
        2,
        ge=1,
        description="labels that must be in use before a job starts; 1 allows rectangles with a "
        "single label, choices always need 2",
    )
    min_images_per_label: int = Field(
        5, ge=5, description="labeled images that every label in use needs; at least 5"
    )
    max_train_minutes: float = Field(30, gt=0, description="time limit of one training, in minutes")
    keep_versions: int = Field(10, ge=2, description="model versions to keep per project")
    keep_jobs: int = Field(200, ge=10, description="jobs to keep per project, with their reports")
    keep_days: float = Field(
        180, gt=0, description="days to keep image features and addresses that no job used"
    )
    feature_cache_gigabytes: float = Field(
        20, gt=0, description="disk space for the image features of one backbone"
    )
    predict_seconds: float = Field(
        45, gt=0, description="time limit for computing one /predict request"
    )

    auto_train: bool = Field(
        True, description="start trainings automatically when there are enough new annotations"
    )
    poll_seconds: float = Field(
        0,
        ge=0,
        description="time between looks for new annotations where Label Studio cannot call the "
        "backend; 0 means off",
    )
    train_debounce_seconds: float = Field(
        30,
        ge=0,
        description="time without new annotations before an automatic training starts; at most 5 s "
        "before the first",
    )
    train_longest_wait_seconds: float = Field(
        300, ge=0, description="longest wait for that pause while people go on annotating"
    )
    train_cooldown_seconds: float = Field(
        120, ge=0, description="minimum time between two automatic trainings"
    )
    train_gain: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="minimum expected error reduction of an automatic training, as a fraction",
    )
    train_fewest: int = Field(
        10, ge=1, description="minimum number of new annotations for an automatic training"
    )
    train_least_share: float = Field(
        0.1, gt=0, le=1, description="minimum new annotations, as a fraction of the labeled images"
    )
    queues: str = Field(
        "jobs,shards,idle",
        pattern=r"^(jobs|shards|idle)(,(jobs|shards|idle))*$",
        description="what this worker takes, separated by commas: jobs, which train; shards of "
        "other workers' jobs, which embed; idle: cleanups, and embedding ahead",
    )
    fan_out_seconds: float = Field(
        20, ge=0, description="seconds of work from which on a job is divided; 0: never"
    )
    restarts: int = Field(
        2, ge=0, description="how often a job whose process died starts again by itself; 0: never"
    )
    hard_threshold: float = Field(
        0.2, ge=0, le=1, description="minimum difficulty coefficient of a hard example"
    )
    hard_share: float = Field(
        0.5, gt=0, le=1, description="largest fraction of the images to mark as hard examples"
    )
    hard_weights: Annotated[Mapping[Reason, Share], NoDecode] = Field(
        {},
        description='weights of reasons by number, replacing the defaults: `{"1": 0.5, "20": 0}`',
    )
    next_picks: int = Field(
        20, ge=0, le=MOST_PICKS, description="number of images in the tab `Label next`"
    )
    augmented_images: int = Field(
        100, ge=0, description="number of least confident images to check with augmented copies"
    )

    local_files_root: Path | None = Field(
        None,
        description="folder of Label Studio's local files on this machine; for all tasks",
    )
    media_root: Path | None = Field(
        None,
        description="folder in which Label Studio keeps uploads (its `media`), on this machine; "
        "for all tasks",
    )
    delete_files_root: Path | None = Field(
        None,
        description="folder below which `autolabel labels` may delete image files; none: nowhere",
    )
    max_image_megabytes: float = Field(64, gt=0, description="largest image file to download")
    max_image_megapixels: float = Field(80, gt=0, description="largest image to decode")
    fetch_seconds: float = Field(30, gt=0, description="time limit for downloading one image")
    fetch_workers: int = Field(8, ge=1, le=64, description="images downloaded in parallel")
    image_cache_gigabytes: float = Field(20, gt=0, description="disk space for cached images")
    label_studio_patience: float = Field(
        120, ge=0, description="how long a job waits while Label Studio is unreachable"
    )

    @field_validator("port", mode="before")
    @classmethod
    def _not_a_service(cls, port: object) -> object:
        """Pass over the address that Kubernetes sets for a service called `autolabel`."""
        is_service = isinstance(port, str) and _LINK.match(port)
        return cls.model_fields["port"].default if is_service else port

    @field_validator("hard_weights", mode="before")
    @classmethod
    def _decoded(cls, weights: object) -> object:
        if not isinstance(weights, str):
            return weights
        try:
            return json.loads(weights or "{}")
        except json.JSONDecodeError as exc:
            raise ValueError(f"not JSON: {exc}") from exc

    @field_validator(*_PATHS, mode="before")
    @classmethod
    def _given(cls, path: object, info: ValidationInfo) -> object:
        """Treat an empty path as unset rather than as the working directory."""
        return path or cls.model_fields[info.field_name or ""].default

    @field_validator(*_PATHS)
    @classmethod
    def _expanded(cls, path: Path | None) -> Path | None:
        try:
            return path.expanduser().absolute() if path else None
        except RuntimeError as exc:
            raise ValueError(f"{path} cannot be found: this user has no home folder") from exc


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        BadInput: naming the variable that is unknown or has an invalid value.
    """
    environment = os.environ if environment is None else environment
    _refuse_unknown({**_lines_of_file(), **environment})
    try:
        settings = Settings(**overrides)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        name = _variable(str(first["loc"][0]))
        raise BadInput(f"{name}: {first['msg']}", "Correct it in the environment or .env") from exc
    _refuse_half_of_a_login(settings)
    return settings


def variables() -> tuple[str, ...]:
    """Return the names of all environment variables."""
    return tuple(_variable(name) for name in Settings.model_fields)


def table(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, value and meaning of every setting; secrets are masked."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return [
        (
            _variable(name),
            "" if values[name] is None else _masked(_written(values[name])),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def without_login(url: str) -> str:
    """Leave user name and password out of a URL; for pages and messages."""
    return re.sub(r"(?<=://).*@", "", url)


def _masked(value: str) -> str:
    """Mask a user name and password in a URL."""
    return re.sub(r"(?<=://).*@", "**********@", value)


def environment(settings: Settings) -> dict[str, str]:
    """Return environment variables that make a child process load the same settings."""
    given = ((field, getattr(settings, field)) for field in settings.model_fields_set)
    return {
        _variable(field): (
            value.get_secret_value() if isinstance(value, SecretStr) else _written(value)
        )
        for field, value in given
        if value is not None
    }


def _written(value: object) -> str:
    """Format a value as an environment variable."""
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _variable(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else ""
    return alias if isinstance(alias, str) and alias else _prefixed(field)


def _prefixed(field: str) -> str:
    return field if field.isupper() else PREFIX + field.upper()


def _lines_of_file() -> Mapping[str, str | None]:
    try:
        return dotenv_values(_FILE, encoding=_ENCODING)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(f"cannot read {_FILE}: {exc}", "Save it as UTF-8 text") from exc


def _refuse_half_of_a_login(settings: Settings) -> None:
    """Require user and password together: one of them alone protects nothing."""
    given = {
        "basic_auth_user": settings.basic_auth_user,
        "basic_auth_password": settings.basic_auth_password.get_secret_value(),
    }
    missing = [_variable(name) for name, value in given.items() if not value]
    if len(missing) == 1:
        raise BadInput(f"{missing[0]} is missing", "Set both user and password, or neither")
    if ":" in settings.basic_auth_user:
        message = "AUTOLABEL_BASIC_AUTH_USER: a user name cannot contain a colon"
        raise BadInput(message, "Choose another user name; the password may contain one")


_SERVICE = re.compile(
    r"AUTOLABEL_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_LINK = re.compile(r"(tcp|udp|sctp)://")


def _is_of_kubernetes(name: str, value: object) -> bool:
    """Whether a variable is one that Kubernetes or a Docker link sets for a service."""
    is_port = name.startswith(PREFIX) and name.endswith("PORT")
    of_link = name.startswith("AUTOLABEL_ENV_") or name == "AUTOLABEL_NAME"
    return bool(_SERVICE.fullmatch(name) or of_link or (is_port and _LINK.match(str(value))))


def _refuse_unknown(environment: Mapping[str, object]) -> None:
    """Refuse names that are no settings, also known ones in other letters than capitals.

    Kubernetes sets variables for each service of a namespace, so one called `autolabel` brings
    names that are nobody's typos.
    """
    known = variables()
    for name, value in environment.items():
        if _is_of_kubernetes(name, value):
            continue
        is_meant = name.upper().startswith(PREFIX) or name.upper() in known
        if is_meant and name not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
            raise BadInput(f"unknown setting {name}", f"Did you mean {near[0]}?")
