"""Several inputs side by side.

Legend: N valid steps (or vectors), F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit.merge import Merge


class Concatenate(Merge):
    r"""The features of its inputs side by side: :math:`y = [x_1; x_2; \dots]`, of the same steps.

    Raises
    ------
    ShapeError
        If the inputs have not the same steps.

    Examples
    --------
    >>> import numpy as np
    >>> Concatenate()((np.array([[1.0, 2.0]]), np.array([[3.0]]))).tolist()
    [[1.0, 2.0, 3.0]]
    """

    name = "concatenate"
    same_features = False

    @property
    def output_size(self) -> int:
        """The sum of the numbers of features of the inputs."""
        self._require_built()
        return sum(self.input_sizes)

    def _merged(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(rows, axis=1)

    def _parts(self, dy: np.ndarray, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return np.split(dy, np.cumsum(self.input_sizes)[:-1], axis=1)
