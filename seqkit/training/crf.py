"""Linear-chain conditional random field: tags that depend on their neighbours.

Legend: B batch, T time, K tags.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit._core import crf, viterbi
from seqkit.errors import ConfigError, ShapeError
from seqkit.initializers import require_room
from seqkit.options import positive_integer
from seqkit.parameters import Parameters
from seqkit.steps import Steps
from seqkit.training.loss import Loss, class_ids, rows_of, sequences_of, weights_of_sequences


class CRF(Loss):
    r"""Negative log-likelihood of tag sequences under a linear-chain conditional random field.

    The model gives a score e_t(k), the emission, of every tag at every step; the loss adds, and
    learns, scores of transitions A, of the first tag, s, and of the last, f:

    .. math:: \mathrm{score}(y) &= s_{y_1} + \sum_t e_t(y_t) + \sum_{t>1} A_{y_{t-1} y_t} + f_{y_T} \\
              l &= \log \sum_{y'} \exp \mathrm{score}(y') - \mathrm{score}(y)

    The value is the sum of l over all sequences divided by the number of valid steps, so that it is
    comparable with a cross-entropy.  Computed in float64, whatever the dtype of the emissions.

    A tagging model ends with ``Dense(K)``, returns sequences and is compiled with
    ``loss=seqkit.CRF(K)``; targets are tag ids, one per step.  Best tags come from :meth:`decode`.

    Parameters
    ----------
    tags : int
        K.
    dtype : {"float32", "float64"}
        Type of the parameters; that of the model, as a rule.

    Attributes
    ----------
    params : Parameters
        ``transitions`` (K, K), from the row's tag to the column's; ``start`` and ``end`` (K,); all 0
        at first.  A transition may be forbidden by setting it to -10000.

    Notes
    -----
    Source: Lafferty, McCallum and Pereira, "Conditional random fields", ICML 2001; the gradient is
    that of the forward-backward algorithm.

    Examples
    --------
    >>> import numpy as np
    >>> crf = CRF(2)
    >>> crf.params["transitions"] = [[0.0, -10000.0], [0.0, 0.0]]     # 1 never follows 0
    >>> emissions = np.array([[[2.0, 0.0], [0.0, 1.0], [0.0, 2.0]]])
    >>> [path.tolist() for path in crf.decode(emissions)]
    [[1, 1, 1]]
    >>> value, dy = crf([[1, 1, 1]], emissions)
    >>> crf.grads["transitions"].shape
    (2, 2)
    """

    name = "crf"
    whole_sequences = True

    def __init__(self, tags: int | None = None, dtype: str = "float32") -> None:
        if tags is None:
            raise ConfigError(f"{self.name}: the number of tags is missing; give the loss as seqkit.CRF(tags).")
        if dtype not in ("float32", "float64"):
            raise ConfigError(f"{self.name}: dtype must be float32 or float64, got {dtype!r}.")
        self.tags, self.dtype = positive_integer(tags, f"{self.name}: tags"), dtype
        shapes = {"transitions": (self.tags, self.tags), "start": (self.tags,), "end": (self.tags,)}
        require_room(shapes["transitions"], self.name)
        self.params: Parameters = Parameters({key: np.zeros(shapes[key], dtype) for key in shapes}, self.name)
        self.grads: dict[str, np.ndarray] = {key: np.zeros(shapes[key], dtype) for key in shapes}

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {"tags": self.tags, "dtype": self.dtype}

    def __call__(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, lengths: Any = None
    ) -> tuple[float, np.ndarray]:
        """Value and its gradient with respect to the emissions; adds to `grads`.

        Parameters
        ----------
        y_true : array_like of int, (B, T)
            Tags; those past the end are not read.
        y_pred : ndarray, (B, T, K)
            Emissions.
        sample_weight : array_like, (B,), optional
            Weight of every sequence.
        lengths : array_like of int, (B,), optional
            True lengths.
        """
        emissions, lengths = self._emissions(y_pred, lengths)
        steps = Steps.of(emissions.shape[:2], lengths, emissions.dtype, self.name)
        tags = np.zeros(emissions.shape[:2], dtype=np.int64)
        tags.reshape(-1)[slice(None) if steps.valid is None else steps.valid.reshape(-1)] = class_ids(
            y_true, emissions, steps
        )
        share = weights_of_sequences(sample_weight, len(tags), self.name) / max(steps.count, 1)
        transitions, start, end = self._scores()
        values, slopes, d_transitions, edges = crf(emissions, lengths, tags, transitions, start, end, share)
        for key, grad in zip(self.grads, (d_transitions, *edges), strict=True):
            self.grads[key] += grad
        return float(np.sum(values * share)), slopes

    def decode(self, emissions: Any, lengths: Any = None) -> list[np.ndarray]:
        """The tags of highest score of every sequence (Viterbi, 1967).

        Parameters
        ----------
        emissions : ndarray (B, T, K) or list of ndarray (T_i, K)
            What the model predicts.
        lengths : array_like of int, (B,), optional
            True lengths.

        Returns
        -------
        list of ndarray of int64, (T_i,)
        """
        if isinstance(emissions, (list, tuple)):
            rows = [row[None] for row in rows_of(emissions, None, self.name)]
            return [path for row in rows for path in self.decode(row)]
        scores, lengths = self._emissions(emissions, lengths)
        paths = viterbi(scores, lengths, *self._scores())
        return [path[:length] for path, length in zip(paths, lengths, strict=True)]

    def _emissions(self, y_pred: Any, lengths: Any) -> tuple[np.ndarray, np.ndarray]:
        emissions, checked = sequences_of(y_pred, lengths, self.name)
        if emissions.shape[2] != self.tags:
            raise ShapeError(
                f"{self.name}: the model's output has {emissions.shape[2]} features, expected {self.tags}, one for "
                f"every tag; end the model with Dense({self.tags})."
            )
        return emissions, checked

    def _scores(self) -> list[np.ndarray]:
        return [np.ascontiguousarray(self.params[key], dtype=np.float64) for key in self.params]
