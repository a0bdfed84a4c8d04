"""Label Studio's API as one object, in JSON; what it means is for the caller to say.

All calls go through `connectors.http` for its patience and its tokens. The SDK would repeat even an
import that may have arrived, pages by number while rows come and go, and cannot name a model
version to an action; its rules serve to say why a prediction was refused.
"""

from types import TracebackType
from typing import Self

from connectors.http import HttpClient, Pause
from connectors.label_studio.annotations import Annotations
from connectors.label_studio.calls import Json, not_as_expected
from connectors.label_studio.prediction_import import PredictionImport
from connectors.label_studio.registration import Registrations
from connectors.label_studio.tabs import Tabs


class LabelStudioClient(PredictionImport, Annotations, Registrations, Tabs):
    """One Label Studio, seen by the owner of one token. Safe for several threads.

    Every method raises Unreachable when there is no answer within `patience` seconds, Denied for
    a token that is wrong, expired or not allowed, NotFound for what is not there, and Rejected
    with Label Studio's reason. `pause` waits between attempts and may raise to give up.
    """

    def __init__(
        self, base_url: str, api_key: str, *, patience: float = 0.0, pause: Pause | None = None
    ) -> None:
        super().__init__(HttpClient(base_url, api_key, patience=patience, pause=pause))

    def whoami(self) -> Json:
        """The owner of the token, with `id` and `email`."""
        return self._object("GET", "/api/current-user/whoami")

    def version(self) -> str:
        """Label Studio's version, such as "1.23.2"; needs no token."""
        match self._object("GET", "/api/version"):
            case {"release": str(release)}:
                return release
            case _:
                raise not_as_expected("GET", "/api/version")

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
