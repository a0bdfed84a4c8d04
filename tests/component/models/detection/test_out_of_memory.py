import gc
import weakref

import pytest
import torch

from backend.models.detection.out_of_memory import with_smaller_batches


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


class Trainer:
    """Holds memory and knows itself, as Ultralytics' trainer does through its callbacks."""

    def __init__(self) -> None:
        self.callbacks = [self.hear]

    def hear(self) -> None:
        """Nothing."""


def test_what_failed_is_let_go_of_before_the_next_try():
    earlier: list[weakref.ref[Trainer]] = []

    def work(batch: int) -> list[Trainer | None]:
        alive = [one() for one in earlier]
        trainer = Trainer()
        earlier.append(weakref.ref(trainer))
        if batch > 2:
            raise torch.OutOfMemoryError
        return alive

    gc.disable()
    try:
        assert with_smaller_batches(8, work) == [None, None]
    finally:
        gc.enable()
