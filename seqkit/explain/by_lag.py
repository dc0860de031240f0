"""How far back a model looks: the norm of its gradient by lag.

Legend: B batch, T time, F features, K outputs, L lags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.explain.batch import Batch
from seqkit.explain.chosen import Chosen
from seqkit.explain.subject import Subject
from seqkit.layer import Layer
from seqkit.model import Sequential


@dataclass(frozen=True)
class Lags:
    """Norms of the gradient of the last output, by the steps that lie between.

    Attributes
    ----------
    norm : ndarray, (L,)
        Mean over the sequences that are long enough.
    count : ndarray of int, (L,)
        Number of those sequences.
    outputs : int
        Number of the outputs that were looked at.
    """

    norm: np.ndarray
    count: np.ndarray
    outputs: int

    def reach(self, share: float = 0.9) -> int:
        """The least lag up to which a share of the sum of all norms lies."""
        total = np.cumsum(self.norm)
        return int(np.searchsorted(total, share * total[-1])) if len(total) and total[-1] > 0 else 0


def gradient_by_lag(model: Sequential | Layer, x: Any, *, lengths: Any = None, targets: Any = None) -> Lags:
    r"""How much the last output changes with the input of so many steps before.

    .. math:: n_k = \left\| \frac{\partial y_T}{\partial x_{T-k}} \right\|_F

    the Frobenius norm over all outputs and features (of ids: the features of their vectors), by one backward pass for
    each output, where T is the last step of each sequence.  Where gradients vanish (Bengio et al., 1994) it falls
    exponentially.

    Parameters
    ----------
    model : Sequential or Layer
    x : array (B, T, F), ids (B, T), or list of sequences
    lengths : array_like of int (B,), optional
        True lengths of right-padded sequences.
    targets : sequence of int, optional
        Numbers of the outputs; all by default.

    Returns
    -------
    Lags

    Examples
    --------
    Of h_t = h_{t-1} / 2 + x_t the gradient halves with every step:

    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.SimpleRNN(1, activation="linear").build(1, dtype="float64")
    >>> layer.params.update(weight_ih=[[1.0]], weight_hh=[[0.5]])
    >>> lags = gradient_by_lag(layer, np.zeros((1, 4, 1)))
    >>> lags.norm.tolist(), lags.reach(0.75)
    ([1.0, 0.5, 0.25, 0.125], 1)
    """
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    features = subject.features(batch)
    squares = np.zeros(batch.valid.shape)
    outputs = range(subject.model.layers[-1].output_size) if targets is None else list(targets)
    for target in outputs:
        y, caches = subject.run(batch, features)
        dy = Chosen.of(y, subject.output_lengths(batch, y), target, None).one_hot(y)
        squares += np.square(subject.gradient(dy, caches), dtype=np.float64).sum(axis=2)
    return _by_lag(np.sqrt(squares), batch.lengths, len(outputs))


def _by_lag(norms: np.ndarray, lengths: np.ndarray, outputs: int) -> Lags:
    """Means over sequences of norms (B, T), counted from the last step."""
    total, count = np.zeros(norms.shape[1]), np.zeros(norms.shape[1], np.int64)
    for row, length in zip(norms, lengths, strict=True):
        total[:length] += row[:length][::-1]
        count[:length] += 1
    longest = int(lengths.max(initial=0))
    return Lags(total[:longest] / count[:longest], count[:longest], outputs)
