from dataclasses import replace

from backend.domain.audits import OpenAudit
from backend.domain.ids import AuditId, JobId, Label, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger, relabeled_from
from tests.fakes.domain import a_version


def tasks(*numbers):
    return frozenset(TaskId(number) for number in numbers)


def acceptance(*numbers, undone=False):
    accepted = tuple(TaskId(number) for number in numbers)
    return Acceptance(VersionName("al-0001-abcd"), accepted, (), undone=undone)


def test_the_sample_of_an_open_audit_is_withheld():
    opened = OpenAudit(AuditId(1), VersionName("al-0001-abcd"), tasks(1, 3))
    assert Ledger(open_audit=opened).withheld == tasks(1, 3)
    assert Ledger().withheld == tasks()


def test_accepted_tasks_are_those_of_all_jobs_that_were_not_undone():
    acceptances = {
        JobId("a"): acceptance(1, 2),
        JobId("b"): acceptance(3, undone=True),
        JobId("c"): acceptance(4),
    }
    assert Ledger(acceptances=acceptances).accepted == tasks(1, 2, 4)
    assert Ledger().accepted == tasks()


def test_versions_that_edits_of_labels_turned_into_another_are_known_trained_ones_are_not():
    trained = a_version("al-0002-aaaa", parent=VersionName("al-0001-aaaa"))
    renamed = {Label("cat"): Label("tiger")}
    once = replace(
        trained.relabeled(renamed), name=VersionName("al-0003-aaaa"), parent=trained.name
    )
    twice = replace(once.relabeled(renamed), name=VersionName("al-0004-aaaa"), parent=once.name)
    known = (twice, once, trained)

    assert relabeled_from(twice, lambda: known) == {once.name, trained.name}
    assert relabeled_from(twice, lambda: (twice,)) == {once.name}
    assert relabeled_from(trained, lambda: known) == set()
    assert relabeled_from(None, lambda: known) == set()
