"""Import a model from elsewhere as a version, to pre-label a project with it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from backend.domain.errors import BadInput, Reason, ReasonCode, Refused
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.label_edits import DELETED
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.version_names import IMPORTED, control_folder
from backend.domain.versions import ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.policies.item_checks import images_only
from backend.policies.label_matching import Matching, match
from backend.ports.label_studio import ProjectReader
from backend.ports.model_family import ForeignModel, ForeignModels
from backend.ports.stores import Versions

UNCALIBRATED = "its scores are its own, not calibrated, until there are labels to do it on"
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """The new version, and which of the model's classes stand for which label."""

    version: ModelVersion
    matching: Matching


@dataclass(frozen=True, slots=True)
class ModelImport:
    """Imports models into projects; `packages` are noted on the card."""

    label_studio: ProjectReader
    versions: Versions
    models: ForeignModels
    packages: Mapping[str, str]
    now: Callable[[], datetime]

    def __call__(
        self, project: ProjectId, source: str, given: Mapping[str, Label], *, trust: bool
    ) -> ImportedVersion:
        """Import a file, a published name, or the folder of a version.

        Args:
            project: to pre-label.
            source: of the model.
            given: the label that a class of the model stands for, where names differ.
            trust: whether a pickle may be loaded that could run any code.

        Raises:
            Refused: when the kinds do not fit, or labels have no class and no map says so.
            BadInput: when the source is no model, or the map names what does not exist.
            NoWeights: when a published model cannot be had.
        """
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        folder = Path(source).expanduser()
        if (folder / "card.json").is_file():
            return self._version(project, schema, folder, given)
        if unfit := images_only(schema, "models from elsewhere are"):
            raise Refused(unfit)
        model = self.models.open(source, trust=trust)
        control = _control(schema, model)
        matching = _matched(model.names, control, given, model.source)

        def write(draft: Path) -> None:
            own = control_folder(draft, control.name)
            own.mkdir()
            model.write(own, matching.labels)

        card = self._card(project, control, model.source)
        made = self.versions.publish(
            project, lambda name: replace(card, name=name), write, IMPORTED
        )
        return ImportedVersion(made, matching)

    def once(self, project: ProjectId, name: str) -> ModelVersion:
        """Import a published model, or return the version that an earlier import made of it.

        A version is used again if its labels are those that the project has now. Raises as a call.
        """
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        for version in self.versions.all(project):
            if version.reason == _reason(name) and not preconditions.model_fits(schema, version):
                return version
        return self(project, name, {}, trust=False).version

    def _card(self, project: ProjectId, control: Control, source: str) -> ModelVersion:
        return ModelVersion(
            name=VersionName(""),
            project=project,
            kinds={control.name: control.kind},
            labels={control.name: control.labels},
            metrics={control.name: {}},
            trained_on={},
            parent=None,
            created=self.now(),
            backbone="",
            device="",
            packages=self.packages,
            promoted=False,
            reason=_reason(source),
        )

    def _version(
        self, project: ProjectId, schema: LabelSchema, folder: Path, given: Mapping[str, Label]
    ) -> ImportedVersion:
        """Import the first control of another project's version that fits one of this project."""
        card = self.versions.read(folder)
        if card.items.is_text is not schema.items.is_text:
            learned, asked = card.items.plural, schema.items.plural
            raise Refused([_mismatch(f"the version was trained on {learned}, not on {asked}")])
        for name, kind in card.kinds.items():
            control = schema.control(name) or _of_kind(schema, kind)
            if control is None or control.kind is not kind:
                continue
            matching = _matched(card.labels[name], control, given, folder.name)
            made = self._copied(project, card, (folder, name), control, matching)
            return ImportedVersion(made, matching)
        kinds = ", ".join(dict.fromkeys(card.kinds.values()))
        raise Refused([_mismatch(f"the version does {kinds}, which no control asks for")])

    def _copied(
        self,
        project: ProjectId,
        card: ModelVersion,
        source: tuple[Path, ControlName],
        control: Control,
        matching: Matching,
    ) -> ModelVersion:
        folder, name = source
        own = card.renamed.get(name, {label: label for label in card.labels[name]})
        renamed = {one: matching.labels.get(now, DELETED) for one, now in own.items()}
        new = replace(
            card,
            project=project,
            kinds={control.name: control.kind},
            labels={control.name: control.labels},
            renamed={control.name: renamed},
            metrics={control.name: card.metrics[name]} if name in card.metrics else {},
            parent=None,
            promoted=False,
            certificate=None,
            reason=f"imported from {folder.name} of project {card.project}",
        )

        def copy(draft: Path) -> None:
            shutil.copytree(control_folder(folder, name), control_folder(draft, control.name))

        return self.versions.publish(project, lambda made: replace(new, name=made), copy, IMPORTED)


def _reason(source: str) -> str:
    return f"imported from {source}: {UNCALIBRATED}"


def _control(schema: LabelSchema, model: ForeignModel) -> Control:
    """Return the first control that asks for what the model answers. Raises Refused."""
    kinds = {TaskKind.DETECTION} if model.is_detector else {TaskKind.SINGLE, TaskKind.MULTI}
    control = next((one for one in schema.controls if one.kind in kinds), None)
    if control is None:
        does = "finds rectangles" if model.is_detector else "classifies whole images"
        wanted = ", ".join(dict.fromkeys(one.kind.value for one in schema.controls))
        raise Refused([_mismatch(f"{model.source} {does}; the project asks for {wanted}")])
    return control


def _of_kind(schema: LabelSchema, kind: TaskKind) -> Control | None:
    return next((one for one in schema.controls if one.kind is kind), None)


def _matched(
    names: tuple[str, ...], control: Control, given: Mapping[str, Label], source: str
) -> Matching:
    """Match the classes to the labels.

    Raises:
        BadInput: when the map names a class or a label that does not exist.
        Refused: when no class stands for a label, or some labels have none and there is no map.
    """
    unknown = [name for name in given if name not in names]
    foreign = [label for label in given.values() if label not in control.labels]
    if unknown or foreign:
        what = f"class {unknown[0]!r}" if unknown else f"label {foreign[0]!r}"
        known = ", ".join(names[:MOST_SHOWN] if unknown else control.labels[:MOST_SHOWN])
        raise BadInput(f"the map names the {what}, which does not exist", f"Known: {known}")
    matching = match(names, control, given)
    if not matching.labels or (matching.unmatched and not given):
        raise Refused([_unmatched(matching, source)])
    return matching


def _unmatched(matching: Matching, source: str) -> Reason:
    labels = ", ".join(f"'{label}'" for label in matching.unmatched[:MOST_SHOWN])
    lines = [f"{name}: {label}" for label, name in matching.suggestions.items()]
    classes = ", ".join(matching.unused[:MOST_SHOWN])
    more = len(matching.unused) - MOST_SHOWN
    known = f"{classes} and {more} more" if more > 0 else classes
    suggested = f"; it may be {'; '.join(lines)}" if lines else ""
    hint = (
        "Write a file with lines 'class of the model: label', and give it with --map"
        f"{suggested}. Its classes are {known}"
    )
    return Reason(ReasonCode.MODEL_MISMATCH, f"{source} knows no class named {labels}", hint=hint)


def _mismatch(message: str) -> Reason:
    return Reason(ReasonCode.MODEL_MISMATCH, message, hint="Choose another model or project")
