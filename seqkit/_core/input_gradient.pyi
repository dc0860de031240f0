from collections.abc import Sequence

import numpy as np

from seqkit._core.calls import Call, _Place
from seqkit._core.machine import Arena

def input_gradient(
    forward: Call,
    backward: Call,
    parts: Sequence[tuple[int, int]],
    products: Sequence[tuple[int, int, int, int]],
    columns: Sequence[tuple[int, int, int]],
    weights: Sequence[np.ndarray],
    dx: _Place,
    threads: int,
    arena: Arena,
) -> None: ...
