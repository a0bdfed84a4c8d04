"""Plots and thumbnails beside a report."""

import errno

import pytest

from backend.domain.errors import OutOfSpace, UnreadableImage
from backend.presentation.report_images import JobImages
from tests.fakes.domain import a_job

REPORT = {"confidence_histogram": [1, 2]}


def images(folder, versions=lambda _: ()):
    def gone(*_):
        raise UnreadableImage("gone")

    return JobImages(lambda _: folder, versions, gone)


def test_pictures_lie_beside_the_report(tmp_path):
    images(tmp_path).draw(a_job(), REPORT, [])
    assert {path.name for path in tmp_path.iterdir()} == {
        "confidence-light.svg",
        "confidence-dark.svg",
    }


def test_what_cannot_be_drawn_is_logged_in_one_sentence_and_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    images(tmp_path / "file").draw(a_job(), REPORT, [])
    (record,) = caplog.records
    assert "is not illustrated" in record.getMessage()


def test_a_full_disk_is_named_as_what_it_is(tmp_path):
    def full(_):
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(OutOfSpace):
        images(tmp_path, versions=full).draw(a_job(), REPORT, [])
