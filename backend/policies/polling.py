"""Decide what happened in a project between two looks at it, where Label Studio cannot tell us."""

from dataclasses import replace

from backend.domain.ids import VersionName
from backend.domain.projects import LastLook, ProjectActivity


def changed_annotations(last: LastLook, now: ProjectActivity) -> int:
    """Return how many annotations were created, deleted or edited since the last look.

    An edit changes no count, but the time of its task. The number is a hint like a webhook: a
    training reads the annotations themselves.
    """
    edited = sum(last.newest is None or moment > last.newest for moment in now.touched)
    return max(abs(now.annotations - last.annotations), edited)


def has_new_tasks(last: LastLook, now: ProjectActivity, version: VersionName | None) -> bool:
    """Return whether tasks were imported that this model version has not predicted.

    Waits until an import is over: the number of tasks must be that of the last look.
    """
    is_settled = now.tasks == last.tasks
    return (
        version is not None and last.version == version and is_settled and now.tasks > last.served
    )


def looked(
    last: LastLook, now: ProjectActivity, version: VersionName | None, *, is_busy: bool
) -> LastLook:
    """Return what to remember of this look.

    A new version has predicted the tasks that were there before its job. Those that were imported
    while it ran may be missing, so they count as new.

    Args:
        last: the look before.
        now: what was found.
        version: the current one.
        is_busy: whether a job may have listed the tasks before they were counted.
    """
    served = last.served if version and version == last.version else last.tasks_when_idle
    newest = max((moment for moment in (last.newest, *now.touched) if moment), default=None)
    return replace(
        last,
        annotations=now.annotations,
        tasks=now.tasks,
        newest=newest,
        version=version,
        served=min(served, now.tasks),
        tasks_when_idle=last.tasks_when_idle if is_busy else now.tasks,
    )
