"""What every implementation of `backend.ports.stores.Ledgers` does."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.ids import JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.versions import Acceptance, Certificate, Ledger
from backend.ports.stores import Ledgers
from backend.stores.ledgers import LedgerFiles
from tests.fakes.ledgers import FakeLedgers

PETS, CARS = ProjectId(1), ProjectId(2)
CERTIFICATE = Certificate(
    threshold=0.9,
    error_rate=0.05,
    confidence=0.95,
    accepted=80,
    mistakes=1,
    sample=120,
    promise="at most 5 % are wrong",
    label=Label("Katze 猫"),
)
ACCEPTANCE = Acceptance(
    VersionName("al-0001-3f9c"),
    tasks=(TaskId(7), TaskId(3)),
    annotations=(70, 30),
    certificates=(CERTIFICATE,),
    spent=frozenset({TaskId(9)}),
)
FULL = Ledger(
    audit=frozenset({TaskId(9), TaskId(11)}),
    share=0.25,
    before=frozenset({TaskId(1)}),
    from_labels=True,
    spent=frozenset({TaskId(9)}),
    attempts=3,
    acceptances={JobId("job-1"): ACCEPTANCE},
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
    ledgers.change(CARS, lambda ledger: replace(ledger, attempts=1))
    assert ledgers.load(PETS) == FULL
    assert ledgers.load(CARS) == Ledger(attempts=1)


def test_a_change_starts_from_the_newest_ledger_and_is_saved(ledgers: Ledgers):
    ledgers.save(PETS, Ledger(attempts=1))
    for attempts in (2, 3):
        changed = ledgers.change(PETS, lambda ledger: replace(ledger, attempts=ledger.attempts + 1))
        assert changed == ledgers.load(PETS) == Ledger(attempts=attempts)


def test_a_change_that_fails_leaves_the_ledger_as_it_was(ledgers: Ledgers):
    def fail(ledger: Ledger) -> Ledger:
        raise RuntimeError("the change failed")

    ledgers.save(PETS, FULL)
    with pytest.raises(RuntimeError):
        ledgers.change(PETS, fail)
    assert ledgers.load(PETS) == FULL
    ledgers.change(PETS, lambda ledger: replace(ledger, attempts=0))
    assert ledgers.load(PETS).attempts == 0
