from collections.abc import Mapping
from typing import final

import numpy as np

from seqkit._core.calls import Program

@final
class Weights:
    version: int
    runs: list[np.ndarray]
    transposed: list[np.ndarray]
    bias: np.ndarray
    parameters: np.ndarray

@final
class Packing:
    def __init__(
        self, program: Program, runs: list[list[tuple[str, int]]], places: np.ndarray, rows: list[tuple[str, int, int]]
    ) -> None: ...
    def known(self, version: int, both: bool) -> Weights | None: ...
    def pack(self, arrays: Mapping[str, np.ndarray], version: int, both: bool) -> Weights: ...
