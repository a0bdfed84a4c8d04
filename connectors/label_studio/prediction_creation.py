"""Create predictions in bulk or one by one, whichever is faster."""

from collections.abc import Sequence
from typing import Any

from connectors.errors import Rejected, Unreachable
from connectors.label_studio.calls import Calls
from connectors.label_studio.prediction_import import Imported, Prediction, PredictionImport
from connectors.label_studio.projects import Projects

_TASKS_PER_CALL = 50
"""Label Studio recounts all tasks of the project after a bulk import; so many of them take as long
as creating one prediction by a call of its own."""

_MOST_SINGLY = 500
"""Half a minute at most, lost where Label Studio is told to recount only the tasks of an import."""


class PredictionCreation:
    """Stores predictions; those of a few tasks of a large project by a call each."""

    def __init__(
        self, calls: Calls, projects: Projects, prediction_import: PredictionImport
    ) -> None:
        self._calls = calls
        self._projects = projects
        self._import = prediction_import

    def store(self, project: int, predictions: Sequence[Prediction]) -> Imported:
        """Store predictions, as `PredictionImport.store` does.

        Raises:
            TooLarge: when a proxy refuses the body of a single prediction.
            Rejected: when Label Studio refuses a batch and none of its tasks was deleted.
        """
        count = len(predictions)
        if not 0 < count <= _MOST_SINGLY:
            return self._import.store(project, predictions)
        if count * _TASKS_PER_CALL >= self._projects.count_tasks(project):
            return self._import.store(project, predictions)
        with self._import.without_doubles(project, predictions):
            left = self._create(project, predictions)
            return Imported(count - len(left)) + self._import.store(project, left)

    def _create(self, project: int, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """Create predictions one by one; returns those from the first failed one on.

        The import finds out which of their tasks were deleted, and waits for a Label Studio that is
        away. What a call that broke off has stored is stored twice then.
        """
        for place, prediction in enumerate(predictions):
            body: dict[str, Any] = {**prediction, "project": project}
            try:
                self._calls.object("POST", "/api/predictions/", json=body)
            except (Rejected, Unreachable):
                return predictions[place:]
        return ()
