"""The API of one Label Studio, grouped by resource.

All requests go through `connectors.http`, which retries and renews tokens. See
docs/decisions/label-studio-sdk.md for why the SDK's own client is not used here.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.http import HttpClient, Pause
from connectors.label_studio.annotations import Annotations
from connectors.label_studio.calls import Calls, JsonObject, unexpected_json
from connectors.label_studio.markers import Markers
from connectors.label_studio.prediction_acceptance import PredictionAcceptance
from connectors.label_studio.prediction_creation import PredictionCreation
from connectors.label_studio.prediction_import import PredictionImport
from connectors.label_studio.predictions import Predictions
from connectors.label_studio.projects import Projects
from connectors.label_studio.recount import Recount
from connectors.label_studio.registration import Registration
from connectors.label_studio.results import Results
from connectors.label_studio.send_once import SendOnce
from connectors.label_studio.storages import Storages
from connectors.label_studio.tabs import Tabs
from connectors.label_studio.task_import import TaskImport
from connectors.label_studio.tasks import Tasks


class LabelStudioClient:
    """One Label Studio with the rights of one token. Safe for several threads.

    All methods take and return Label Studio's JSON. They raise Unreachable when there is no
    answer within `patience` seconds, Denied when the token is wrong, expired or lacks a
    permission, ResourceNotFound for a missing resource, and Rejected with Label Studio's reason.
    `pause` waits between attempts and may raise to give up; `clock` counts seconds.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        patience: float = 0.0,
        pause: Pause | None = None,
        clock: Callable[[], float] = time.monotonic,
        ca_bundle: Path | None = None,
    ) -> None:
        self.http = HttpClient(
            base_url, api_key, patience=patience, pause=pause, clock=clock, ca_bundle=ca_bundle
        )
        self._calls = Calls(self.http)
        self.projects = Projects(self._calls)
        self.tasks = Tasks(self._calls, clock)
        send_once = SendOnce(self.http.pause, clock)
        self.annotations = Annotations(self._calls)
        self.acceptance = PredictionAcceptance(self._calls, self.tasks, send_once, clock)
        self.predictions = Predictions(self._calls, self.tasks, self.projects, clock)
        self.prediction_import = PredictionImport(
            self._calls, self.tasks, self.projects, self.predictions, send_once, clock
        )
        self.results = Results(self._calls, self.tasks)
        self.task_import = TaskImport(self._calls, self.tasks, self.results)
        self.prediction_creation = PredictionCreation(
            self._calls, self.projects, self.prediction_import
        )
        self.markers = Markers(self.tasks, self.prediction_creation)
        self.recount = Recount(self.tasks, self.predictions, self.prediction_import, send_once)
        self.tabs = Tabs(self._calls)
        self.storages = Storages(self._calls)
        self.registration = Registration(self._calls)

    def whoami(self) -> JsonObject:
        """The owner of the token, with `id` and `email`."""
        return self._calls.object("GET", "/api/current-user/whoami")

    def version(self) -> str:
        """Label Studio's version, such as "1.23.2"; needs no token."""
        match self._calls.object("GET", "/api/version"):
            case {"release": str(release)}:
                return release
            case _:
                raise unexpected_json("GET", "/api/version")

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
