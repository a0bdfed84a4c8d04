"""Name the switches of Label Studio that change what our work means to people."""

from collections.abc import Collection, Iterator

from backend.domain.ids import VersionName
from backend.domain.projects import BackendLink, Project

RECOUNT_LESS = "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short"
"""Label Studio's switch by which it recounts only the tasks of an import."""

BACKEND_TITLE = "Autolabel"
"""The name of the backend in Label Studio's settings; as a model version, its live predictions."""

SHOWING = "Settings > Annotation > Prelabeling"
"""Where Label Studio's page has the switch and the choice of the version."""


def shown_wrongly(
    project: Project, current: VersionName | None, same: Collection[VersionName] = ()
) -> Iterator[str]:
    """Yield why annotators do not see the predictions of the current version.

    Those of the versions in `same` were relabeled with it, and keep their old name.
    """
    if not project.shows_predictions:
        yield (
            "predictions are hidden from annotators; to show them, switch on 'Use predictions to"
            f" prelabel tasks' under {SHOWING}"
        )
    if project.reveals_slowly:
        yield (
            "predictions are revealed only where an annotator draws around them; to show them at"
            f" once, switch off 'Reveal pre-annotations interactively' under {SHOWING}"
        )
    if project.shows_predictions and current and _is_other(project, {current, *same}):
        yield (
            f"Label Studio shows the predictions of '{project.model_version}', while {current} is"
            f" the current model version; select it under {SHOWING}"
        )


def _is_other(project: Project, wanted: Collection[str]) -> bool:
    return project.model_version not in {"", BACKEND_TITLE, *wanted}


def switched_off(project: Project, link: BackendLink) -> Iterator[str]:
    """Yield what of the connection was switched off, or on; `autolabel connect` mends these."""
    mend = f"run `autolabel connect {project.id}`"
    if link.webhook is False:
        yield f"the webhook is switched off, so new annotations start no training; {mend}"
    elif link.payload is False:
        yield (
            "the webhook is sent without payload, so nothing tells which project was annotated;"
            f" {mend}"
        )
    elif link.unreported:
        yield f"the webhook does not report {', '.join(link.unreported)}; {mend}"
    if link.interactive:
        yield (
            "interactive pre-annotation is on, for which there are no suggestions, so each stroke"
            f" waits for nothing; {mend}"
        )
