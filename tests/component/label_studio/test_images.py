"""Image files are opened with whatever AWS configuration this machine has."""

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.label_studio.images import open_image_files
from backend.settings import Settings
from connectors.http import HttpClient

pytest.importorskip("boto3")


def test_a_missing_aws_profile_costs_direct_access_to_s3_and_no_image(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    files = open_image_files(Settings(data_dir=tmp_path), HttpClient("http://127.0.0.1:9"))
    assert "S3 are read through Label Studio" in caplog.text
    (found,) = files.digests([ImageRef(TaskId(1), "data:image/png;base64,AAAA")])
    assert found[0].task == 1
