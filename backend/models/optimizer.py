"""The one door to SciPy's L-BFGS; opened only to train, never to predict."""

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
    """Where a smooth convex objective is least, by L-BFGS (Liu & Nocedal 1989).

    Args:
        objective: of a flat vector, its value and gradient.
        start: flat.
        tolerance: largest entry of the gradient at which to stop.
        pulse: called once an iteration; what it raises ends the search.
    """
    scipy = cast(Any, import_module("scipy.optimize"))  # here, as prediction must not pay for it

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
