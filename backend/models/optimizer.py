"""Minimize smooth convex functions with SciPy's L-BFGS, imported only when training."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import numpy as np

from backend.domain.arrays import Floats


def minimum(
    objective: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    tolerance: float = 1e-6,
    throttled: Callable[[], None] | None = None,
) -> Floats:
    """Return the minimum of a smooth convex objective by L-BFGS (Liu & Nocedal 1989).

    Args:
        objective: returns value and gradient at a flat vector.
        start: a flat vector.
        tolerance: largest entry of the gradient at which to stop.
        throttled: called once an iteration; an exception it raises ends the search.
    """
    scipy = cast(Any, import_module("scipy.optimize"))  # prediction needs no SciPy

    def beat(_: Floats) -> None:
        if throttled is not None:
            throttled()

    solved = scipy.minimize(
        objective,
        start.astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        callback=beat,
        options={"maxiter": 500, "gtol": tolerance, "ftol": 1e-10, "maxcor": 10},
    )
    return cast(Floats, solved.x)
