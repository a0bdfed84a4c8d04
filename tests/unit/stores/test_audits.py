import pytest

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import AuditId, JobId, ProjectId
from backend.stores.audits import AuditFiles, read_certificate
from tests.fakes.audited_projects import a_certificate

PROJECT, JOB = ProjectId(1), JobId("job-20261128-120000-abcd")


def test_an_audit_and_its_certificate_are_read_as_they_were_written(tmp_path):
    files, file = AuditFiles(tmp_path), a_certificate()
    files.save(file.audit)
    files.certify(PROJECT, JOB, file)
    assert files.load(PROJECT, file.audit.id) == file.audit
    assert files.certificate(PROJECT, JOB) == file
    assert read_certificate(tmp_path / "projects/1/jobs" / JOB / "certificate.json") == file


def test_what_was_never_written_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        AuditFiles(tmp_path).load(PROJECT, AuditId(1))
    with pytest.raises(NotFound, match="does not exist"):
        AuditFiles(tmp_path).certificate(PROJECT, JOB)


def test_what_is_no_certificate_is_named(tmp_path):
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(BadInput, match="not a certificate"):
        read_certificate(tmp_path / "report.json")
