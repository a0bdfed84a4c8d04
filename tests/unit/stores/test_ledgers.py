import json
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
        LedgerFiles(tmp_path).change(PROJECT, lambda now: replace(now, drawn=now.drawn + 1))

    with ThreadPoolExecutor(8) as several:
        list(several.map(attempt, range(100)))
    assert LedgerFiles(tmp_path).load(PROJECT) == Ledger(drawn=100)


OLD = {
    "audit": [4, 5],
    "share": 0.2,
    "before": [1],
    "from_labels": False,
    "spent": [4],
    "attempts": 2,
    "acceptances": {
        "job-1": {
            "version": "al",
            "tasks": list(range(100, 160)),
            "annotations": list(range(60)),
            "certificates": [{"error_rate": 0.05, "confidence": 0.9, "promise": "at most 5 %"}],
            "spent": [4],
        },
        "job-2": {"version": "al", "tasks": [1], "annotations": [9], "certificates": []},
    },
}


def test_a_ledger_from_before_there_were_audits_keeps_what_its_tests_may_have_spent(tmp_path):
    folder = tmp_path / "projects" / "1"
    folder.mkdir(parents=True)
    (folder / "ledger.json").write_text(json.dumps(OLD))
    found = LedgerFiles(tmp_path).load(PROJECT)
    assert found.accepted == {1, *range(100, 160)}
    assert found.risk.spent == pytest.approx(0.1 * (1 - 0.25**2))
    assert found.risk.allowed == 3
    assert (found.withheld, found.open_audit) == (frozenset(), None)
    assert "sample of this project was closed" in found.note
    # and once saved it is a ledger like any other
    LedgerFiles(tmp_path).save(PROJECT, found)
    assert LedgerFiles(tmp_path).load(PROJECT) == found


def test_an_older_ledger_without_any_test_has_spent_nothing(tmp_path):
    folder = tmp_path / "projects" / "1"
    folder.mkdir(parents=True)
    undone = {**OLD["acceptances"]["job-1"], "undone": True}
    old = {**OLD, "attempts": 0, "acceptances": {"job-1": undone}}
    (folder / "ledger.json").write_text(json.dumps(old))
    found = LedgerFiles(tmp_path).load(PROJECT)
    assert (found.risk.spent, found.risk.allowed) == (0, 0)


def test_a_damaged_ledger_is_named_and_never_reset(tmp_path):
    path = tmp_path / "projects" / "1" / "ledger.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"drawn": "many"}')
    with pytest.raises(BadInput, match=r"not a ledger \(.*ledger\.json\): drawn"):
        LedgerFiles(tmp_path).change(PROJECT, lambda ledger: ledger)
    assert path.read_text() == '{"drawn": "many"}'
