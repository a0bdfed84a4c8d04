"""Label Studio as our Data Manager action sees it from inside: modules, project, tasks, ML API."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import requests
from flask import Flask
from requests.adapters import BaseAdapter

ACTION = Path(__file__).parents[2] / "connectors" / "data_manager_action" / "autolabel_action.py"


class APIException(Exception):
    pass


class ValidationError(APIException):
    """Label Studio shows the texts of `detail` in a dialog."""

    def __init__(self, detail: list[str]) -> None:
        super().__init__(*detail)
        self.detail = detail


MODULES: dict[str, dict[str, Any]] = {
    "core": {},
    "core.permissions": {"all_permissions": SimpleNamespace(tasks_change="tasks.change")},
    "rest_framework": {},
    "rest_framework.exceptions": {
        "APIException": APIException,
        "ValidationError": ValidationError,
    },
}


@contextmanager
def action_module() -> Iterator[ModuleType]:
    """The action's module, loaded among the modules that Label Studio would have."""
    for name, content in MODULES.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
    try:
        spec = importlib.util.spec_from_file_location("autolabel_action", ACTION)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        for name in MODULES:
            del sys.modules[name]


class _IntoFlask(BaseAdapter):
    """Sends requests into a Flask app, or raises what the network would."""

    def __init__(self, app: Flask | None, failure: Exception | None) -> None:
        super().__init__()
        self.app = app
        self.failure = failure

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if self.failure or self.app is None:
            raise self.failure or requests.ConnectionError("nobody there")
        answer = self.app.test_client().open(
            request.path_url,
            method=request.method,
            data=request.body,
            headers=dict(request.headers),
            environ_base={"REMOTE_ADDR": "127.0.0.1"},
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(answer.headers)
        response._content = answer.get_data()
        return response

    def close(self) -> None:
        pass


class FakeMLApi:
    """As much of `ml.api_connector.MLApi` as the action uses."""

    def __init__(self, url: str, app: Flask | None, failure: Exception | None = None) -> None:
        self.url = url
        self.app = app
        self.failure = failure
        self.options: list[dict[str, Any]] = []

    def _get_url(self, suffix: str) -> str:
        return urljoin(self.url + "/", suffix)

    def _prepare_kwargs(self, options: dict[str, Any]) -> None:
        self.options.append(options)

    def create_session(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://", _IntoFlask(self.app, self.failure))
        return session


class FakeTasks:
    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def values_list(self, _name: str, flat: bool) -> list[int]:
        return self.ids

    def count(self) -> int:
        return len(self.ids)


def a_label_studio_project(api: FakeMLApi | None, tasks: list[int] | None = None) -> Any:
    """`api` None: no backend is connected."""
    backend = SimpleNamespace(api=api) if api else None
    return SimpleNamespace(id=2, ml_backend=backend, tasks=FakeTasks(tasks or [1, 2, 3]))


def a_request(**form: Any) -> Any:
    return SimpleNamespace(data={**form, "selectedItems": {"all": True, "excluded": []}})
