from collections.abc import Sequence

import numpy as np

from seqkit._core.calls import Call
from seqkit._core.machine import Arena

def add_weight_gradients(
    runs: Sequence[tuple[Call, Call, int | None, int, int, list[np.ndarray]]],
    threads: int,
    arena: Arena,
    sums: Arena,
    first: bool = ...,
    last: bool = ...,
) -> None: ...
