"""The files of docker/, read without a container engine."""

from pathlib import Path

import yaml

DOCKER = Path(__file__).parents[2] / "docker"


class Compose(yaml.SafeLoader):
    """YAML with the tags of compose."""


Compose.add_constructor("!reset", lambda _loader, _node: None)
