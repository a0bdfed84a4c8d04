"""The stand-in for a Label Studio of any size, which measurements lean on, carries a whole job."""

from pathlib import Path

from tests.bench.bench_memory import settings
from tests.e2e.autolabel import Autolabel
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import LABELED, large_label_studio


def test_a_job_labels_what_the_stand_in_makes_up(tmp_path: Path) -> None:
    tasks = 150
    with (
        FakeHttpServer(large_label_studio(tasks)) as studio,
        Autolabel(settings(studio.url, tmp_path)).running() as ours,
    ):
        report = ours.json("label", 1)["report"]
        again = ours.json("label", 1)["report"]
    assert report["labeled"] == LABELED
    assert report["predicted"] == again["predicted"] == tasks - LABELED
