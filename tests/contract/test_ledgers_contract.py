"""What every implementation of `backend.ports.stores.Ledgers` does."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.audits import (
    AuditCertificate,
    AuditRecord,
    AuditTerms,
    OpenAudit,
    Promise,
    RiskLedger,
)
from backend.domain.ids import AuditId, JobId, ProjectId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger
from backend.ports.stores import Ledgers
from backend.stores.ledgers import LedgerFiles
from tests.fakes.ledgers import FakeLedgers

PETS, CARS = ProjectId(1), ProjectId(2)
TERMS = AuditTerms(Promise.ACCEPTED, 0.02, 0.9)
CERTIFICATE = AuditCertificate(
    AuditId(1), TERMS, 80, 0.9, 300, 120, 1, 3, 0.075, "at most 2 % are wrong, Katze 猫"
)
ACCEPTANCE = Acceptance(
    VersionName("al-0001-3f9c"),
    tasks=(TaskId(7), TaskId(3)),
    annotations=(70, 30),
    audit=AuditId(1),
    certificate=CERTIFICATE,
)
FULL = Ledger(
    risk=RiskLedger((AuditRecord(AuditId(1), 0.075, 3, undone=True),)),
    drawn=2,
    open_audit=OpenAudit(
        AuditId(2), VersionName("al-0002-3f9c"), frozenset({TaskId(9), TaskId(11)}), "label them"
    ),
    acceptances={JobId("job-1"): ACCEPTANCE},
    note="closed",
)


@pytest.fixture(params=["fake", "files"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Ledgers:
    return FakeLedgers() if request.param == "fake" else LedgerFiles(tmp_path)


def test_a_project_without_a_ledger_has_an_empty_one(ledgers: Ledgers):
    assert ledgers.load(PETS) == Ledger()


def test_a_saved_ledger_is_loaded_with_every_field(ledgers: Ledgers):
    ledgers.save(PETS, FULL)
    assert ledgers.load(PETS) == FULL


def test_each_project_has_a_ledger_of_its_own(ledgers: Ledgers):
    ledgers.save(PETS, FULL)
    ledgers.change(CARS, lambda ledger: replace(ledger, drawn=1))
    assert ledgers.load(PETS) == FULL
    assert ledgers.load(CARS) == Ledger(drawn=1)


def test_a_change_starts_from_the_newest_ledger_and_is_saved(ledgers: Ledgers):
    ledgers.save(PETS, Ledger(drawn=1))
    for drawn in (2, 3):
        changed = ledgers.change(PETS, lambda ledger: replace(ledger, drawn=ledger.drawn + 1))
        assert changed == ledgers.load(PETS) == Ledger(drawn=drawn)


def test_a_change_that_fails_leaves_the_ledger_as_it_was(ledgers: Ledgers):
    def fail(ledger: Ledger) -> Ledger:
        raise RuntimeError("the change failed")

    ledgers.save(PETS, FULL)
    with pytest.raises(RuntimeError):
        ledgers.change(PETS, fail)
    assert ledgers.load(PETS) == FULL
    ledgers.change(PETS, lambda ledger: replace(ledger, drawn=0))
    assert ledgers.load(PETS).drawn == 0
