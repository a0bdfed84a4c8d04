"""Image files are opened with whatever AWS configuration this machine has."""

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId
from backend.label_studio.images import open_image_files
from backend.settings import Settings
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer, Reply

pytest.importorskip("boto3")


def test_a_missing_aws_profile_costs_direct_access_to_s3_and_no_image(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with FakeHttpServer(lambda _: Reply(body=[{"bucket": "pets", "prefix": None}])) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        files = open_image_files(Settings(data_dir=tmp_path), client, ProjectId(1))
    assert "S3 are read through Label Studio" in caplog.text
    (found,) = files.digests([ImageRef(TaskId(1), "data:image/png;base64,AAAA")])
    assert found[0].task == 1
