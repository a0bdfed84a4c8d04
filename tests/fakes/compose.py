"""The files of docker/, read without a container engine."""

from pathlib import Path

DOCKER = Path(__file__).parents[2] / "docker"
