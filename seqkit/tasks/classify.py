"""Classify whole sequences.

The network ends in one probability per class (softmax) and is trained on the cross-entropy.

Legend: N sequences, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import Sequences, shortened
from seqkit.data.files import Columns
from seqkit.errors import DataError
from seqkit.model import Sequential
from seqkit.tasks.sequences import WHERE_ANSWERS_ARE, chunks, outputs, remember, train
from seqkit.tasks.settings import Settings, network
from seqkit.training.callbacks import Callback

DEFAULTS = Settings(epochs=60, dropout=0.5)


def fit(
    data: Sequences, columns: Columns, settings: Settings = DEFAULTS, callbacks: Sequence[Callback] = ()
) -> Sequential:
    """A model trained on labelled sequences.

    Raises
    ------
    DataError
        If there is only one class or a feature is constant.
    """
    labels, classes = _labels(data), known(data)
    if len(classes) == 1:
        raise DataError(f"{data.name}: every sequence is of class {classes[0]!r}; there is nothing to learn.")
    model = network(settings, len(data.features), len(classes), "softmax")
    remember(model, data, columns, {"task": "classify", "label": columns.label, "classes": classes})
    codes = np.array([classes.index(label) for label in labels])
    train(model, data, codes, "sparse_categorical_crossentropy", settings, callbacks)
    return model


def report(model: Sequential, data: Sequences) -> dict[str, Any]:
    """Share of right answers, beside that of always naming the most frequent class.

    Raises
    ------
    DataError
        If a class is not one that the model knows.
    """
    classes = model.metadata["classes"]
    labels = true_answers(data, classes)
    named = [classes[code] for code in outputs(model, data).argmax(axis=1)]
    right = sum(name == label for name, label in zip(named, labels, strict=True))
    return {"accuracy": right / len(data), "majority_accuracy": max(Counter(labels).values()) / len(data)}


def rows(model: Sequential, path: Path) -> Iterator[dict[str, Any]]:
    """One row per sequence: its name, the true class where it is known, the answer, its probability."""
    classes, label = model.metadata["classes"], model.metadata["label"]
    for data in chunks(model, path, label=label):
        for i, probabilities in enumerate(outputs(model, data)):
            best = int(probabilities.argmax())
            truth = {} if data.labels is None else {"label": data.labels[i]}
            yield {"id": data.ids[i], **truth, "predicted": classes[best], "probability": float(probabilities[best])}


def known(data: Sequences) -> list[str]:
    """The classes of training data."""
    return sorted(set(_labels(data)))


def true_answers(data: Sequences, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes that sequences are of, all of them among those of the training data.

    Raises
    ------
    DataError
        If one is not, or there are none.
    """
    labels = _labels(data)
    strange = sorted(set(labels) - set(classes))
    if strange:
        listed = shortened(classes, 20)
        raise DataError(f"{data.name}: class {strange[0]!r} is not in the training data, which has {listed}.")
    return labels


def _labels(data: Sequences) -> tuple[str, ...]:
    if data.labels is None:
        raise DataError(f"{data.name}: the sequences have no classes: {WHERE_ANSWERS_ARE}.")
    return data.labels
