"""Runs in an environment with label-studio-ml: its own server with our model, asked as by HTTP.

    python -m tests.contract.in_label_studio_ml FOLDER

What reaches our backend is appended to FOLDER/log, because 1.0.9 calls `fit` in a child process.
Prints the answers as JSON.
"""

import json
import multiprocessing
import sys
from pathlib import Path

from label_studio_ml.api import init_app

from backend.web.label_studio_ml_adapter import AutolabelModel
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_project
from tests.fakes.label_studio import FakeProjects

FOLDER = Path(sys.argv[1])


class Logged(FakeBackend):
    """Writes down what it is asked, for other processes to read."""

    def start(self, request):
        self._log("start", request.project)
        return super().start(request)

    def changed(self, project, annotations):
        self._log("changed", project, annotations)

    def predict(self, project, label_config, tasks):
        self._log("predict", project, label_config, len(tasks))
        return super().predict(project, label_config, tasks)

    def _log(self, *words):
        with (FOLDER / "log").open("a") as log:
            log.write(json.dumps(words) + "\n")


BACKEND = Logged(label_studio=FakeProjects({2: a_project()}))


class Model(AutolabelModel):
    backend = staticmethod(lambda: BACKEND)


def main() -> None:
    client = init_app(Model, model_dir=str(FOLDER)).test_client()
    answers = {}
    for path, body in json.loads(sys.stdin.read()):
        answer = client.post(path, json=body) if body else client.get(path)
        answers[f"{path} {(body or {}).get('action', '')}".strip()] = answer.get_json()
    for child in multiprocessing.active_children():
        child.join(60)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
