"""Connectionist temporal classification: labels of sequences without an alignment.

Legend: B batch, T time (frames), K classes with the blank, L labels of a sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit._core import beam_search, ctc
from seqkit.errors import ConfigError, DataError, DTypeError, ShapeError
from seqkit.options import positive_integer
from seqkit.training.loss import Loss, rows_of, sequences_of, weights_of_sequences

PADDING = -1


class CTC(Loss):
    r"""Negative log-likelihood of label sequences, summed over all their alignments.

    The model gives logits of K classes for every frame, one of them the blank.  A path has one
    class per frame; merging repeated classes and then removing blanks makes it a label sequence:

    .. math:: l = -\log \sum_{\pi \to \mathrm{labels}} \prod_t \mathrm{softmax}(z_t)_{\pi_t}

    The value is the mean of l over sequences (not divided by their numbers of labels, as PyTorch's
    ``reduction="mean"`` does).  Computed with logarithms in float64, forward and backward, whatever
    the dtype of the logits.

    Targets are a list of arrays of ids, of any length, 0 included; or one (S, L) array padded with
    -1.  Inputs may be ragged.  The last layer is ``Dense(K)`` without activation.

    Parameters
    ----------
    blank : int
        Class of the blank.
    zero_infinity : bool
        What is done with a sample that has more labels than its frames can hold (a label needs a
        frame, and another between it and an equal one).  By default it is an error; with True it
        counts as 0 and has no gradient.

    Raises
    ------
    DataError
        If labels cannot fit into the frames, or an id is not one of a class.

    Notes
    -----
    Source: Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal classification",
    ICML 2006.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.zeros((1, 2, 2))                    # two frames, blank and one label, all equally likely
    >>> value, dy = CTC()([[1]], logits)                # paths 11, 01 and 10 of four
    >>> round(np.exp(-value).item(), 6)
    0.75
    """

    name = "ctc"
    per_sequence = True
    whole_sequences = True

    def __init__(self, blank: int = 0, zero_infinity: bool = False) -> None:
        if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)) or blank < 0:
            raise ConfigError(f"{self.name}: blank must be the id of a class, 0 or more, got {blank!r}.")
        self.blank, self.zero_infinity = int(blank), bool(zero_infinity)

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {"blank": self.blank, "zero_infinity": self.zero_infinity}

    def prepare(self, targets: Any) -> np.ndarray:
        """Label sequences as one int64 array (S, L), padded with -1."""
        return padded_labels(targets, self.name)

    def __call__(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, lengths: Any = None
    ) -> tuple[float, np.ndarray]:
        """Value and its gradient with respect to the logits.

        Parameters
        ----------
        y_true : list of array_like of int, or array_like (B, L) padded with -1
            Labels.
        y_pred : ndarray, (B, T, K)
            Logits.
        sample_weight : array_like, (B,), optional
            Weight of every sequence.
        lengths : array_like of int, (B,), optional
            True lengths of the sequences of frames.
        """
        logits, lengths = sequences_of(y_pred, lengths, self.name)
        labels = self._checked(padded_labels(y_true, self.name), logits, lengths)
        inside = labels != PADDING
        first = np.concatenate([[0], inside.sum(axis=1).cumsum()])
        share = weights_of_sequences(sample_weight, len(logits), self.name) / max(len(logits), 1)
        values, slopes = ctc(logits, lengths, labels[inside], first, share, self.blank)
        if self.zero_infinity:
            values[values == np.inf] = 0.0
        return float(np.sum(values * share)), slopes

    def _checked(self, labels: np.ndarray, logits: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        classes = logits.shape[2]
        if len(labels) != len(logits):
            raise ShapeError(f"{self.name}: y has {len(labels)} label sequences but the model's output {len(logits)}.")
        if self.blank >= classes:
            raise ConfigError(f"{self.name}: blank is {self.blank} but the model's output has {classes} classes.")
        wrong = np.argwhere((labels >= classes) | (labels == self.blank))
        if len(wrong):
            row, place = wrong[0]
            raise DataError(
                f"{self.name}: y[{row}] holds the label {labels[row, place]}; expected 0 to {classes - 1} but not "
                f"{self.blank}, which is the blank."
            )
        needed = frames_needed(labels)
        long = np.flatnonzero(needed > lengths)
        if long.size and not self.zero_infinity:
            row = long[0]
            raise DataError(
                f"{self.name}: the labels of sample {row} of the batch need at least {needed[row]} frames (one for "
                f"each, one between equal neighbours) but it has {lengths[row]}; use longer sequences, or "
                f"CTC(zero_infinity=True) to leave such samples out."
            )
        return labels


def frames_needed(labels: np.ndarray) -> np.ndarray:
    """The fewest frames that can hold each row of padded labels.

    Examples
    --------
    >>> frames_needed(np.array([[1, 1, 2], [1, 2, -1]])).tolist()
    [4, 2]
    """
    inside = labels != PADDING
    repeated = (labels[:, 1:] == labels[:, :-1]) & inside[:, 1:]
    return np.asarray(inside.sum(axis=1) + repeated.sum(axis=1))


def padded_labels(labels: Any, owner: str) -> np.ndarray:
    """Label sequences as one int64 array (S, L), padded with -1.

    Examples
    --------
    >>> padded_labels([[3, 1], [], [2]], "demo").tolist()
    [[3, 1], [-1, -1], [2, -1]]
    """
    if not np.iterable(labels):
        raise DTypeError(f"{owner}: y must be a list of label sequences, got {labels!r}.")
    rows = [np.asarray(row) for row in labels]
    for number, row in enumerate(rows):
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise DTypeError(
                f"{owner}: y[{number}] must be a sequence of integer labels, got an array of {row.dtype} with shape "
                f"{row.shape}."
            )
    padded = np.full((len(rows), max(map(len, rows), default=0)), PADDING, dtype=np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    inside = padded >= 0
    wrong = np.flatnonzero((inside[:, 1:] & ~inside[:, :-1]).any(axis=1) | (padded < PADDING).any(axis=1))
    if wrong.size:
        raise DataError(f"{owner}: y[{wrong[0]}] holds a negative label; -1 may only stand past the end, as padding.")
    return padded


def ctc_greedy(logits: Any, lengths: Any = None, blank: int = 0) -> list[np.ndarray]:
    """Labels of the most probable path of every sequence.

    Parameters
    ----------
    logits : ndarray (B, T, K) or list of ndarray (T_i, K)
        What a model gives for frames; logits or probabilities alike.
    lengths : array_like of int, (B,), optional
        True lengths.
    blank : int
        Class of the blank.

    Returns
    -------
    list of ndarray of int64

    Examples
    --------
    >>> frames = np.eye(3)[[1, 1, 0, 1, 2, 2]]
    >>> [labels.tolist() for labels in ctc_greedy([frames])]
    [[1, 1, 2]]
    """
    found = []
    for row in rows_of(logits, lengths, "ctc_greedy"):
        path = row.argmax(axis=1) if len(row) else np.zeros(0, dtype=np.int64)
        new = np.diff(path, prepend=PADDING) != 0
        found.append(path[new & (path != blank)])
    return found


def ctc_beam(logits: Any, lengths: Any = None, width: int = 16, blank: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """The most probable labels of every sequence, by prefix beam search.

    Paths that become the same labels are added up, so that unlike :func:`ctc_greedy` it looks for
    the best labels, not for the best path; it is exact where the beam holds all prefixes.

    Parameters
    ----------
    logits : ndarray (B, T, K) or list of ndarray (T_i, K)
        What a model gives for frames; their softmax is taken.
    lengths : array_like of int, (B,), optional
        True lengths.
    width : int
        Prefixes kept at every frame.
    blank : int
        Class of the blank.

    Returns
    -------
    labels : list of ndarray of int64
    log_probabilities : ndarray of float64, (B,)
        Of all paths to these labels that the beam has seen.

    Notes
    -----
    Source: Hannun, Maas, Jurafsky and Ng, "First-pass large vocabulary continuous speech
    recognition using bi-directional recurrent DNNs", 2014, without a language model.

    Examples
    --------
    >>> logits = np.log([[[0.6, 0.4], [0.6, 0.4]]])     # blank blank is the best path, 0.36; label 1 has 0.64
    >>> [labels.tolist() for labels in ctc_greedy(logits)]
    [[]]
    >>> labels, log_p = ctc_beam(logits)
    >>> labels[0].tolist(), round(float(np.exp(log_p[0])), 6)
    ([1], 0.64)
    """
    positive_integer(width, "ctc_beam: width")
    found = []
    for row in rows_of(logits, lengths, "ctc_beam"):
        if not 0 <= blank < row.shape[1]:
            raise ConfigError(f"ctc_beam: blank must be 0 to {row.shape[1] - 1}, got {blank!r}.")
        z = row.astype(np.float64)
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        found.append(beam_search(np.ascontiguousarray(log_p), width, blank))
    return [labels for labels, _ in found], np.array([log_p for _, log_p in found])
