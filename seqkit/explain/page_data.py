"""The numbers of a page: tables of what a person sees at every step.

Legend: T time, U units, K outputs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.attribution import integrated_gradients, saliency
from seqkit.explain.batch import Batch
from seqkit.explain.chosen import Attribution
from seqkit.explain.findings import LayerSummary, Summary
from seqkit.explain.subject import Subject
from seqkit.explain.tapes import Tape
from seqkit.layer import Layer
from seqkit.model import Sequential

METHODS: dict[str, Callable[..., Attribution]] = {
    "integrated_gradients": integrated_gradients,
    "gradient": partial(saliency, times_input=True),
}
MOST_BYTES = 6_000_000
"""Of the numbers of layers on a page; what is more is thinned out, and the page says so."""
MOST_BYTES_OF_TABLE = 2_000_000
"""Of the inputs, and of the outputs."""
EVERY_STEP = 256
"""Longest sequence for which the output of each step, and what it depends on, is computed by itself."""
AT_ONCE = 32


def table(values: np.ndarray) -> dict[str, Any]:
    """A table (T, columns) of float32 for the page."""
    rows = np.ascontiguousarray(values, "<f4")
    return {"columns": rows.shape[1], "data": base64.b64encode(rows.tobytes()).decode()}


def most_telling(values: np.ndarray, names: list[str], what: str, notes: list[str]) -> tuple[np.ndarray, list[str]]:
    """The columns (T, columns) that are largest at some step, where all would make the page too large."""
    most = max(8, MOST_BYTES_OF_TABLE // max(1, 4 * len(values)))
    if len(names) <= most:
        return values, names
    columns = np.sort(np.argsort(-np.abs(values).max(axis=0), kind="stable")[:most])
    notes.append(f"{most} of {len(names)} {what} are shown, those that are largest at some step.")
    return values[:, columns], [names[column] for column in columns]


def layers_shown(known: Summary, record: Tape, time: int, shown: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The layers that read every step, and what is left out."""
    notes = [f"The sequence has {time} steps; the first {shown} are shown."] if shown < time else []
    fitting = [layer for layer in known.layers if _steps(record, layer.layer) == time]
    if len(fitting) < len(known.layers):
        left = ", ".join(layer.layer for layer in known.layers if layer not in fitting)
        notes.append(f"Not shown, because they read other steps than those of the input: {left}.")
    tables = sum(len(record.of_layer(layer.layer)) for layer in fitting)
    most = max(8, MOST_BYTES // max(1, 4 * shown * tables))
    return [_layer(layer, record, shown, most, notes) for layer in fitting], notes


def _steps(record: Tape, layer: str) -> int:
    return int(record.lengths[f"{layer}.{next(iter(record.of_layer(layer)))}"][0])


def _layer(layer: LayerSummary, record: Tape, shown: int, most: int, notes: list[str]) -> dict[str, Any]:
    """One layer: its values, of some of the units if there are too many for a page."""
    ranked = layer.ranked()
    units = np.arange(len(ranked))
    if len(units) > most:
        units = np.sort(ranked[np.linspace(0, len(ranked) - 1, most).round().astype(int)])
        notes.append(f"{layer.layer}: {most} of {len(ranked)} units are shown, evenly chosen in the order of the list.")
    values = {
        name: value[0, :shown][:, units] for name, value in record.of_layer(layer.layer).items()
        if value.shape[2] == len(ranked) or name == layer.memory
    }  # fmt: skip
    told = layer.to_dict()
    lives = told["half_life"]
    return {
        "name": layer.layer,
        "cell": layer.cell,
        "memory": layer.memory,
        "units": units.tolist(),
        "half_life": None if lives is None else [lives[unit] for unit in units],
        "activity": [told["activity"][unit] for unit in units],
        "follows": [[str(told) for told in layer.follows[unit]] for unit in units],
        "values": {name: table(value) for name, value in values.items()},
    }


def importance(model: Sequential | Layer, one: Batch, target: int | None, method: str, y: np.ndarray) -> np.ndarray:
    """Saliency by step: (T, 1) of the last output or, where steps have outputs and are few, (T, T) of each one."""
    time = int(one.lengths[0])
    explain = METHODS[method]
    if not _per_step(y, time) or time > EVERY_STEP:
        return explain(model, one, target).by_step.T
    rows = []
    for steps in np.array_split(np.arange(time), -(-time // AT_ONCE)):
        repeated = one.ending(np.full(len(steps), time))
        rows.append(explain(model, repeated, target, step=steps).by_step)
    return np.concatenate(rows)


def outputs_by_step(subject: Subject, one: Batch, y: np.ndarray) -> tuple[str, np.ndarray] | None:
    """The output of every step; of a model that gives one vector, what it would give if the sequence ended there."""
    time = int(one.lengths[0])
    if _per_step(y, time):
        return "output", y[0]
    if y.ndim == 3 or time > EVERY_STEP:
        return None
    rows = []
    for ends in np.array_split(np.arange(1, time + 1), -(-time // AT_ONCE)):
        rows.append(subject.output(one.ending(ends)))
    return "output so far", np.concatenate(rows)


def _per_step(y: np.ndarray, time: int) -> bool:
    """Whether there is an output for every step of the input."""
    return y.ndim == 3 and y.shape[1] == time


def names_of_outputs(y: np.ndarray, names: Sequence[str] | None) -> list[str]:
    """Names of the outputs: those that are given, else numbers."""
    if names is not None and len(names) != y.shape[-1]:
        raise ConfigError(f"page: {len(names)} names are given for {y.shape[-1]} outputs.")
    return [f"output {number}" for number in range(y.shape[-1])] if names is None else list(map(str, names))


def about(
    one: Batch, sequence: int, count: int, method: str, target: int | None, outputs: list[str], y: np.ndarray
) -> str:
    """What the page is about, in words."""
    time = int(one.lengths[0])
    last = y[0, -1] if y.ndim == 3 else y[0]
    number = int(last.argmax()) if target is None else target
    which = f"sequence {sequence} of {count}, " if count > 1 else ""
    how = {"integrated_gradients": "integrated gradients", "gradient": "gradient times input"}[method]
    each = (
        "each step's largest output"
        if _per_step(y, time) and time <= EVERY_STEP and target is None
        else outputs[number]
    )
    return (
        f"{which}{time} steps; at the end {outputs[number]} is {last[number]:.4g}. "
        f"Saliency: {how} of {each}, summed over the features of a step."
    )
