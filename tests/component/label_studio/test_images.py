"""Image files: of tasks that hold their images, and with whatever AWS configuration there is."""

import base64
import json
import logging
import os

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.images import open_image_files
from backend.label_studio.labeling_config import parse
from backend.settings import Settings
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.domain import CHOICES
from tests.fakes.http_server import Asked, FakeHttpServer, Reply

LONG = f"data:image/png;base64,{base64.b64encode(os.urandom(9_000)).decode()}"


def listing(asked: Asked) -> Reply:
    rules = json.loads(asked.query["query"])["filters"]["items"]
    rows = [{"id": 1, "data": {"image": LONG}}] if rules[-1]["value"] < 1 else []
    return Reply(body={"tasks": rows, "total": len(rows)})


def test_images_in_task_data_are_left_out_of_the_list_and_fetched_one_by_one(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with FakeHttpServer(listing) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        (ref,) = LabelStudioGateway(client).unlabeled(ProjectId(3), parse(CHOICES))
        assert len(ref.uri) < 60
        files = open_image_files(Settings(data_dir=tmp_path), client)
        assert [found[0] for found in files.digests([ref])] == [ref]
        asked = len(server.asked)
        assert files.path(ref).read_bytes() == base64.b64decode(LONG.partition(",")[2])
        assert list(files.digests([ref]))
    assert len(server.asked) == asked, "what was fetched is kept"
    assert LONG[-500:] not in caplog.text


def test_a_missing_aws_profile_costs_direct_access_to_s3_and_no_image(
    tmp_path, monkeypatch, caplog
):
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with FakeHttpServer(lambda _: Reply(body=[{"bucket": "pets", "prefix": None}])) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        files = open_image_files(Settings(data_dir=tmp_path), client, ProjectId(1))
    assert "S3 are read through Label Studio" in caplog.text
    (found,) = files.digests([ImageRef(TaskId(1), "data:image/png;base64,AAAA")])
    assert found[0].task == 1
