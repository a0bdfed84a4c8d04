from backend.domain.audits import OpenAudit
from backend.domain.ids import AuditId, JobId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger


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
