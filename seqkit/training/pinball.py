"""The pinball loss: what is learned by it is a quantile.

Legend: N vectors or valid steps, K targets, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.steps import Steps
from seqkit.training.loss import RowLoss, same_shape


class Pinball(RowLoss):
    """Mean over targets k and quantiles q of ``max(q e, (q - 1) e)`` with ``e = y_true_k - y_pred_kq``.

    The least expected loss is at the q-quantile of the target given the input, so a model with
    outputs for 0.05, 0.5 and 0.95 learns a median and an interval that holds nine values of ten.
    The gradient at e = 0 is 0.

    Parameters
    ----------
    quantiles : float or sequence of float
        Between 0 and 1.  The model's last layer has Q outputs for every target, those of one
        target beside each other in the order of `quantiles`.

    Raises
    ------
    ConfigError
        If a quantile is not between 0 and 1.
    ShapeError
        When called, if the outputs are not Q for every target.

    Notes
    -----
    Source: Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> value, dy = Pinball([0.1, 0.9])([[3.0]], np.array([[1.0, 4.0]]))
    >>> round(value, 6), dy.round(6).tolist()
    (0.15, [[-0.05, 0.05]])
    """

    name = "pinball"

    def __init__(self, quantiles: float | Sequence[float] = 0.5) -> None:
        self.quantiles = [float(quantile) for quantile in np.atleast_1d(quantiles)]
        wrong = [quantile for quantile in self.quantiles if not 0 < quantile < 1]
        if wrong or not self.quantiles:
            raise ConfigError(f"{self.name}: quantiles must lie between 0 and 1, got {quantiles!r}.")

    def config(self) -> dict[str, Any]:
        return {"quantiles": list(self.quantiles)}

    def _targets(self, y_true: Any, y_pred: np.ndarray, steps: Steps) -> np.ndarray:
        count = len(self.quantiles)
        if y_pred.shape[-1] % count:
            raise ShapeError(
                f"{self.name}: the model's output has {y_pred.shape[-1]} columns, expected {count} for every target, "
                f"one for each quantile."
            )
        return same_shape(y_true, y_pred[..., ::count], steps)

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        quantiles = np.tile(np.array(self.quantiles, dtype=pred.dtype), true.shape[1])
        error = np.repeat(true, len(self.quantiles), axis=1) - pred
        slopes = np.where(error > 0, -quantiles, np.where(error < 0, 1 - quantiles, 0.0 * error))
        return (-slopes * error).mean(axis=1), slopes / pred.dtype.type(pred.shape[1])
