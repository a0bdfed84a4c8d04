"""Ledgers from before there were audits.

They hold a random sample that was labeled before the first training, and count tests instead of
risk. What the sample was for is closed; what the tests may have spent stays spent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor

from pydantic import TypeAdapter

from backend.domain.audits import AuditRecord, RiskLedger
from backend.domain.ids import AuditId, JobId
from backend.domain.versions import Ledger
from backend.stores.validation import parse_json

NO_AUDIT = AuditId(0)
"""Stands for all tests of an older ledger together."""

NOTE = (
    "The random sample of this project was closed: audits after the training need no sample before "
    "it. Its labels teach the next version. The confidence that its tests used up stays used up."
)


@dataclass(frozen=True, slots=True)
class OldCertificate:
    error_rate: float = 0.0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class OldAcceptance:
    tasks: tuple[int, ...] = ()
    certificates: tuple[OldCertificate, ...] = ()
    undone: bool = False

    @property
    def allowed(self) -> int:
        """Mistakes that its certificates allow."""
        error = max((one.error_rate for one in self.certificates), default=0.0)
        return 0 if self.undone else floor(error * len(self.tasks) + 1e-9)


@dataclass(frozen=True, slots=True)
class OldLedger:
    """The fields of an older ledger that still count."""

    attempts: int = 0
    acceptances: Mapping[JobId, OldAcceptance] = field(default_factory=dict["JobId", OldAcceptance])

    @property
    def risk(self) -> float:
        """The most that its tests may have spent: each took three quarters of what was left."""
        promised = [one.confidence for old in self.acceptances.values() for one in old.certificates]
        return (1 - min(promised, default=0.95)) * (1 - 0.25**self.attempts)


_OLD = TypeAdapter(OldLedger)


def converted(ledger: Ledger, text: bytes) -> Ledger:
    """Return the ledger with the risk that an older file `text` stands for.

    Raises:
        BadInput: when the file is damaged.
    """
    old = parse_json(_OLD, text, "an older ledger")
    allowed = sum(one.allowed for one in old.acceptances.values())
    spent = AuditRecord(NO_AUDIT, old.risk, allowed)
    return replace(ledger, risk=RiskLedger((spent,) if old.attempts else ()), note=NOTE)
