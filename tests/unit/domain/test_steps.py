from backend.domain.steps import Step


def test_every_step_reads_as_part_of_a_sentence():
    assert Step.TRAIN.doing == "training"
    assert Step.WAIT.doing == "waiting for Label Studio"
    assert all(step.doing for step in Step)
