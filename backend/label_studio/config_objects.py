"""The object tags that controls may be about: images and texts."""

from collections.abc import Iterable, Mapping, Sequence

from backend.domain.errors import UnsupportedConfig
from backend.domain.items import ItemKind
from backend.domain.schema import ImageTag
from backend.label_studio import task_data
from backend.label_studio.config_tags import ConfigTag

KINDS = {"image": ItemKind.IMAGE, "text": ItemKind.TEXT, "hypertext": ItemKind.HYPERTEXT}

Objects = Mapping[str, ConfigTag]
"""Object tags by their names."""


def objects(tags: Iterable[ConfigTag]) -> Objects:
    """Return the tags that show an image or a text."""
    return {tag.get("name"): tag for tag in tags if tag.kind in KINDS}


def object_tag(tag: ConfigTag) -> ImageTag:
    """Return what the schema knows of an object tag.

    Raises:
        UnsupportedConfig: when its value takes nothing from the task's data.
    """
    kind = KINDS[tag.kind]
    value = tag.get("valuelist") or tag.get("value")
    if not task_data.has_variable(value):
        hint = f'Give it value="${kind.noun}", the key of the {kind.noun} in the task data'
        raise UnsupportedConfig(f"{tag} names no task data", hint)
    by_address = not kind.is_text or tag.get("valuetype").strip().lower() == "url"
    return ImageTag(tag.get("name"), value, kind, by_address)


def of_other_kinds(learned: Sequence[ConfigTag], found: Objects) -> Iterable[tuple[ConfigTag, str]]:
    """Yield the controls that are about another kind than a project is learned of, and why.

    That is images, where some control is about one; else the kind of the first control.
    """
    kinds = [KINDS[found[tag.get("toname")].kind] for tag in learned]
    chosen = ItemKind.IMAGE if ItemKind.IMAGE in kinds else next(iter(kinds), ItemKind.IMAGE)
    for tag, kind in zip(learned, kinds, strict=True):
        if kind is not chosen:
            target = found[tag.get("toname")]
            yield (
                tag,
                (
                    f"it is about {target}, and the other questions are about {chosen.plural}; one "
                    "project is learned of one kind, so ask it in a project of its own"
                ),
            )
