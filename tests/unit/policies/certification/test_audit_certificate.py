from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from backend.domain.audits import AuditTerms, CertificateFile, Promise
from backend.domain.ids import TaskId
from backend.policies.certification.audit_certificate import issue, problems
from backend.policies.certification.audit_verdict import findings, judge
from tests.fakes.audited_projects import drawn_audit

TERMS = {Promise.DATASET: AuditTerms(), Promise.ACCEPTED: AuditTerms(Promise.ACCEPTED)}
BUDGET = 40


def certificate(promise=Promise.DATASET, size=900, sample=150):
    """A certificate after one mistake; two images were labeled meanwhile and one deleted."""
    audit = drawn_audit(np.linspace(0.999, 0.8, size), sample, TERMS[promise], budget=BUDGET)
    right = {audit.region[position].task: True for position in audit.sample}
    right[audit.region[audit.sample[3]].task] = False
    others = [row for row in range(size) if row not in audit.sample]
    meanwhile = zip(others[:3], (True, False, None), strict=True)
    right |= {audit.region[row].task: answer for row, answer in meanwhile}
    found = findings(audit, right)
    return issue(audit, found, judge(audit, found, BUDGET), BUDGET)


@pytest.mark.parametrize("promise", TERMS)
def test_a_certificate_holds_and_says_what_it_promises(promise):
    file = certificate(promise)
    made = file.certificate
    assert problems(file) == ()
    assert (made.region, made.audited, made.mistakes, made.risk) == (900, 150, 1, 0.0375)
    assert made.accepted == len(file.accepted) > 500
    assert made.threshold <= min(one.score for one in file.accepted)
    assert "95 % confidence" in made.sentence
    assert "5 % of" in made.sentence
    assert ("finished project" in made.sentence) == (promise is Promise.DATASET)


@pytest.mark.parametrize("promise", TERMS)
def test_a_certificate_survives_the_file(promise):
    adapter, file = TypeAdapter(CertificateFile), certificate(promise)
    assert adapter.validate_json(adapter.dump_json(file)) == file


def test_nothing_accepted_is_no_certificate():
    audit = drawn_audit(np.linspace(0.99, 0.5, 400), 100, TERMS[Promise.ACCEPTED])
    found = findings(audit, {})
    assert issue(audit, found, judge(audit, found, 0), 0) is None
    # nor is one where people labeled everything else meanwhile
    everything = {one.task: True for one in audit.region}
    found = findings(audit, everything)
    assert issue(audit, found, judge(audit, found, 0), 0) is None


def other_sample(file):
    other = next(row for row in range(900) if row not in file.audit.sample)
    positions = tuple(sorted({*file.audit.sample[1:], other}))
    tasks = {file.audit.region[row].task for row in positions}
    file = replace(file, left=tuple(task for task in file.left if task not in tasks))
    return replace(file, left_mistakes=(), audit=replace(file.audit, sample=positions))


def no_stops(file):
    return replace(file, audit=replace(file.audit, stops=()))


def more_risk(file):
    return replace(file, audit=replace(file.audit, risk=0.06))


def better_stops(file):
    return replace(file, audit=replace(file.audit, stops=file.audit.stops[3:]))


def hidden_mistakes(file):
    return replace(file, certificate=replace(file.certificate, mistakes=0))


def one_more_accepted(file):
    extra = next(one for one in file.audit.region if one not in file.accepted)
    return replace(file, accepted=(*file.accepted, extra))


def changed_prediction(file):
    first = replace(file.accepted[0], answers={})
    return replace(file, accepted=(first, *file.accepted[1:]))


def all_wrong(file):
    tasks = tuple(file.audit.region[position].task for position in file.audit.sample)
    return replace(file, mistakes=tasks, budget=0)


def overdrawn(file):
    return replace(file, budget=-1)


def task_twice(file):
    region = (*file.audit.region[:-1], file.audit.region[0])
    return replace(file, audit=replace(file.audit, region=region))


def unordered(file):
    return replace(file, audit=replace(file.audit, region=file.audit.region[::-1]))


def no_sample(file):
    return replace(file, audit=replace(file.audit, sample=()))


def sample_outside(file):
    return replace(file, audit=replace(file.audit, sample=(*file.audit.sample, 5000)))


def foreign_mistake(file):
    return replace(file, mistakes=(TaskId(77_777),))


def foreign_label(file):
    return replace(file, left=(*file.left, TaskId(77_777)))


@pytest.mark.parametrize(
    "forge",
    [
        other_sample,
        no_stops,
        more_risk,
        better_stops,
        hidden_mistakes,
        one_more_accepted,
        changed_prediction,
        all_wrong,
        overdrawn,
        task_twice,
        unordered,
        no_sample,
        sample_outside,
        foreign_mistake,
        foreign_label,
    ],
)
def test_a_forged_certificate_is_found_out(forge):
    assert problems(forge(certificate())) != ()
