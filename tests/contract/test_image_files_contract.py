"""What every implementation of `backend.ports.images.ImageFiles` does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.errors import UnreadableImage
from backend.domain.ids import TaskId
from backend.label_studio.images import open_image_files
from backend.ports.images import ImageFiles
from backend.settings import Settings
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.image_files import FakeImageFiles

# Python 3.11 may fail to install the tracer of coverage in one of the many threads of a download
pytestmark = pytest.mark.no_cover

GONE = ImageRef(TaskId(9), "data:image/png;base64,a")

Uri = Callable[[Path], str]


@pytest.fixture(params=["fake", "cache"])
def files_and_uri(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ImageFiles, Uri]:
    """The files, and how a task names one of them."""
    if request.param == "fake":
        return FakeImageFiles(gone=[GONE.uri]), str
    settings = Settings(data_dir=tmp_path / "data", local_files_root=tmp_path)
    files = open_image_files(settings, LabelStudioClient("http://127.0.0.1:9", "x"))
    return files, lambda path: f"/data/local-files/?d={path.relative_to(tmp_path)}"


@pytest.fixture
def files(files_and_uri: tuple[ImageFiles, Uri]) -> ImageFiles:
    return files_and_uri[0]


@pytest.fixture
def refs(files_and_uri: tuple[ImageFiles, Uri], tmp_path: Path) -> list[ImageRef]:
    """Three images, of which the first and the last are equal."""
    for number, content in enumerate((b"one", b"two", b"one")):
        (tmp_path / f"{number}.png").write_bytes(content)
    uri = files_and_uri[1]
    return [ImageRef(TaskId(number), uri(tmp_path / f"{number}.png")) for number in range(3)]


def test_digests_come_in_order_and_differ_by_content(files: ImageFiles, refs: list[ImageRef]):
    slots = [slot for slot in files.digests(refs) if isinstance(slot, tuple)]
    assert [ref for ref, _ in slots] == refs
    first, second, third = [digest for _, digest in slots]
    assert first == third != second
    assert list(files.digests(refs)) == slots


def test_an_image_that_cannot_be_fetched_costs_its_own_slot_only(
    files: ImageFiles, refs: list[ImageRef]
):
    first, gone, last = files.digests([refs[0], GONE, refs[1]])
    assert isinstance(gone, NoPrediction)
    assert gone.task == GONE.task
    assert gone.reason
    assert isinstance(first, tuple)
    assert isinstance(last, tuple)
    assert [first[0], last[0]] == refs[:2]


def test_what_was_read_and_did_not_change_is_known(files: ImageFiles, refs: list[ImageRef]):
    first, second, third = refs
    assert list(files.known(refs)) == [None] * 3
    digests = [slot[1] for slot in files.digests([first, second]) if isinstance(slot, tuple)]
    assert list(files.known([second, GONE, first, third])) == [digests[1], None, digests[0], None]


def test_a_path_leads_to_the_content(files: ImageFiles, refs: list[ImageRef]):
    assert files.path(refs[1]).read_bytes() == b"two"


def test_the_path_of_an_image_that_cannot_be_fetched_is_an_error(files: ImageFiles):
    with pytest.raises(UnreadableImage):
        files.path(GONE)
