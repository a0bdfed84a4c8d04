"""Whatever people do to a project, its promises break no more often than they may."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.audits import AuditTerms, Promise
from backend.policies.certification.audit_certificate import problems
from tests.fakes.audited_projects import PEOPLE, SimulatedProject, live, scored

PROMISES = (Promise.DATASET, Promise.ACCEPTED)
"""About images; `test_box_losses.py` has the one about boxes."""

AUDITING = ("start", "finish", "crash", "undo")
WORK = ("answer", "skip", "from prediction", "label", "confirm", "delete", "import")
MODEL = ("retrain", "config")

STEPS = st.lists(st.sampled_from((*AUDITING, *WORK, *MODEL)), max_size=25)


def take(project, step):
    if step in AUDITING:
        audit(project, step)
    elif step in WORK:
        work(project, step)
    elif step == "retrain":
        project.retrain()
    else:
        project.forget_label()


def audit(project, step):
    match step:
        case "start":
            project.start(40)
        case "finish" if project.audit is not None:
            project.finish()
        case "crash" if project.audit is not None:
            project.pay()  # and die before the test is looked at
        case "undo" if project.certificates:
            project.undo(project.certificates[-1].audit.id)
        case _:
            pass


def work(project, step):
    open_ = project.open
    some = open_[project.rng.random(len(open_)) < 0.2] if len(open_) else open_
    waiting = project.sample[:30]
    match step:
        case "answer":
            project.answer(waiting)
        case "skip" | "from prediction":
            project.answer(waiting[:3], step)
        case "label":
            project.label(some)
        case "confirm":
            project.label(some[~project.frozen_wrong[some]])
        case "delete":
            project.delete(some[:10])
        case _:
            project.add(*scored(project.rng, 20))


@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(PROMISES), st.integers(0, 1000))
def test_any_history_spends_no_more_risk_than_promised_and_all_certificates_hold(
    steps, promise, seed
):
    rng = np.random.default_rng(seed)
    project = SimulatedProject(rng, AuditTerms(promise, 0.1, 0.9), *scored(rng, 200))
    for step in steps:
        take(project, step)
    assert project.ledger.spent <= 0.1 + 1e-12
    for file in project.certificates:
        assert problems(file) == ()
        labeled_blind = {file.audit.region[position].task for position in file.audit.sample}
        assert labeled_blind.isdisjoint(one.task for one in file.accepted)


def test_honest_people_get_labels_accepted():
    rng = np.random.default_rng(3)
    for promise in PROMISES:
        project = live(rng, AuditTerms(promise, 0.1, 0.8), PEOPLE[0], size=300, sample=70)
        assert project.accepted_labels > 40
