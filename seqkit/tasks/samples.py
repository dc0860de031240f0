"""What a saved model sees of a data file: its inputs, and what they and its outputs are called.

Legend: N sequences, T_i steps, F features, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from seqkit.data.csv_file import decode
from seqkit.data.dataset import read_bytes
from seqkit.data.files import read_series
from seqkit.data.text import Vocabulary, pieces
from seqkit.errors import DataError, LoadError
from seqkit.model import Sequential
from seqkit.tasks.forecast import relative
from seqkit.tasks.sequences import chunks, scaled

STRETCH = 200
"""Characters of a sequence, where a text is one of characters."""
MOST_CLASSES = 12
"""Above that no unit is asked whether it follows one of them."""


@dataclass(frozen=True)
class Samples:
    """Sequences of a file as a model sees them.

    Attributes
    ----------
    x : list of ndarray (T_i, F)
        Scaled.
    values : list of ndarray (T_i, F)
        In their own units.
    ids : list of str
        Names of the sequences.
    features, outputs : tuple of str
        Names.
    targets : ndarray (N, K) or None
        What is true, where the file says it: numbers, or 1 for the class and 0 for others; NaN is unknown.
    target_names : tuple of str
        What the K numbers are called.
    texts : list of list of str, optional
        The characters or words of every sequence, where `x` is their ids (T_i,).
    """

    x: list[np.ndarray]
    values: list[np.ndarray]
    ids: list[str]
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    targets: np.ndarray | None = None
    target_names: tuple[str, ...] = ()
    texts: list[list[str]] | None = None


def samples(model: Sequential, path: Path, most: int) -> Samples:
    """The first sequences of a file, the last windows of a series, or the first lines of a text.

    Parameters
    ----------
    model : Sequential
        Its metadata say how data are read and scaled, as ``seqkit fit`` writes them and
        :func:`~seqkit.tasks.saved.understand` completes them.  Or a model of text whose metadata have a "vocabulary",
        :meth:`seqkit.data.text.Vocabulary.facts` and, if it classifies, names of its "classes".
    path : Path
    most : int
        How many at most.

    Raises
    ------
    LoadError
        If the model does not say how to read data.
    DataError
        If the file cannot be read, or holds too little.
    """
    readers = {"forecast": _windows, "classify": _sequences, "regress": _sequences, "outputs": _sequences}
    reader = _texts if "vocabulary" in model.metadata else readers.get(model.metadata.get("task", ""))
    if reader is None:
        raise LoadError(f"the model is for {model.metadata.get('task')!r:.40}, of which this command knows nothing.")
    return reader(model, path, most)


def _windows(model: Sequential, path: Path, most: int) -> Samples:
    """The last windows of a series; each is called by the time that it ends at."""
    plan = model.metadata
    series = read_series(path, plan["column"])
    window, horizon, scale = plan["window"], plan["horizon"], plan["scale"]
    if len(series.values) < window:
        raise DataError(f"{path}: {len(series.values)} values are too few, the model sees windows of {window}.")
    values = sliding_window_view(series.values, window)[-most:]
    later = np.append(series.values[window - 1 + horizon :], np.full(horizon, np.nan))[-most:]  # the last are to come
    change = (later - values[:, -1]) / scale
    return Samples(
        list(relative(values, scale, series.name).astype(model.dtype)),
        [each[:, None] for each in values],
        list(series.index[window - 1 :])[-most:],
        (series.column,),
        (_change(plan),),
        change[:, None],
        ("target",),
    )


def _change(plan: dict[str, Any]) -> str:
    ahead = "1 step" if plan["horizon"] == 1 else f"{plan['horizon']} steps"
    return f"change in {ahead}, standard deviations"


def _sequences(model: Sequential, path: Path, most: int) -> Samples:
    """The first sequences of a file."""
    facts = model.metadata
    data = next(chunks(model, path, facts.get("label"), facts.get("target")))
    data = data.select(range(min(most, len(data))))
    x = [row.astype(model.dtype) for row in scaled(model, data)]
    outputs, targets = tuple(facts.get("classes") or facts["targets"]), data.targets
    if targets is not None and targets.shape[1] != len(outputs):
        targets = None
    if data.labels is not None and "classes" in facts and len(outputs) <= MOST_CLASSES:
        targets = (np.array(data.labels)[:, None] == np.array(outputs)).astype(np.float64)
    named = tuple(f"{'class' if 'classes' in facts else 'target'} {name}" for name in outputs)
    return Samples(x, list(data.x), list(data.ids), tuple(data.features), outputs, targets, named)


def _texts(model: Sequential, path: Path, most: int) -> Samples:
    """The first lines of a text as ids; where ids are of characters, stretches of it."""
    facts = model.metadata
    vocabulary = Vocabulary.of(facts["vocabulary"])
    text = decode(read_bytes(path), path).replace("\r\n", "\n")
    if vocabulary.unit == "characters":
        parts = [text[first : first + STRETCH] for first in range(0, min(len(text), most * STRETCH), STRETCH)]
    else:
        parts = [line for line in text.splitlines() if pieces(line, vocabulary.unit)][:most]
    size = model.layers[-1].output_size
    symbols = tuple(map(repr, vocabulary.symbols))
    names = facts.get("classes") or (symbols if size == len(vocabulary) else range(size))
    return Samples(
        x=[vocabulary.encode(part) for part in parts],
        values=[],
        ids=[str(number) for number in range(len(parts))],
        features=symbols,
        outputs=tuple(map(str, names)),
        texts=[pieces(part, vocabulary.unit) for part in parts],
    )
