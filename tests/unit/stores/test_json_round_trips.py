import json
import math
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import BadInput
from backend.domain.ids import ControlName
from backend.domain.jobs import Job, JobRequest
from backend.domain.metrics import Metrics
from backend.domain.schema import TaskKind
from backend.domain.versions import ModelVersion
from backend.stores.jobs import job_from_json, job_to_json
from backend.stores.versions import version_from_json, version_to_json
from tests.fakes.domain import a_job, a_version

times = st.datetimes(timezones=st.just(UTC))
numbers = st.floats(allow_nan=False)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
requests = st.builds(
    JobRequest,
    max_error=st.floats(0.01, 0.99),
    confidence=st.floats(0.5, 0.99),
    task_ids=st.lists(st.integers(1)).map(tuple),
)
jobs = st.builds(
    Job,
    id=names,
    request=requests,
    progress=st.floats(0, 1),
    reason=st.text(st.characters(exclude_categories=["Cs"])),
    step=names,
    created_at=times,
    started_at=st.none() | times,
    ended_at=st.none() | times,
    version=st.none() | names,
    report=st.none(),
)
versions = st.builds(
    ModelVersion,
    labels=st.dictionaries(names, st.lists(names).map(tuple)),
    kinds=st.just({}),
    metrics=st.just({}),
    name=names,
    trained_on=st.dictionaries(names, st.integers(0)),
    parent=st.none() | names,
    created=times,
    backbone=names,
    device=names,
    packages=st.dictionaries(names, names),
    reason=names,
    certificate=st.none(),
)


figures = st.dictionaries(names, st.dictionaries(names, numbers, min_size=1), max_size=3)


@given(versions, figures)
def test_a_version_survives_the_round_trip(version: ModelVersion, metrics: Metrics):
    version = replace(version, metrics=metrics, kinds=dict.fromkeys(metrics, TaskKind.SINGLE))
    assert version_from_json(version_to_json(version)) == version


def test_the_metrics_of_a_single_control_are_not_nested_in_the_card():
    assert json.loads(version_to_json(a_version()))["metrics"] == {"accuracy": 0.93, "ece": 0.04}


def test_a_card_whose_figures_were_named_by_control_can_still_be_read():
    kinds = {ControlName("kind"): TaskKind.SINGLE, ControlName("kind.of"): TaskKind.MULTI}
    card = json.loads(version_to_json(a_version(kinds=kinds)))
    card["metrics"] = {"kind.accuracy": 0.9, "kind.of.map50": 0.4, "kind.precision/St. B": 0.5}
    assert version_from_json(json.dumps(card)).metrics["kind"]["precision/St. B"] == 0.5
    assert version_from_json(json.dumps(card)).metrics["kind.of"] == {"map50": 0.4}


def test_a_card_from_before_the_ledger_kept_certificates_can_still_be_read():
    card = json.loads(version_to_json(a_version())) | {"certificate": {"promise": "at most 5 %"}}
    assert version_from_json(json.dumps(card)) == a_version()


@given(jobs)
def test_a_job_survives_the_round_trip(job: Job):
    assert job_from_json(job_to_json(job)) == job


def test_a_metric_that_could_not_be_measured_does_not_break_the_card():
    card = version_to_json(a_version(metrics={"c": {"map50": math.nan}}))
    assert math.isnan(version_from_json(card).metrics["c"]["map50"])


def test_the_report_of_a_job_is_not_part_of_its_card():
    assert job_from_json(job_to_json(replace(a_job(), report={"predicted": 3}))).report is None


@pytest.mark.parametrize("card", ["", "[]", "{}", b"\xff", '{"name": "al-0001-3f9c"}'])
def test_what_is_no_card_is_refused_in_words(card: str | bytes):
    with pytest.raises(BadInput, match="not a version card"):
        version_from_json(card)
    with pytest.raises(BadInput, match="not a job"):
        job_from_json(card)
