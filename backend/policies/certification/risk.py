"""The risk of a project: what its tests may spend, and what its labels may still hold wrong.

The user's confidence covers all audits of a project together, so the risks of their tests may
sum up to 1 - confidence. A test is recorded before its result is known. Its risk is never given
back: whoever undoes an acceptance has seen the result.
"""

from dataclasses import replace
from math import floor

from backend.domain.audits import AuditRecord, RiskLedger
from backend.domain.ids import AuditId

SHARE = 0.75
"""Share of the remaining risk that the next test gets. One half accepts more over three rounds and
less in the first, nine tenths the other way round; see docs/decisions/certification-rule.md."""

LEAST_RISK = 1e-4
"""With less than this, no audit of a practical size passes."""

_ROUNDING = 1e-9


def risk_of_next_test(ledger: RiskLedger, confidence: float) -> float:
    """Return the risk that the next test may spend; 0 where too little is left to test at all."""
    left = 1 - confidence - ledger.spent
    return left * SHARE if left * SHARE >= LEAST_RISK else 0.0


def spend(ledger: RiskLedger, audit: AuditId, risk: float) -> RiskLedger:
    """Record a test. A repetition of the same test, such as after a crash, costs nothing."""
    if any(record.audit == audit for record in ledger.records):
        return ledger
    return RiskLedger((*ledger.records, AuditRecord(audit, risk)))


def accept(ledger: RiskLedger, audit: AuditId, allowed: int) -> RiskLedger:
    """Record how many mistakes may remain among the labels that the audit accepted."""
    return _with(ledger, audit, allowed=allowed)


def undo(ledger: RiskLedger, audit: AuditId) -> RiskLedger:
    """Record that the accepted labels are gone, and their mistakes with them; not the risk."""
    return _with(ledger, audit, undone=True)


def share_of(max_error: float, labels: int) -> int:
    """Return how many of the labels may be wrong."""
    return floor(max_error * labels + _ROUNDING)


def budget(ledger: RiskLedger, max_error: float, tasks: int) -> int:
    """Return how many more mistakes the finished project may hold; negative if already too many.

    Args:
        ledger: of the project.
        max_error: promised for all labels.
        tasks: that the project holds now.
    """
    return share_of(max_error, tasks) - ledger.allowed


def _with(ledger: RiskLedger, audit: AuditId, **changes: int) -> RiskLedger:
    return RiskLedger(
        tuple(
            replace(record, **changes) if record.audit == audit else record
            for record in ledger.records
        )
    )
