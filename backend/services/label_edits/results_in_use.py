"""List the results that a label operation counts and changes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from backend.domain.ids import Label, ProjectId, VersionName
from backend.domain.json import Json
from backend.domain.version_names import VERSION_NAME
from backend.ports.label_studio import LabelEditor, ResultOf, TaskResults
from backend.services.publishing.kept_versions import KeptVersions


@dataclass(frozen=True, slots=True)
class ResultsInUse:
    """Lists tasks with their results, except predictions that the cleanup is going to delete.

    Label Studio changes 10 to 20 predictions a second, and a large project has several old ones of
    each task.
    """

    label_studio: LabelEditor
    kept: KeptVersions

    def __call__(self, project: ProjectId, labels: Collection[Label] = ()) -> Iterator[TaskResults]:
        """Yield all tasks; with `labels` only those that may have one of them."""
        keep = self.kept(project)
        for task in self.label_studio.task_results(project, labels):
            yield _without_superseded(task, keep)


def _without_superseded(task: TaskResults, keep: frozenset[VersionName]) -> TaskResults:
    """Return a task without old predictions if it has one to keep, or labels of people."""
    rows: Mapping[int, Json] = {row["id"]: row for row in task.content["predictions"]}
    versions = {number: str(row.get("model_version") or "") for number, row in rows.items()}
    if not task.content["annotations"] and keep.isdisjoint(versions.values()):
        return task
    old = {
        number
        for number, version in versions.items()
        if VERSION_NAME.fullmatch(version) and version not in keep
    }
    left = [one for one in task.results if one.of is not ResultOf.PREDICTION or one.id not in old]
    return replace(task, results=tuple(left))
