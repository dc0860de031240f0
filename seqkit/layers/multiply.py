"""The product of several inputs.

Legend: N valid steps (or vectors), F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from seqkit.merge import Merge


class Multiply(Merge):
    r"""The product of its inputs, number by number: :math:`y = x_1 \odot x_2 \odot \dots`, as for gates.

    Raises
    ------
    ConfigError
        If the inputs have not the same number of features.
    ShapeError
        If they have not the same steps.

    Examples
    --------
    >>> import numpy as np
    >>> Multiply()((np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))).tolist()
    [[10.0, 40.0]]
    """

    name = "multiply"

    def _merged(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return reduce(np.multiply, rows)

    def _parts(self, dy: np.ndarray, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return [reduce(np.multiply, [*rows[:n], *rows[n + 1 :]], dy) for n in range(len(rows))]
