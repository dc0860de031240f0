from collections.abc import Sequence

import numpy as np

from seqkit._core.calls import Call
from seqkit._core.machine import Arena

def plan(calls: list[Call], threads: int) -> tuple[int, list[int], int, bool]: ...
def run(calls: list[Call], threads: int, arena: Arena) -> None: ...

class Stepper:
    def __init__(self, call: Call) -> None: ...
    @staticmethod
    def fits(call: Call) -> bool: ...
    def run(
        self, x: np.ndarray, y: np.ndarray, initial: Sequence[np.ndarray | None], final: Sequence[np.ndarray]
    ) -> None: ...
