"""What classification and regression share: scaling, a part held out, training, reading.

Every feature is scaled with the mean m and standard deviation s of all its values in the
training sequences, ``x' = (x - m) / s``.

Legend: N sequences, T_i steps, F features, K outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import Sequences, shortened
from seqkit.data.files import Columns, read_sequences
from seqkit.errors import DataError
from seqkit.model import Sequential
from seqkit.tasks.scaling import as_input, as_output, is_constant
from seqkit.tasks.settings import Settings, optimizer, survival
from seqkit.training.callbacks import Callback, LearningRateScheduler
from seqkit.training.schedules import CosineDecay

TEST_SHARE = 0.2
LEAST_SEQUENCES = 5
SEQUENCES_AT_ONCE = 256
WHERE_ANSWERS_ARE = (
    "a table needs --label or --target, an .npz archive the key y, a .ts file @classLabel true or @targetLabel true"
)


def split(data: Sequences, seed: int) -> tuple[Sequences, Sequences]:
    """Training and test sequences, chosen by chance; a fifth of each class is for testing.

    Raises
    ------
    DataError
        If there are too few sequences, or not two of any class.
    """
    if len(data) < LEAST_SEQUENCES:
        raise DataError(f"{data.name}: {len(data)} sequences are too few, at least {LEAST_SEQUENCES} are needed.")
    labels = np.array(data.labels or [""] * len(data))
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(data))
    # Of the sequences sorted by class every fifth is for testing, so each class keeps its share.
    test = order[np.argsort(classes[order], kind="stable")][:: round(1 / TEST_SHARE)]
    test = test[counts[classes[test]] > 1]
    if not test.size:
        raise DataError(f"{data.name}: no class has two sequences to hold one out; name a test set with --test.")
    return data.select(np.setdiff1d(order, test)), data.select(np.sort(test))


def statistics(data: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, (F,) and (F,).

    Raises
    ------
    DataError
        If a feature is constant.
    """
    steps = np.concatenate(data.x)
    for name, column in zip(data.features, steps.T, strict=True):
        if is_constant(column):
            raise DataError(
                f"{data.name}: feature {name!r} is constant ({column[0]:g}) in the training data; "
                f"leave it out with --ignore {name}."
            )
    return steps.mean(axis=0), steps.std(axis=0)


def remember(model: Sequential, data: Sequences, columns: Columns, facts: dict[str, Any]) -> None:
    """Write into the model's metadata what every prediction needs."""
    mean, deviation = statistics(data)
    model.metadata = {
        **facts,
        "id": columns.id,
        "ignore": list(columns.ignore),
        "features": list(data.features),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
    }


def train(
    model: Sequential, data: Sequences, y: np.ndarray, loss: str, settings: Settings, callbacks: Sequence[Callback]
) -> None:
    """Train on all sequences while the learning rate falls to 0."""
    model.compile(optimizer(settings), loss=loss)
    decay, saved = LearningRateScheduler(CosineDecay(settings.learning_rate, settings.epochs)), survival(settings)
    watching = [decay, *callbacks, *saved["callbacks"]]
    x = scaled(model, data)
    model.fit(x, y, settings.batch_size, settings.epochs, 0, watching, resume=saved["resume"])


def scaled(model: Sequential, data: Sequences) -> list[np.ndarray]:
    """The sequences as the model sees them."""
    mean, deviation = np.array(model.metadata["mean"]), np.array(model.metadata["deviation"])
    return [as_input((row - mean) / deviation, data.name) for row in data.x]


def outputs(model: Sequential, data: Sequences) -> np.ndarray:
    """What the model gives for each sequence, (N, K) in float64."""
    return as_output(model.predict(scaled(model, data), SEQUENCES_AT_ONCE), data.name)


def chunks(model: Sequential, path: Path, label: str | None = None, target: str | None = None) -> Iterator[Sequences]:
    """The sequences of a file, some at a time.

    Parameters
    ----------
    model : Sequential
        Its metadata say which features to use.
    path : Path
        The file.
    label, target : str, optional
        The column with the true answers, where the file is a table; it may be missing.
    """
    facts = model.metadata
    features, size = facts["features"], len(facts["mean"])
    columns = Columns(facts["id"], label, target, tuple(facts["ignore"]), features and tuple(features))
    data, _ = read_sequences(path, columns)
    if len(data.features) != size:
        raise DataError(
            f"{data.name}: there are {len(data.features)} features, {shortened(data.features)}; the model reads {size}."
        )
    for start in range(0, len(data), SEQUENCES_AT_ONCE):
        yield data.select(range(start, min(start + SEQUENCES_AT_ONCE, len(data))))
