"""What each image may be used for, as a table."""

import pytest

from backend.domain.answers import ImageRef, LabeledImage
from backend.domain.ids import JobId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger
from backend.services.project_tasks import ProjectTasks
from backend.services.training.dataset import ImageUse, partition

TASK = TaskId(1)
REF = ImageRef(TASK, "image")
LABELED = ProjectTasks((LabeledImage(REF, {}),), ())
UNLABELED = ProjectTasks((), (REF,))
SKIPPED = ProjectTasks((), (), (REF,))
SAMPLE = frozenset({TASK})
ACCEPTED = {JobId("job-1"): Acceptance(VersionName("al"), (TASK,), (), ())}

NOWHERE = Ledger()
IN_AUDIT = Ledger(audit=SAMPLE)
SPENT = Ledger(audit=SAMPLE, spent=SAMPLE)
BY_A_JOB = Ledger(acceptances=ACCEPTED)


@pytest.mark.parametrize(
    ("tasks", "ledger", "use"),
    [
        (LABELED, NOWHERE, ImageUse.TRAINING),
        (LABELED, IN_AUDIT, ImageUse.VALIDATION),
        (LABELED, SPENT, ImageUse.TRAINING),
        (LABELED, BY_A_JOB, ImageUse.NONE),
        (LABELED, Ledger(audit=SAMPLE, acceptances=ACCEPTED), ImageUse.VALIDATION),
        (SKIPPED, NOWHERE, ImageUse.NONE),
        (SKIPPED, IN_AUDIT, ImageUse.VALIDATION),
        (SKIPPED, SPENT, ImageUse.NONE),
        (UNLABELED, NOWHERE, ImageUse.PREDICTION),
        (UNLABELED, IN_AUDIT, ImageUse.NONE),
        (UNLABELED, SPENT, ImageUse.PREDICTION),
    ],
)
def test_each_image_has_one_use(tasks, ledger, use):
    assert partition(tasks, ledger) == {TASK: use}
