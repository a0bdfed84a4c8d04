import pytest

from backend.domain.audits import RiskLedger
from backend.domain.ids import AuditId
from backend.policies.certification import risk

FIRST, SECOND = AuditId(1), AuditId(2)


def test_all_tests_together_spend_no_more_than_the_confidence_leaves():
    ledger = RiskLedger()
    for number in range(1, 50):
        given = risk.risk_of_next_test(ledger, 0.95)
        ledger = risk.spend(ledger, AuditId(number), given)
    assert 0.04 < ledger.spent <= 0.05
    assert risk.risk_of_next_test(ledger, 0.95) == 0


def test_a_round_at_low_confidence_leaves_nothing_for_a_promise_at_high_confidence():
    # given a round at 50 %
    ledger = risk.spend(RiskLedger(), FIRST, risk.risk_of_next_test(RiskLedger(), 0.5))
    # then a later promise at 95 % cannot be had, and one at 50 % can
    assert risk.risk_of_next_test(ledger, 0.95) == 0
    assert risk.risk_of_next_test(ledger, 0.5) == pytest.approx(0.75 * (0.5 - 0.375))


def test_the_same_test_after_a_crash_is_paid_once():
    once = risk.spend(RiskLedger(), FIRST, 0.03)
    assert risk.spend(once, FIRST, 0.03) == once


def test_undo_gives_the_mistakes_back_and_none_of_the_risk():
    ledger = risk.spend(risk.spend(RiskLedger(), FIRST, 0.03), SECOND, 0.01)
    ledger = risk.accept(risk.accept(ledger, FIRST, 40), SECOND, 5)
    assert (ledger.allowed, ledger.spent) == (45, pytest.approx(0.04))
    undone = risk.undo(ledger, FIRST)
    assert (undone.allowed, undone.spent) == (5, pytest.approx(0.04))


@pytest.mark.parametrize(("tasks", "left"), [(1000, 10), (1200, 20), (700, -5)])
def test_the_budget_follows_the_number_of_tasks(tasks, left):
    ledger = risk.accept(risk.spend(RiskLedger(), FIRST, 0.03), FIRST, 40)
    assert risk.budget(ledger, 0.05, tasks) == left


def test_rounding_takes_no_mistake_away():
    assert risk.share_of(0.29, 100) == 29
    assert risk.share_of(0.05, 99) == 4
