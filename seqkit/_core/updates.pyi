from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike

RULES: dict[str, int]

@final
class Update:
    def __init__(
        self,
        weights: dict[str, np.ndarray],
        grads: Mapping[str, ArrayLike],
        memories: Sequence[dict[str, np.ndarray]] | None = None,
        ridge: float = 0.0,
    ) -> None: ...
    def holds(self, weights: dict[str, np.ndarray], grads: Mapping[str, ArrayLike], ridge: float) -> bool: ...
    def square_sums(self) -> list[float]: ...
    def step(self, rule: str, numbers: tuple[float, ...], scales: list[float], limit: float) -> None: ...

def first_non_finite(arrays: Mapping[str, ArrayLike]) -> str | None: ...
