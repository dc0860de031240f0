from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from seqkit._core.kernel_tables import KernelTable
from seqkit._core.machine import Arena
from seqkit._core.noise import Noise

SLOTS: dict[str, int]
OPERANDS: dict[str, int]
LIMITS: dict[str, int]

_Place = tuple[np.ndarray, np.ndarray, int]

class Program:
    tables: dict[str, Any]
    problem: str
    providers: tuple[str | None, ...]
    def __init__(self, tables: dict[str, Any], own: KernelTable | None = ..., problem: str = ...) -> None: ...

class Batch:
    def __init__(
        self, size: int, time: int, order: np.ndarray, length: np.ndarray, active: np.ndarray, offset: np.ndarray
    ) -> None: ...
    def segments(self, steps: int) -> list[int]: ...

class Call:
    program: Program
    batch: Batch
    def __init__(
        self,
        program: Program,
        batch: Batch,
        tape: Arena,
        work: Arena,
        *,
        taped: bool,
        reverse: bool = ...,
        reverse_output: bool = ...,
        last_only: bool = ...,
        x: _Place | None = ...,
        y: _Place | None = ...,
        initial: Sequence[np.ndarray | None] = ...,
        final: Sequence[np.ndarray] = ...,
        weights: Sequence[np.ndarray] = ...,
        bias: np.ndarray | None = ...,
        parameters: np.ndarray | None = ...,
        masks: Sequence[np.ndarray] = ...,
        input_mask: np.ndarray | None = ...,
        noises: Sequence[Noise] = ...,
        first_row: int = ...,
        first_step: int = ...,
        taped_vectors: Iterable[int] = ...,
        forward: Call | None = ...,
    ) -> None: ...
    def nbytes(self) -> tuple[int, int]: ...
    def copy_saved(self, out: np.ndarray) -> None: ...
