from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

RULES: dict[str, int]

class Update:
    def __init__(self, weights: dict[str, np.ndarray], grads: Mapping[str, ArrayLike], ridge: float = 0.0) -> None: ...
    def square_sums(self) -> list[float]: ...
    def step(
        self,
        rule: str,
        numbers: tuple[float, ...],
        memories: list[dict[str, np.ndarray]],
        scales: Sequence[float],
        limit: float,
    ) -> None: ...

def all_finite(array: ArrayLike) -> bool: ...
