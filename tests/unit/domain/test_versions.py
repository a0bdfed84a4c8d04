from backend.domain.ids import JobId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger


def tasks(*numbers):
    return frozenset(TaskId(number) for number in numbers)


def acceptance(*numbers, undone=False):
    accepted = tuple(TaskId(number) for number in numbers)
    return Acceptance(VersionName("al-0001-abcd"), accepted, (), (), undone)


def test_audited_tasks_are_open_until_they_are_spent():
    assert Ledger(audit=tasks(1, 2, 3), spent=tasks(2)).open == tasks(1, 3)


def test_accepted_tasks_are_those_of_all_jobs_that_were_not_undone():
    acceptances = {
        JobId("a"): acceptance(1, 2),
        JobId("b"): acceptance(3, undone=True),
        JobId("c"): acceptance(4),
    }
    assert Ledger(acceptances=acceptances).accepted == tasks(1, 2, 4)
    assert Ledger().accepted == tasks()
