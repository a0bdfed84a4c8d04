"""What a report says about encoder and files."""

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.domain.steps import Step
from backend.models.embedding.remarks import on_encoder, on_files

LITE = "efficientnet_lite0"


def refs(uri: str, count: int = 3200) -> list[ImageRef]:
    return [ImageRef(TaskId(number), uri.format(number)) for number in range(count)]


def spent(fetch: float, embed: float) -> dict[Step, float]:
    return {Step.FETCH: fetch, Step.EMBED: embed}


def test_the_smallest_encoder_alone_says_that_a_stronger_one_saves_labels():
    (remark,) = on_encoder(LITE, "")

    assert "needs fewer labels" in remark
    assert "AUTOLABEL_UPGRADE_BACKBONE" in remark
    assert on_encoder(LITE, "timm:strong") == []
    assert on_encoder(f"{LITE}+efficientnet_lite2", "") == []


def test_each_joined_encoder_with_a_restricting_license_is_named():
    (remark,) = on_encoder(f"{LITE}+timm:convnextv2_tiny", "")

    assert remark.startswith("The weights of timm:convnextv2_tiny are under CC-BY-NC-4.0")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("/data/upload/3/{}.jpg", "AUTOLABEL_MEDIA_ROOT"),
        ("http://studio.example/label/data/upload/3/{}.jpg", "AUTOLABEL_MEDIA_ROOT"),
        ("/data/local-files/?d=a/{}.jpg", "AUTOLABEL_LOCAL_FILES_ROOT"),
        ("gs://bucket/{}.jpg", "the bucket's own credentials"),
        ("https://photos.example/{}.jpg", "AUTOLABEL_FETCH_WORKERS"),
    ],
)
def test_files_that_were_slow_to_come_name_the_rate_and_what_avoids_the_wait(uri, words):
    (remark,) = on_files(refs(uri), spent(fetch=70, embed=30))

    assert "took 70 of 100 s" in remark
    assert "at 32 images a second" in remark
    assert words in remark


def test_nothing_is_said_of_files_that_were_not_the_limit():
    few = refs("/data/upload/3/{}.jpg")
    assert on_files(few, spent(fetch=9, embed=1)) == ()
    assert on_files(few, spent(fetch=40, embed=60)) == ()
    assert on_files([], spent(fetch=40, embed=0)) == ()
