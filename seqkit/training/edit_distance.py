"""How many labels are wrong: the edit distance of label sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit.errors import ShapeError


def edit_distance(true: Sequence[int] | np.ndarray, found: Sequence[int] | np.ndarray) -> int:
    """The fewest insertions, deletions and substitutions that turn one label sequence into another.

    Source: Levenshtein, 1966; computed row by row (Wagner and Fischer, 1974).

    Parameters
    ----------
    true, found : sequence of int

    Examples
    --------
    >>> edit_distance([1, 2, 3], [2, 3, 4])
    2
    """
    columns = np.asarray(found)
    places = np.arange(len(columns) + 1)
    row = places
    for number, label in enumerate(np.asarray(true), start=1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (columns != label))
        # An insertion costs 1 a place: the least of all earlier columns, brought to this one.
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - places) + places
    return int(row[-1])


def label_error_rate(true: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    """Edit distances of all pairs, divided by the number of true labels.

    With characters as labels it is the character error rate, with words the word error rate.

    Parameters
    ----------
    true, found : sequence of sequences of int
        Of equal length.

    Raises
    ------
    ShapeError
        If there are not as many sequences on both sides.

    Examples
    --------
    >>> label_error_rate([[1, 2, 3], [4]], [[1, 3], [4]])
    0.25
    """
    if len(true) != len(found):
        raise ShapeError(f"label_error_rate: {len(true)} true label sequences but {len(found)} found ones.")
    edits = sum(map(edit_distance, true, found))
    return edits / max(sum(map(len, true)), 1)
