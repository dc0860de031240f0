"""What low precision costs in accuracy, on given data.

Legend: B batch, T time, K outputs, N results (sequences, or valid steps of all sequences).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.sequence_layer import SequenceLayer
from seqkit.steps import Steps


@dataclass(frozen=True)
class PrecisionReport:
    """Outputs in low precision compared with those of the float32 layer or model: :func:`precision_report`.

    Attributes
    ----------
    name, precision : str
        What was compared, and what its products were computed in.
    results, outputs : int
        N and K: how many results there were, and numbers in each.
    max_error, rms_error : float
        Largest and root mean square difference, in the units of the outputs.
    relative_error : float
        `rms_error` over the root mean square of the float32 outputs; NaN where all are 0.
    agreement : float or None
        Of a model with several outputs, the share of results whose largest output is the same
        one: of a classifier, the answers that do not change.
    """

    name: str
    precision: str
    results: int
    outputs: int
    max_error: float
    rms_error: float
    relative_error: float
    agreement: float | None

    def __str__(self) -> str:
        text = (
            f"{self.name} in {self.precision}, {self.results} results of {self.outputs} numbers: largest error "
            f"{self.max_error:.3g}, rms {self.rms_error:.3g} ({100 * self.relative_error:.3g} %)"
        )
        return text if self.agreement is None else f"{text}; the largest output agrees in {100 * self.agreement:.4g} %"


def precision_report(subject: Layer | Sequential, precision: str, x: Any, lengths: Any = None) -> PrecisionReport:
    """Error that a precision brings to a layer or model on given data.

    Parameters
    ----------
    subject : Layer or Sequential
        Built, of float32.
    precision : {"bfloat16", "int8"}
        See :meth:`seqkit.Layer.quantize`.
    x : array_like (B, T, F) or list of ndarray (T_i, F)
        Input, as the layer or model takes it.
    lengths : array_like of int, (B,), optional
        True lengths of right-padded sequences; only valid steps count.

    Raises
    ------
    ConfigError
        If nothing is left to compare, or the layer cannot have this precision.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.GRU(16, input_shape=(20, 3)), seqkit.Dense(4)], seed=0)
    >>> x = np.random.default_rng(0).standard_normal((50, 20, 3), dtype=np.float32)
    >>> report = precision_report(model, "bfloat16", x)
    >>> report.results, report.outputs, report.relative_error < 0.01
    (50, 4, True)
    """
    reference = _results(subject.quantize("float32"), x, lengths)  # a copy: what is stateful keeps its state
    found = _results(subject.quantize(precision), x, lengths)
    if reference.size == 0:
        raise ConfigError(f"{subject.name}: there are no results to compare; give sequences that are not empty.")
    error, outputs = (found - reference).astype(np.float64), reference.astype(np.float64)
    same = found.argmax(axis=1) == reference.argmax(axis=1)
    return PrecisionReport(
        subject.name,
        precision,
        results=len(reference),
        outputs=reference.shape[1],
        max_error=float(np.abs(error).max()),
        rms_error=_rms(error),
        relative_error=_rms(error) / _rms(outputs) if outputs.any() else float("nan"),
        agreement=float(same.mean()) if isinstance(subject, Sequential) and reference.shape[1] > 1 else None,
    )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values * values)))


def _results(subject: Layer | Sequential, x: Any, lengths: Any) -> np.ndarray:
    """Every result as a row, (N, K); steps past the end of their sequence are none."""
    if isinstance(subject, Sequential):
        y = subject.predict(x, lengths=lengths)
    elif isinstance(subject, SequenceLayer):
        y = subject(x, lengths, return_state=False)
    else:
        y = subject(x, lengths)
    parts = y if isinstance(y, tuple) else (y,)
    return np.concatenate([_rows(part, lengths, subject.name) for part in parts], axis=-1)


def _rows(y: np.ndarray | list[np.ndarray], lengths: Any, owner: str) -> np.ndarray:
    if isinstance(y, list):
        return np.concatenate(y)
    return Steps.of(y.shape[:-1], lengths if y.ndim == 3 else None, y.dtype, owner).rows(y)
