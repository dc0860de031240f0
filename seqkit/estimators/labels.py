"""Labels and their numbers.

Legend: K classes.
"""

from __future__ import annotations

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite

from seqkit.errors import DataError


def known_classes(labels: np.ndarray, owner: str) -> np.ndarray:
    """The different labels, (K,), sorted.

    Raises
    ------
    DataError
        If there is only one.
    """
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError(f"{owner}: y has one class, {classes.tolist()[0]!r}; at least 2 are needed.")
    return classes


def codes_of(labels: np.ndarray, classes: np.ndarray, owner: str) -> np.ndarray:
    """Places of labels among the classes.

    Raises
    ------
    DataError
        If a label is none of them.

    Examples
    --------
    >>> codes_of(np.array(["b", "a"]), np.array(["a", "b"]), "demo").tolist()
    [1, 0]
    """
    codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    strange = labels[classes[codes] != labels]
    if len(strange):
        raise DataError(f"{owner}: class {strange.tolist()[0]!r} is not among those known: {classes.tolist()!r:.200}.")
    return codes
