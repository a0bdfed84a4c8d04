"""What each image may be used for, as a table."""

import pytest

from backend.domain.answers import ImageRef, LabeledImage
from backend.domain.audits import OpenAudit
from backend.domain.ids import AuditId, JobId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger
from backend.services.project_tasks import ProjectTasks
from backend.services.training.dataset import ImageUse, partition

TASK = TaskId(1)
REF = ImageRef(TASK, "image")
LABELED = ProjectTasks((LabeledImage(REF, {}),), ())
UNLABELED = ProjectTasks((), (REF,))
SAMPLE = frozenset({TASK})
ACCEPTED = {JobId("job-1"): Acceptance(VersionName("al"), (TASK,), ())}

NOWHERE = Ledger()
IN_AUDIT = Ledger(open_audit=OpenAudit(AuditId(1), VersionName("al"), SAMPLE))
BY_A_JOB = Ledger(acceptances=ACCEPTED)


@pytest.mark.parametrize(
    ("tasks", "ledger", "use"),
    [
        (LABELED, NOWHERE, ImageUse.TRAINING),
        (LABELED, IN_AUDIT, ImageUse.TRAINING),
        (LABELED, BY_A_JOB, ImageUse.NONE),
        (UNLABELED, NOWHERE, ImageUse.PREDICTION),
        (UNLABELED, IN_AUDIT, ImageUse.NONE),
    ],
)
def test_each_image_has_one_use(tasks, ledger, use):
    assert partition(tasks, ledger) == {TASK: use}
