"""The stand-in for a Label Studio of any size, which measurements lean on, carries a whole job."""

from pathlib import Path

from backend.models.embedding.encoder_choice import FIRST, SECOND
from tests.bench.bench_memory import settings
from tests.e2e.autolabel import Autolabel
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import LABELED, large_label_studio
from tests.integration.polling import eventually


def test_a_job_labels_what_the_stand_in_makes_up_and_the_next_tries_a_stronger_encoder(
    tmp_path: Path,
) -> None:
    tasks, stronger = 150, f"{FIRST}+{SECOND}"
    with FakeHttpServer(large_label_studio(tasks)) as studio:
        configured = settings(studio.url, tmp_path).model_copy(
            update={"upgrade_backbone": stronger}
        )
        with Autolabel(configured).running() as ours:
            report = ours.json("label", 1)["report"]
            assert eventually(lambda: embedded_ahead(ours), 240), "\n".join(ours.lines)
            again = ours.json("label", 1)["report"]
    assert report["labeled"] == LABELED
    assert report["predicted"] == again["predicted"] == tasks - LABELED
    assert report["backbone"] == FIRST
    (compared,) = (one for one in again["remarks"] if "out-of-fold log loss" in one)
    taken = "was taken" in compared
    assert stronger in compared
    assert again["backbone"] == (stronger if taken else FIRST)


def embedded_ahead(ours: Autolabel) -> bool:
    return any("images are embedded" in line for line in ours.lines)
