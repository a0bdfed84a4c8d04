"""What every implementation of ports.Versions does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.label_edits import DELETED
from backend.domain.version_names import control_folder
from backend.domain.versions import ModelVersion
from backend.ports.stores import Versions
from backend.stores.versions import VersionStore, version_to_json
from tests.fakes.domain import a_version
from tests.fakes.versions import FakeVersions

PETS = ProjectId(2)
CONTROL = ControlName("c")

Publish = Callable[..., ModelVersion]


@pytest.fixture(params=["fake", "disk"])
def versions(request: pytest.FixtureRequest, tmp_path: Path) -> Versions:
    return FakeVersions(root=tmp_path) if request.param == "fake" else VersionStore(tmp_path)


@pytest.fixture
def publish(versions: Versions) -> Publish:
    def write(folder: Path) -> None:
        control_folder(folder, CONTROL).mkdir()
        (control_folder(folder, CONTROL) / "head.safetensors").write_bytes(b"weights")

    def publish(parent: VersionName | None = None) -> ModelVersion:
        return versions.publish(PETS, lambda name: a_version(name, parent=parent), write)

    return publish


def test_a_published_version_is_listed_and_its_model_is_there(versions: Versions, publish: Publish):
    version = publish()
    assert list(versions.all(PETS)) == [version]
    assert versions.get(PETS, version.name) == version
    model = versions.folder(PETS, version.name, CONTROL) / "head.safetensors"
    assert model.read_bytes() == b"weights"


def test_versions_are_listed_newest_first(versions: Versions, publish: Publish):
    published = [publish().name for _ in range(3)]
    assert [version.name for version in versions.all(PETS)] == published[::-1]


def test_names_have_one_width_and_rise(publish: Publish):
    first, second = publish().name, publish().name
    assert len(first) == len(second) == len("al-0007-3f9c")
    assert first < second


def test_publishing_does_not_activate(versions: Versions, publish: Publish):
    publish()
    assert versions.current(PETS) is None


def test_any_version_can_become_the_current_one(versions: Versions, publish: Publish):
    old, new = publish(), publish()
    assert versions.activate(PETS, new.name) == new
    assert versions.current(PETS) == new
    versions.activate(PETS, old.name)
    assert versions.current(PETS) == old


def test_what_is_not_there_is_not_found(versions: Versions, publish: Publish):
    version = publish()
    for name in ("al-0099-3f9c", "../../secret", ""):
        with pytest.raises(NotFound):
            versions.get(PETS, VersionName(name))
        with pytest.raises(NotFound):
            versions.activate(PETS, VersionName(name))
    with pytest.raises(NotFound):
        versions.folder(PETS, version.name, ControlName("other"))


def test_prune_spares_the_current_version_and_the_one_it_came_from(
    versions: Versions, publish: Publish
):
    oldest, parent = publish(), publish()
    current = publish(parent=parent.name)
    newest = publish()
    versions.activate(PETS, current.name)
    assert list(versions.prune(PETS, keep=1)) == [oldest.name]
    assert [version.name for version in versions.all(PETS)] == [
        newest.name,
        current.name,
        parent.name,
    ]
    with pytest.raises(NotFound):
        versions.get(PETS, oldest.name)


def test_a_copied_folder_is_a_version_of_its_own_that_is_not_current(
    versions: Versions, publish: Publish, tmp_path: Path
):
    source = tmp_path / "elsewhere"
    source.mkdir()
    (source / "card.json").write_text(version_to_json(a_version("al-0042-cafe")))
    control_folder(source, CONTROL).mkdir()
    (control_folder(source, CONTROL) / "head.safetensors").write_bytes(b"theirs")
    own = publish()
    versions.activate(PETS, own.name)
    adopted = versions.adopt(PETS, source)
    assert adopted.name not in {own.name, "al-0042-cafe"}
    model = versions.folder(PETS, adopted.name, CONTROL) / "head.safetensors"
    assert model.read_bytes() == b"theirs"
    assert versions.current(PETS) == own


def test_a_folder_that_is_no_version_is_refused(versions: Versions, tmp_path: Path):
    with pytest.raises(BadInput):
        versions.adopt(PETS, tmp_path / "nothing")


def test_a_failing_write_publishes_nothing(versions: Versions):
    def write(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise RuntimeError("the write failed")

    with pytest.raises(RuntimeError):
        versions.publish(PETS, a_version, write)
    assert list(versions.all(PETS)) == []


def test_a_relabeled_version_is_a_copy_that_says_what_its_labels_turned_into(
    versions: Versions, publish: Publish
):
    old = publish()
    new = versions.relabel(PETS, old.name, {Label("cat"): Label("Cat"), Label("dog"): DELETED}, "!")
    assert (new.parent, new.reason, new.labels[CONTROL]) == (old.name, "!", ("Cat",))
    assert new.renamed[CONTROL] == {"cat": "Cat", "dog": ""}
    model = versions.folder(PETS, new.name, CONTROL) / "head.safetensors"
    assert model.read_bytes() == b"weights"
    assert versions.get(PETS, old.name) == old


def test_a_version_may_be_relabeled_again(versions: Versions, publish: Publish):
    once = versions.relabel(PETS, publish().name, {Label("cat"): Label("Cat")}, "")
    twice = versions.relabel(PETS, once.name, {Label("Cat"): Label("dog")}, "")
    assert twice.labels[CONTROL] == ("dog",)
    assert twice.renamed[CONTROL] == {"cat": "dog", "dog": "dog"}


def test_an_unknown_version_cannot_be_relabeled(versions: Versions):
    with pytest.raises(NotFound):
        versions.relabel(PETS, VersionName("al-0009-aaaa"), {}, "")
