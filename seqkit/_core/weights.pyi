from collections.abc import Sequence

import numpy as np

from seqkit._core.calls import Call, Place, Program
from seqkit._core.machine import Arena

def aligned(count: int, dtype: str) -> np.ndarray: ...
def pack_run(program: Program, blocks: Sequence[np.ndarray]) -> np.ndarray: ...
def pack_transposed(program: Program, blocks: Sequence[np.ndarray]) -> np.ndarray: ...
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
