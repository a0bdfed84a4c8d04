"""Audits in memory; implements `backend.ports.stores.Audits`."""

from dataclasses import dataclass, field

from backend.domain.audits import Audit, CertificateFile
from backend.domain.errors import NotFound
from backend.domain.ids import AuditId, JobId, ProjectId


@dataclass
class FakeAudits:
    """`drawn` and `certified` hold what was written."""

    drawn: dict[tuple[ProjectId, AuditId], Audit] = field(default_factory=dict)
    certified: dict[tuple[ProjectId, JobId], CertificateFile] = field(default_factory=dict)

    def save(self, audit: Audit) -> None:
        self.drawn[audit.project, audit.id] = audit

    def load(self, project: ProjectId, audit: AuditId) -> Audit:
        try:
            return self.drawn[project, audit]
        except KeyError as exc:
            raise NotFound(f"no audit {audit}") from exc

    def certify(self, project: ProjectId, job: JobId, file: CertificateFile) -> None:
        self.certified[project, job] = file

    def certificate(self, project: ProjectId, job: JobId) -> CertificateFile:
        try:
            return self.certified[project, job]
        except KeyError as exc:
            raise NotFound(f"no certificate of {job}") from exc
