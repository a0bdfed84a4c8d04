"""Audits in the data folder: what was drawn, and the certificates of what was accepted."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from backend.domain.audits import Audit, CertificateFile
from backend.domain.errors import NotFound
from backend.domain.ids import AuditId, JobId, ProjectId
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

_AUDIT = TypeAdapter(Audit)
_CERTIFICATE = TypeAdapter(CertificateFile)
Content = TypeVar("Content")


class AuditFiles:
    """Implements `ports.stores.Audits`."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def save(self, audit: Audit) -> None:
        """Raises OutOfSpace."""
        write_whole(self._drawn(audit.project, audit.id), _AUDIT.dump_json(audit).decode())

    def load(self, project: ProjectId, audit: AuditId) -> Audit:
        """Raises NotFound, or BadInput when the file is damaged."""
        return _read(_AUDIT, self._drawn(project, audit), "an audit")

    def certify(self, project: ProjectId, job: JobId, file: CertificateFile) -> None:
        """Raises OutOfSpace."""
        write_whole(self._certificate(project, job), _CERTIFICATE.dump_json(file).decode())

    def certificate(self, project: ProjectId, job: JobId) -> CertificateFile:
        """Raises NotFound, or BadInput when the file is damaged."""
        return read_certificate(self._certificate(project, job))

    def _drawn(self, project: ProjectId, audit: AuditId) -> Path:
        return self._projects / str(project) / "audits" / f"{audit}.json"

    def _certificate(self, project: ProjectId, job: JobId) -> Path:
        return self._projects / str(project) / "jobs" / job / "certificate.json"


def read_certificate(path: Path) -> CertificateFile:
    """Read a certificate, wherever it lies.

    Raises:
        NotFound: when there is no such file.
        BadInput: when it is no certificate.
    """
    return _read(_CERTIFICATE, path, "a certificate")


def _read(adapter: TypeAdapter[Content], path: Path, what: str) -> Content:
    try:
        return parse_json(adapter, path.read_bytes(), f"{what} ({path})")
    except FileNotFoundError as exc:
        raise NotFound(f"{path} does not exist") from exc
