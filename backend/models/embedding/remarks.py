"""What a report says about the encoder and about the files: what would save labels or time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from backend.domain.answers import ImageRef
from backend.domain.steps import Step
from backend.models.embedding.backbones import JOINT
from backend.models.embedding.encoder_choice import FIRST
from backend.models.embedding.licences import restriction

LONG = 10.0
"""Seconds of waiting for files that are worth a remark."""

_WAYS: Mapping[str, tuple[str, str]] = {
    "/data/upload/": (
        "Label Studio served its uploads",
        "Where this machine has Label Studio's media folder, AUTOLABEL_MEDIA_ROOT avoids the wait",
    ),
    "/data/local-files/": (
        "Label Studio served its local files",
        "Where this machine has that folder, AUTOLABEL_LOCAL_FILES_ROOT avoids the wait",
    ),
    "s3://": (
        "Label Studio or the bucket served them",
        "With the bucket's own credentials on this machine, files are read without Label Studio",
    ),
}
"""Part of an address, who serves such files, and the setting that avoids it."""

_ANY = (
    "their server sent them",
    "AUTOLABEL_FETCH_WORKERS sets how many are downloaded in parallel",
)


def on_encoder(backbone: str, upgrade: str) -> Sequence[str]:
    """Return what to know of the encoder of a classifier.

    Args:
        backbone: its name; several are joined.
        upgrade: the stronger encoder of the settings, empty if there is none.
    """
    remarks = [
        f"The weights of {name} are under {licence}"
        for name in backbone.split(JOINT)
        if (licence := restriction(name))
    ]
    if backbone == FIRST and not upgrade:
        remarks.append(
            f"All images were embedded by {FIRST}, the fastest encoder. A stronger one needs fewer "
            "labels for the same accuracy: use --algorithm precise, or set "
            "AUTOLABEL_UPGRADE_BACKBONE"
        )
    return remarks


def on_files(refs: Iterable[ImageRef], spent: Mapping[Step, float]) -> Sequence[str]:
    """Return at which rate files came and what avoids the wait, if they were the limit."""
    fetch, embed = spent[Step.FETCH], spent[Step.EMBED]
    places = Counter(_way(ref.uri) for ref in refs)
    if fetch < LONG or fetch <= embed or not places:
        return ()
    rate = places.total() / (fetch + embed)
    who, how = _WAYS.get(places.most_common(1)[0][0], _ANY)
    return (
        f"Waiting for files took {fetch:.0f} of {fetch + embed:.0f} s: {who} at {rate:.0f} images "
        f"a second, which is less than the encoder could use. {how}",
    )


def _way(uri: str) -> str:
    bucket = uri.startswith(("s3://", "gs://", "azure-blob://"))
    return "s3://" if bucket else next((part for part in _WAYS if part in uri), "")
