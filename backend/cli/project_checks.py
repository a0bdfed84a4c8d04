"""What `autolabel doctor PROJECT` checks of Label Studio's switches and of the project's images."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain, islice
from typing import Final

from backend import real_parts
from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.errors import AutolabelError, Unavailable, UnreadableImage
from backend.domain.faults import faults_of
from backend.domain.ids import ProjectId
from backend.domain.versions import relabeled_from
from backend.label_studio import labeling_config
from backend.label_studio.errors import errors_translated
from backend.label_studio.images import open_image_files, open_text_files
from backend.models.images.decoding import require_decodable
from backend.models.texts.reading import TextReader
from backend.policies.switches import RECOUNT_LESS, shown_wrongly, switched_off
from backend.ports.images import ImageFiles
from backend.settings import Settings

LARGE: Final = 10_000
"""Tasks from which on it pays to switch the recounting off."""

RECOUNTED: Final = 0.0009
"""Seconds of processor time in which Label Studio recounts a task."""

IMAGES: Final = 3
"""Images that are fetched to see whether they can be."""


def switches(settings: Settings, project: ProjectId) -> str:
    """Check what people may have switched off in Label Studio."""
    parts = real_parts.real_parts(settings, patience=0)
    found, current = parts.label_studio.project(project), parts.versions.current(project)
    link = parts.label_studio.link(project, settings.public_url)
    if settings.poll_seconds:
        link = replace(link, webhook=None, payload=None, unreported=())
    same = relabeled_from(current, lambda: parts.versions.all(project))
    notes = [
        *shown_wrongly(found, current.name if current else None, same),
        *switched_off(found, link),
    ]
    if notes:
        hint = f"Change them in Label Studio's settings, or run `autolabel connect {project}`"
        raise Unavailable(". ".join(notes), hint)
    return "as Autolabel needs them"


def imports(settings: Settings, project: ProjectId) -> str:
    """Tell what Label Studio recounts after each import of predictions."""
    with errors_translated(), real_parts.label_studio_client(settings, patience=0) as client:
        tasks = client.projects.count_tasks(project)
        if tasks < LARGE:
            return f"quick in a project of {tasks:,} tasks"
        if not client.prediction_import.recounts_all(project):
            return "Label Studio recounts only the tasks of an import"
    return (
        f"Label Studio recounts all {tasks:,} tasks after each, {tasks * RECOUNTED:.0f} s or more;"
        f" started with {RECOUNT_LESS}=true in its environment, only those of the import"
    )


def images(settings: Settings, project: ProjectId) -> str:
    """Fetch a few images of the project and read their headers, or read a few of its texts.

    Raises:
        UnreadableImage: with what is wrong, and the setting to change.
    """
    parts = real_parts.real_parts(settings, patience=0)
    schema = labeling_config.parse(parts.label_studio.project(project).label_config)
    labeled = (one.image for one in parts.label_studio.labeled(project, schema))
    some = list(islice(chain(parts.label_studio.unlabeled(project, schema), labeled), IMAGES))
    with real_parts.label_studio_client(settings, patience=0) as client:
        if schema.items.is_text:
            reader = TextReader(cache(partial(open_text_files, settings, client, project)))
            faults = [one for one in reader.read(some) if isinstance(one, NoPrediction)]
        else:
            files = open_image_files(settings, client, project)
            faults = list(_unreadable(files, some, settings.max_image_megapixels))
    if faults:
        raise UnreadableImage("; ".join(one.sentence(schema.items) for one in faults_of(faults)))
    return f"{len(some)} {schema.items.plural} fetched and read" if some else "there are none"


def _unreadable(
    files: ImageFiles, refs: Sequence[ImageRef], max_megapixels: float
) -> Iterator[NoPrediction]:
    for slot in files.digests(refs):
        if isinstance(slot, NoPrediction):
            yield slot
            continue
        try:
            require_decodable(files.path(slot[0]), max_megapixels)
        except AutolabelError as exc:
            yield NoPrediction(slot[0].task, str(exc))
