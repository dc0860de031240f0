"""The mean of several inputs.

Legend: N valid steps (or vectors), F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from seqkit.merge import Merge


class Average(Merge):
    r"""The mean of its n inputs: :math:`y = (x_1 + \dots + x_n) / n`, of the same steps and numbers of features.

    Raises
    ------
    ConfigError
        If the inputs have not the same number of features.
    ShapeError
        If they have not the same steps.

    Examples
    --------
    >>> import numpy as np
    >>> Average()((np.array([[1.0, 2.0]]), np.array([[3.0, 8.0]]))).tolist()
    [[2.0, 5.0]]
    """

    name = "average"

    def _merged(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return reduce(np.add, rows) / len(rows)

    def _parts(self, dy: np.ndarray, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return [dy / len(rows)] * len(rows)
