import pytest
import torch

from backend.models.detection.memory import with_smaller_batches


def test_work_is_repeated_with_half_the_batch_until_it_fits():
    tried: list[int] = []

    def work(batch: int) -> str:
        tried.append(batch)
        if batch > 3:
            raise torch.OutOfMemoryError
        return "done"

    assert with_smaller_batches(16, work) == "done"
    assert tried == [16, 8, 4, 2]


def test_a_single_image_that_does_not_fit_is_an_error():
    def work(batch: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        with_smaller_batches(4, work)


def test_other_errors_are_not_repeated():
    tried: list[int] = []

    def work(batch: int) -> None:
        tried.append(batch)
        raise ValueError

    with pytest.raises(ValueError):
        with_smaller_batches(4, work)
    assert tried == [4]
