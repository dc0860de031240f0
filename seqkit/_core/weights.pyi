from collections.abc import Sequence

import numpy as np

from seqkit._core.calls import Call, Place
from seqkit._core.machine import Arena

def add_weight_gradients(
    runs: Sequence[tuple[Call, Call, int | None, int, list[np.ndarray]]],
    threads: int,
    arena: Arena,
    sums: Arena,
    first: bool = ...,
    last: bool = ...,
) -> None: ...
def input_gradient(
    forward: Call,
    backward: Call,
    runs: Sequence[tuple[int, int]],
    weights: Sequence[np.ndarray],
    dx: Place,
    features: int,
    threads: int,
    arena: Arena,
) -> None: ...
