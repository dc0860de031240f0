"""Naming what made a loss or a gradient NaN or infinite."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqkit import _core
from seqkit.errors import NonFiniteError
from seqkit.layer import lengths_after
from seqkit.sequences import valid_steps
from seqkit.stack import Stack
from seqkit.training.batches import Batch


def non_finite(what: str, culprit: str) -> NonFiniteError:
    """The error that says what is not finite, and where that began."""
    return NonFiniteError(
        f"{what}; the first NaN or infinite values are in {culprit}. The weights are as before this batch. Lower "
        f"learning_rate, set global_clipnorm, or look for NaN and huge values in the data."
    )


def first_non_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Name of the first array that is not finite."""
    return _core.first_non_finite(arrays)


def culprit_of_loss(model: Stack, params: Mapping[str, np.ndarray], batch: Batch, y_pred: np.ndarray) -> str:
    """What made the loss of a batch not finite: a parameter, x, a layer, a target or a weight, or its size."""
    seen = {**params, **_inputs(batch)}
    culprit = first_non_finite(seen)
    if culprit is None and not np.isfinite(y_pred).all():
        culprit = _layer(model, batch)
    lengths = model.output_lengths(batch.lengths) if y_pred.ndim == 3 else None
    return culprit or _given(batch, lengths) or f"the loss itself, of outputs as large as {np.abs(y_pred).max():g}"


def _inputs(batch: Batch) -> dict[str, np.ndarray]:
    """The valid steps of the input, or of each of several."""
    if not isinstance(batch.x, tuple):
        return {"x": _valid(np.asarray(batch.x), batch.lengths)}
    inputs = enumerate(zip(batch.x, batch.lengths, strict=True))
    return {f"x[{number}]": _valid(np.asarray(x), lengths) for number, (x, lengths) in inputs}


def _given(batch: Batch, lengths: np.ndarray | None) -> str | None:
    """The first of targets and weights that is not finite."""
    given = {"y": batch.y, "sample_weight": batch.sample_weight}
    for name, values in given.items():
        if values is None or values.dtype.kind != "f":
            continue
        if not np.isfinite(_valid(values, lengths if values.ndim > 1 else None)).all():
            return name
    return None


def _layer(model: Stack, batch: Batch) -> str:
    """The first layer whose output, without dropout, is not finite."""
    y, lengths = batch.x, batch.lengths
    for number, layer in enumerate(model.layers[:-1]):
        y, _ = layer.forward(y, lengths, None, False)
        lengths = None if y.ndim == 2 else lengths_after(layer, lengths)
        if not np.isfinite(y).all():
            return f"the output of layer {number} ({layer.name})"
    return "the output"


def _valid(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """The entries of `array` (B, T, ...) inside their sequences."""
    return array if lengths is None else array[valid_steps(lengths, *array.shape[:2])]
