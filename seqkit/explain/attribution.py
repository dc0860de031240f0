"""What an output depends on: gradients, and integrated gradients, of every input at every step.

Legend: B batch, T time, F features (of an id: those of its vector), K outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.batch import Batch
from seqkit.explain.chosen import Attribution, Chosen
from seqkit.explain.subject import Subject
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.options import positive_integer, positive_number

BASELINES = ("zeros", "mean")


def saliency(
    model: Sequential | Layer,
    x: Any,
    target: Any = None,
    *,
    step: Any = None,
    lengths: Any = None,
    times_input: bool = False,
    noise: float = 0.0,
    samples: int = 25,
    seed: int | None = 0,
) -> Attribution:
    r"""The gradient of an output, :math:`\partial y_k / \partial x_{tf}` (Simonyan et al., 2014).

    With `times_input` it is multiplied by :math:`x_{tf}`.  With `noise` it is the mean over inputs with normal noise
    of so many standard deviations of each feature ("SmoothGrad": Smilkov et al., 2017).

    Parameters
    ----------
    model : Sequential or Layer
    x : array (B, T, F), ids (B, T), or list of sequences
        Of ids, the gradient is that of the features of their vectors.
    target : int or array_like of int (B,), optional
        Number of the output; by default the largest of each sequence.
    step : int or array_like of int (B,), optional
        Step of the output, of a model that returns sequences; by default the last one of each.
    lengths : array_like of int (B,), optional
        True lengths of right-padded sequences.
    times_input : bool
    noise : float
    samples : int
        Noisy inputs.
    seed : int, optional
        Of the noise.

    Returns
    -------
    Attribution

    Raises
    ------
    ConfigError
        If there is no such output, or the model is of low precision.

    Examples
    --------
    The gradient of a sum with weights is the weights:

    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.SimpleRNN(1, activation="linear").build(2, dtype="float64")
    >>> layer.params.update(weight_ih=[[2.0, 3.0]], weight_hh=[[0.5]])
    >>> saliency(layer, np.ones((1, 3, 2))).values.tolist()
    [[[0.5, 0.75], [1.0, 1.5], [2.0, 3.0]]]
    """
    subject, batch, features, chosen, y = _prepare(model, x, lengths, target, step)
    draws = [features]
    if noise:
        rng, spread = np.random.default_rng(seed), positive_number(noise, "noise") * features[batch.valid].std(axis=0)
        count = positive_integer(samples, "samples")
        draws = [features + (spread * rng.standard_normal(features.shape)).astype(features.dtype) for _ in range(count)]
    values = np.mean([_gradient(subject, batch, draw, chosen) for draw in draws], axis=0)
    return _attribution(values * features if times_input else values, batch, chosen, y)


def integrated_gradients(
    model: Sequential | Layer,
    x: Any,
    target: Any = None,
    *,
    step: Any = None,
    lengths: Any = None,
    baseline: Any = "zeros",
    points: int = 32,
) -> Attribution:
    r"""Integrated gradients (Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017).

    .. math:: a_{tf} = (x_{tf} - x'_{tf}) \int_0^1 \frac{\partial y_k}{\partial x_{tf}}\big(x' + \alpha (x - x')\big)
              \, d\alpha

    so that the sum of all is :math:`y_k(x) - y_k(x')`, the change of the output from a baseline :math:`x'`.  The
    integral is a sum over Gauss-Legendre points; ``.gap`` says what is missing from the sum.

    Parameters
    ----------
    model, x, target, step, lengths
        As for :func:`saliency`.
    baseline : {"zeros", "mean"} or array_like
        What stands for nothing: 0, the mean of each feature over all steps, or an array that broadcasts to
        (B, T, F); of ids, vectors like theirs.
    points : int
        Gradients that are computed; more for steep outputs.

    Returns
    -------
    Attribution

    Raises
    ------
    ConfigError
        If there is no such output or baseline, or the model is of low precision.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.LSTM(8), seqkit.Dense(1)], seed=0).build(3)
    >>> x = np.random.default_rng(0).standard_normal((2, 20, 3))
    >>> found = integrated_gradients(model, x)
    >>> found.values.shape, bool(abs(found.gap).max() < 1e-4)
    ((2, 20, 3), True)
    """
    subject, batch, features, chosen, y = _prepare(model, x, lengths, target, step)
    start = _baseline(baseline, batch, features)
    nodes, weights = np.polynomial.legendre.leggauss(positive_integer(points, "points"))
    total = np.zeros(features.shape)
    for alpha, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        total += weight * _gradient(subject, batch, start + alpha.astype(features.dtype) * (features - start), chosen)
    nothing, _ = subject.run(batch, start)
    return _attribution(total * (features - start), batch, chosen, y, chosen.read(nothing).astype(np.float64))


def _prepare(
    model: Sequential | Layer, x: Any, lengths: Any, target: Any, step: Any
) -> tuple[Subject, Batch, np.ndarray, Chosen, np.ndarray]:
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    y = subject.output(batch)
    return subject, batch, subject.features(batch), Chosen.of(y, subject.output_lengths(batch, y), target, step), y


def _gradient(subject: Subject, batch: Batch, features: np.ndarray, chosen: Chosen) -> np.ndarray:
    y, caches = subject.run(batch, features)
    return subject.gradient(chosen.one_hot(y), caches).astype(np.float64)


def _baseline(baseline: Any, batch: Batch, features: np.ndarray) -> np.ndarray:
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise ConfigError(f"explain: baseline is {baseline!r}, expected {', '.join(BASELINES)} or an array.")
        value: Any = features[batch.valid].mean(axis=0) if baseline == "mean" else 0.0
    else:
        value = np.asarray(baseline)
    try:
        return np.broadcast_to(value, features.shape).astype(features.dtype)
    except ValueError:
        raise ConfigError(
            f"explain: baseline has shape {np.shape(value)}, expected one that broadcasts to {features.shape}."
        ) from None


def _attribution(
    values: np.ndarray, batch: Batch, chosen: Chosen, y: np.ndarray, nothing: np.ndarray | None = None
) -> Attribution:
    inside = np.where(batch.valid[:, :, None], values, 0.0)  # padding may hold NaN
    return Attribution(inside, chosen.read(y).astype(np.float64), chosen.target, chosen.step, nothing)
