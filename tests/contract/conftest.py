"""A client of the app, with a fake backend behind it."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.settings import Settings
from backend.web.app import create_app
from tests.fakes.backend import FakeBackend
from tests.fakes.compiled_pages import compiled_once
from tests.fakes.domain import a_project, a_version
from tests.fakes.label_studio import FakeProjects
from tests.fakes.versions import FakeVersions


@pytest.fixture
def backend() -> FakeBackend:
    """One project, number 2, with two versions of which the first is in use."""
    project, version = a_project(), a_version()
    return FakeBackend(
        label_studio=FakeProjects({project.id: project}),
        versions=FakeVersions([a_version("al-0002-77aa"), version], {project.id: version.name}),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def client(backend: FakeBackend, settings: Settings) -> FlaskClient:
    return compiled_once(create_app(backend, settings)).test_client()
