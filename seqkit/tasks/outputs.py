"""Apply a model of which nothing is known: its inputs are the numbers of a file, its outputs are given as they are.

Legend: T_i steps, K outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqkit.model import Sequential
from seqkit.tasks.scaling import as_output
from seqkit.tasks.sequences import SEQUENCES_AT_ONCE, chunks, scaled


def rows(model: Sequential, path: Path) -> Iterator[dict[str, Any]]:
    """One row per sequence: its name and the K outputs; of a model with outputs (T_i, K), one per step."""
    names = model.metadata["targets"]
    for data in chunks(model, path):
        for name, given in zip(data.ids, model.predict(scaled(model, data), SEQUENCES_AT_ONCE), strict=True):
            values = as_output(given, data.name).tolist()
            if given.ndim == 1:
                yield {"id": name, **dict(zip(names, values, strict=True))}
                continue
            for step, each in enumerate(values):
                yield {"id": name, "step": step, **dict(zip(names, each, strict=True))}
