"""The sum of several inputs.

Legend: N valid steps (or vectors), F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from seqkit.merge import Merge


class Add(Merge):
    r"""The sum of its inputs: :math:`y = x_1 + x_2 + \dots`, of the same steps and numbers of features.

    Raises
    ------
    ConfigError
        If the inputs have not the same number of features.
    ShapeError
        If they have not the same steps.

    Examples
    --------
    >>> import numpy as np
    >>> Add()((np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))).tolist()
    [[11.0, 22.0]]
    """

    name = "add"

    def _merged(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return reduce(np.add, rows)

    def _parts(self, dy: np.ndarray, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return [dy] * len(rows)
