"""Export a version: one file for each control, that predicts without this program."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from backend.domain.errors import BadInput
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.items import ItemKind
from backend.domain.metrics import metrics_to_json
from backend.domain.version_names import control_folder
from backend.ports.model_family import ModelWriters
from backend.ports.stores import Versions


class ExportFormat(StrEnum):
    """What a version can be written as; the values are those of `--format`."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"
    ULTRALYTICS = "ultralytics"

    @property
    def suffix(self) -> str:
        return ".pt" if self is ExportFormat.ULTRALYTICS else f".{self.value}"


@dataclass(frozen=True, slots=True)
class ModelExport:
    """Writes versions in formats that other programs read."""

    versions: Versions
    writer: ModelWriters

    def __call__(
        self, project: ProjectId, version: VersionName, form: ExportFormat, to: Path
    ) -> list[Path]:
        """Write a file for each control of a version into a folder; returns them.

        Raises:
            NotFound: when there is no such version.
            BadInput: when its model cannot be written so.
        """
        card = self.versions.get(project, version)
        if card.items is not ItemKind.IMAGE:
            raise BadInput(
                f"{version} was trained on {card.items.plural}, and exported models predict from "
                "pixels",
                "Import the folder of the version into another project with autolabel import-model",
            )
        to.mkdir(parents=True, exist_ok=True)
        made = list[Path]()
        nothing: Mapping[Label, Label] = {}
        for name, kind in card.kinds.items():
            about = {
                "version": card.name,
                "project": card.project,
                "created": card.created.isoformat(),
                "trained_on": dict(card.trained_on),
                "metrics": metrics_to_json({name: card.metrics.get(name, {})}),
            }
            target = to / f"{card.name}{_suffix(name, len(card.kinds))}{form.suffix}"
            folder = self.versions.folder(project, version, name)
            self.writer.write(folder, kind, card.renamed.get(name, nothing), about, target)
            made.append(target)
        return made


def _suffix(control: ControlName, controls: int) -> str:
    """Return what tells the files of several controls apart."""
    return f"-{control_folder(Path(), control).name}" if controls > 1 else ""
