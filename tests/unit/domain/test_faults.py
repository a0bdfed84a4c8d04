from backend.domain.answers import NoPrediction
from backend.domain.faults import Fault, faults_of
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind


def test_the_same_fault_of_a_thousand_images_is_one_line_with_a_count():
    fault = "Label Studio answered 404. Is the file still there?"
    slots = [NoPrediction(TaskId(n), f"/data/{n}.png: {fault}", fault=fault) for n in range(1000)]
    (found,) = faults_of([*slots])
    assert found == Fault(fault, 1000, TaskId(0))
    assert found.sentence() == f"1,000 images, the first of task 0: {fault}"


def test_a_fault_of_one_image_names_the_image_and_comes_last():
    alone = NoPrediction(TaskId(7), "/data/7.png: the file is empty", fault="the file is empty")
    others = [NoPrediction(TaskId(n), "not an image") for n in (8, 9)]
    found = faults_of([alone, *others])
    assert [one.sentence() for one in found] == [
        "2 images, the first of task 8: not an image",
        "task 7: /data/7.png: the file is empty",
    ]


def test_a_fault_of_texts_counts_texts():
    fault = Fault("the file is empty", 3, TaskId(7))
    assert fault.sentence(ItemKind.TEXT) == "3 texts, the first of task 7: the file is empty"


def test_no_unreadable_image_has_no_fault():
    assert faults_of([]) == []
