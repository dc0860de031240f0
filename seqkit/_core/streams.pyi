from collections.abc import Sequence
from typing import final

import numpy as np

from seqkit._core.calls import Program

@final
class Stepper:
    version: int
    def __init__(
        self,
        program: Program,
        features: int,
        version: int,
        weights: Sequence[np.ndarray],
        bias: np.ndarray,
        parameters: np.ndarray,
    ) -> None: ...
    def step(self, x: object, state: object, version: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]] | None: ...
    def feed(
        self, x: np.ndarray, y: np.ndarray, states: tuple[np.ndarray, ...], sources: np.ndarray, targets: np.ndarray
    ) -> None: ...

def rows_of_streams(ids: np.ndarray, turn: np.ndarray, sources: np.ndarray) -> int: ...
