"""Groups of similar images: an empty prediction on each task, whose model version names its group.

Label Studio needs minutes for the predictions of 20,000 tasks. So the images that are most typical
of their groups come first, in all groups alike, and the tab appears as soon as some thousands of
them are there; the others follow behind them.
"""

from collections.abc import Sequence

from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.version_names import GROUP_NAME, group_name
from backend.label_studio import labeling_config
from backend.label_studio.tabs import of_groups
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.markers import Marker

SHOWN_AT_ONCE = 2000
"""Tasks to store before the tab appears."""


class TaskGroups:
    """Shows groups, in place of all earlier ones."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._client = client

    def show(self, project: ProjectId, groups: Sequence[Sequence[TaskId]]) -> Sequence[VersionName]:
        """Store the groups, whose tasks are ordered by how typical they are; return their names."""
        names = [group_name(number) for number in range(1, len(groups) + 1)]
        self._remove_earlier(project)
        markers = _by_place(names, groups)
        self._client.markers.store(project, markers[:SHOWN_AT_ONCE])
        config = self._client.projects.get(project)["label_config"]
        image = labeling_config.parse(config).data_key
        self._client.tabs.ensure(project, [of_groups(image)])
        self._client.markers.store(project, markers[SHOWN_AT_ONCE:])
        return names

    def _remove_earlier(self, project: ProjectId) -> None:
        for version in self._client.predictions.versions(project):
            if GROUP_NAME.fullmatch(version):
                self._client.predictions.delete_version(project, version)


def _by_place(names: Sequence[VersionName], groups: Sequence[Sequence[TaskId]]) -> list[Marker]:
    """Return the markers, the first of each group before all second ones."""
    places = [
        (place, name, task, 1 - place / len(tasks))
        for name, tasks in zip(names, groups, strict=True)
        for place, task in enumerate(tasks)
    ]
    return [(int(task), name, score) for _, name, task, score in sorted(places)]
