"""Repeat work in smaller batches when a GPU runs out of memory. Does not import torch itself."""

import gc
import logging
import sys
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def with_smaller_batches(batch: int, work: Callable[[int], Result]) -> Result:
    """Call `work(batch)`, halving the batch each time that memory runs out.

    Raises:
        torch.OutOfMemoryError: when even a batch of one does not fit.
    """
    while True:
        try:
            return work(batch)
        except RuntimeError as exc:
            torch = sys.modules.get("torch")
            if batch <= 1 or torch is None or not isinstance(exc, torch.OutOfMemoryError):
                raise
            log.warning("out of GPU memory with batches of %s, trying %s", batch, batch // 2)
        gc.collect()  # a trainer and its callbacks refer to each other
        torch.cuda.empty_cache()
        batch //= 2
