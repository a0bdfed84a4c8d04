from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.versions import Ledger
from backend.stores.ledgers import LedgerFiles

PROJECT = ProjectId(1)


def test_changes_made_at_the_same_time_are_all_kept(tmp_path):
    def attempt(_):
        LedgerFiles(tmp_path).change(PROJECT, lambda now: replace(now, attempts=now.attempts + 1))

    with ThreadPoolExecutor(8) as several:
        list(several.map(attempt, range(100)))
    assert LedgerFiles(tmp_path).load(PROJECT) == Ledger(attempts=100)


def test_a_ledger_of_before_acceptances_knew_what_they_spent_is_read(tmp_path):
    folder = tmp_path / "projects" / "1"
    folder.mkdir(parents=True)
    old = (
        '{"spent": [4], "acceptances": {"job-1": '
        '{"version": "al", "tasks": [1], "annotations": [9], "certificates": []}}}'
    )
    (folder / "ledger.json").write_text(old)
    found = LedgerFiles(tmp_path).load(PROJECT)
    assert found.accepted == {1}
    assert found.acceptances["job-1"].spent == frozenset()


def test_a_damaged_ledger_is_named_and_never_reset(tmp_path):
    path = tmp_path / "projects" / "1" / "ledger.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"attempts": "many"}')
    with pytest.raises(BadInput, match=r"not a ledger \(.*ledger\.json\): attempts"):
        LedgerFiles(tmp_path).change(PROJECT, lambda ledger: ledger)
    assert path.read_text() == '{"attempts": "many"}'
