"""The only reader of the environment.

Every setting is an environment variable or a line of `.env` in the working directory. Ours begin
with `AUTOLABEL_`; an unknown one is an error that names the nearest known one, because a setting
with a typo that is silently ignored costs an afternoon.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.errors import BadInput

PREFIX = "AUTOLABEL_"


def _without_trailing_slash(url: str) -> str:
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_without_trailing_slash)]


class Settings(BaseSettings):
    """Where things are and how much of them to use. Times are in seconds unless named."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    label_studio_url: Url = Field("http://localhost:8080", validation_alias="LABEL_STUDIO_URL")
    label_studio_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="LABEL_STUDIO_API_KEY", description="legacy token or PAT"
    )
    host: str = "127.0.0.1"
    port: int = Field(9090, ge=0, le=65535)
    public_url: Url = Field("http://localhost:9090", description="how Label Studio reaches us")
    data_dir: Path = Field(Path("~/.autolabel"), validate_default=True)
    redis_url: str = Field("", description="empty: `autolabel up` starts a Redis of its own")
    basic_auth_user: str = ""
    basic_auth_password: SecretStr = SecretStr("")

    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    backbone: str = "efficientnet_lite0"
    backbone_weights: Path | None = Field(None, description="a local file for the backbone")
    detector: str = Field("yolo11n.pt", description="Ultralytics name or path, torchvision:NAME")
    nms_across_labels: bool = Field(
        False, description="of overlapping rectangles with different labels, keep only the best"
    )
    threads: int = Field(0, ge=0, description="CPU threads of a worker; 0: all cores")
    seed: int = 0

    min_labels: int = Field(2, ge=2, description="may be raised, never lowered")
    min_images_per_label: int = Field(5, ge=5, description="may be raised, never lowered")
    max_train_minutes: float = Field(30, gt=0)
    keep_versions: int = Field(10, ge=2)
    predict_seconds: float = Field(45, gt=0, description="time that one /predict may compute")

    auto_train: bool = Field(True, description="start trainings when people annotated enough")
    train_debounce_seconds: float = Field(
        30, ge=0, description="quiet time before a training starts by itself"
    )
    train_cooldown_seconds: float = Field(
        120, ge=0, description="least time between two trainings that start by themselves"
    )
    train_gain: float = Field(
        0.1, gt=0, lt=1, description="share of the error that the next training should remove"
    )
    train_fewest: int = Field(
        10, ge=1, description="fewest new annotations that are worth another training"
    )
    next_picks: int = Field(40, ge=0, le=200, description="images in the tab `Label next`")
    viewed_images: int = Field(
        300, ge=0, description="least certain images whose altered copies are looked at"
    )

    local_files_root: Path | None = None
    max_image_megabytes: float = Field(64, gt=0)
    max_image_megapixels: float = Field(80, gt=0)
    fetch_seconds: float = Field(30, gt=0, description="time that one image may take")
    fetch_workers: int = Field(8, ge=1, le=64)
    image_cache_gigabytes: float = Field(20, gt=0)
    label_studio_patience: float = Field(
        120, ge=0, description="how long a job waits for a Label Studio that went away"
    )

    @field_validator("data_dir", "local_files_root", "backbone_weights")
    @classmethod
    def _expanded(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        BadInput: naming the variable that is unknown or has a value that does not fit.
    """
    environment = os.environ if environment is None else environment
    _refuse_unknown({**dotenv_values(".env"), **environment})
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        name = _variable(str(first["loc"][0]))
        raise BadInput(f"{name}: {first['msg']}", "Correct it in the environment or .env") from exc


def variables() -> tuple[str, ...]:
    """The names of all settings, as they stand in the environment."""
    return tuple(_variable(name) for name in Settings.model_fields)


def environment(settings: Settings) -> dict[str, str]:
    """What to set in a child process so that it loads the same settings."""
    given = ((field, getattr(settings, field)) for field in settings.model_fields_set)
    return {
        _variable(field): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for field, value in given
        if value is not None
    }


def _variable(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else ""
    return alias if isinstance(alias, str) and alias else _prefixed(field)


def _prefixed(field: str) -> str:
    return field if field.isupper() else PREFIX + field.upper()


def _refuse_unknown(environment: Mapping[str, object]) -> None:
    known = variables()
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise BadInput(f"unknown setting {name}", f"Did you mean {near[0]}?")
