"""The distribution that the next id is drawn from.

Legend: N rows, V ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import ConfigError, NonFiniteError, ShapeError
from seqkit.options import positive_integer, positive_number


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """``z - log sum exp z`` of every row, in float64.

    Raises
    ------
    NonFiniteError
        If the largest logit of a row is no finite number.

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(log_softmax(np.array([[0.0, 0.0, 0.0, 0.0]]))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - _largest(shifted)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _largest(logits: np.ndarray) -> np.ndarray:
    """The largest logit of every row, (N, 1); -inf for ids that never come is fine beside it."""
    largest = logits.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        raise NonFiniteError(
            "the logits of the next id are NaN or infinite, so that none is the likeliest; look for NaN in the weights "
            "and in what the model reads."
        )
    return np.asarray(largest)


def probabilities(
    logits: Any, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    r"""Probabilities of the next id, of logits or of logarithms of probabilities.

    .. math:: p_i = \frac{\exp(z_i / \tau)}{\sum_{j \in K} \exp(z_j / \tau)} \quad (i \in K), \qquad
        p_i = 0 \quad (i \notin K)

    K holds the `top_k` likeliest ids; of those, after renormalisation, as few of the likeliest as together have at
    least the probability `top_p`.  Among equal ones those with smaller numbers come first.

    Parameters
    ----------
    logits : array_like, (N, V) or (V,)
        Logits z.
    temperature : float
        :math:`\tau`: below 1 likely ids become likelier; 0 leaves the likeliest alone.
    top_k : int, optional
        Number of ids that may be drawn; without it all.
    top_p : float, optional
        Probability of the ids that may be drawn ("nucleus"), above 0 and at most 1.

    Returns
    -------
    ndarray of float64, shape of `logits`

    Raises
    ------
    ConfigError
        If an option is outside its range.
    ShapeError
        If there are no ids.
    NonFiniteError
        If the largest logit of a row is no finite number; -inf is an id that never comes.

    References
    ----------
    Fan, Lewis and Dauphin, "Hierarchical neural story generation", ACL 2018 (top k).  Holtzman et al., "The curious
    case of neural text degeneration", ICLR 2020 (top p).

    Examples
    --------
    >>> import numpy as np
    >>> z = np.log([0.5, 0.3, 0.15, 0.05])
    >>> probabilities(z, top_k=2).round(3).tolist()
    [0.625, 0.375, 0.0, 0.0]
    >>> probabilities(z, top_p=0.9).round(3).tolist()
    [0.526, 0.316, 0.158, 0.0]
    >>> probabilities(z, temperature=0).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    temperature, top_k, top_p = checked(temperature, top_k, top_p)
    z = np.asarray(logits, np.float64)
    if z.ndim not in (1, 2) or not z.shape[-1]:
        raise ShapeError(f"probabilities: logits have shape {z.shape}, expected (rows, ids) or (ids,).")
    rows = z.reshape(-1, z.shape[-1])
    largest = _largest(rows)
    order = np.argsort(-rows, axis=1, kind="stable")  # (N, V), the likeliest first
    ranked = np.take_along_axis(rows, order, axis=1)
    kept = np.zeros_like(ranked)
    if temperature == 0:
        kept[:, 0] = 1.0
    else:
        below = ranked[:, :top_k] - largest  # first, so that a low temperature does not overflow
        with np.errstate(over="ignore"):  # -inf is right
            kept[:, :top_k] = np.exp(log_softmax(below / temperature))
        if top_p is not None:
            before = np.cumsum(kept, axis=1) - kept
            kept[before >= top_p] = 0.0
            kept /= kept.sum(axis=1, keepdims=True)
    p = np.empty_like(kept)
    np.put_along_axis(p, order, kept, axis=1)
    return p.reshape(z.shape)


def checked(temperature: float, top_k: int | None, top_p: float | None) -> tuple[float, int | None, float | None]:
    """The options, if they are possible."""
    if top_p is not None and positive_number(top_p, "top_p") > 1:
        raise ConfigError(f"top_p must be above 0 and at most 1, got {top_p!r}.")
    top_k = None if top_k is None else positive_integer(top_k, "top_k")
    return positive_number(temperature, "temperature", zero=True), top_k, top_p
