"""The gate tape: named values of every step, of every recurrent layer and direction of a model.

A model is run once, and what its recurrent layers read is kept; then each of them is run again over stretches of time
with its named values saved, from the state that the stretch before ended with.  So the bits are those of one run, and
memory is that of the activations between layers and of one stretch, however many values are recorded to a file.

Legend: B batch, T time, N numbers of a value (units), K outputs.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.batch import Batch
from seqkit.explain.subject import Subject
from seqkit.explain.tapes import INDEX, Tape, made_folder, make_room
from seqkit.layer import Layer, State
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent
from seqkit.rows import Rows

LARGEST_IN_MEMORY = 2**28
"""Bytes of a tape that is kept in memory; a longer one without `path` goes to a temporary folder."""
STRETCH_BYTES = 2**24


def tape(
    model: Sequential | Layer,
    x: Any,
    names: Sequence[str] | None = None,
    path: str | Path | None = None,
    *,
    lengths: Any = None,
) -> Tape:
    """Record gates, states and other named values of the recurrent layers of a model.

    Parameters
    ----------
    model : Sequential or Layer
        Recurrent layers are found wherever they are: one above the other, in both directions, inside of other layers.
    x : array (B, T, F), ids (B, T), or list of sequences
        Input.
    names : sequence of str, optional
        Values that the cells name ("f", "c"), of all layers, or those of one layer ("0.forward.f"); all by default.
    path : path-like, optional
        A folder that is made, where values are written as they come, for :meth:`Tape.load`.
    lengths : array_like of int (B,), optional
        True lengths of right-padded sequences.

    Returns
    -------
    Tape
        Values are those of `predict`: nothing is dropped.  The model stays as it is.

    Raises
    ------
    ConfigError
        If no layer has a value of one of the names; the message lists them.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.Bidirectional(seqkit.GRU(4)), seqkit.Dense(1)], seed=0).build(3)
    >>> recorded = tape(model, [np.ones((5, 3)), np.ones((2, 3))], names=["z"])
    >>> recorded
    Tape(0.forward.z: (2, 5, 4), 0.backward.z: (2, 5, 4))
    >>> recorded.sequences("0.backward.z")[1].shape
    (2, 4)
    """
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    readings = watch(subject)
    output = subject.output(batch)
    wanted = _wanted(readings, names)
    size = sum(reading.bytes(values) for reading, values in wanted.items())
    temporary = path is None and size > LARGEST_IN_MEMORY
    folder = made_folder(tempfile.mkdtemp(prefix="seqkit-tape-") if temporary else path)
    if folder is not None:
        (folder / INDEX).unlink(missing_ok=True)  # until this one is whole, there is no tape
    found: dict[str, np.ndarray] = {}
    ends: dict[str, np.ndarray] = {}
    for reading, values in wanted.items():
        rooms = {
            name: make_room(folder, f"{reading.layer}.{name}", shape) for name, shape in reading.shapes(values).items()
        }
        reading.record(rooms)
        found |= {f"{reading.layer}.{name}": room for name, room in rooms.items()}
        ends |= {f"{reading.layer}.{name}": reading.rows.lengths for name in rooms}
    if folder is not None:
        np.save(folder / "output.npy", output)
        (folder / INDEX).write_text(json.dumps({name: end.tolist() for name, end in ends.items()}))
    made = Tape(found, ends, output, folder)
    if temporary and folder is not None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


@dataclass(eq=False)
class Reading:
    """What one call of a recurrent layer read."""

    layer: str
    cell: Recurrent
    rows: Rows
    state: State | None

    @property
    def names(self) -> tuple[str, ...]:
        """The values that the cell names."""
        return tuple(self.cell.execution.program.names)

    def shapes(self, names: Sequence[str]) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Shape and type of what is recorded."""
        sizes = self.cell.execution.shapes.named(names)
        return {name: ((len(self.rows.lengths), self.rows.time, size), self.cell.dtype) for name, size in sizes.items()}

    def bytes(self, names: Sequence[str]) -> int:
        """Bytes of what is recorded."""
        return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.shapes(names).values())

    def record(self, rooms: Mapping[str, np.ndarray]) -> None:
        """Write the named values into these arrays, stretch by stretch in the order of reading."""
        batch, time, backwards = len(self.rows.lengths), self.rows.time, self.cell.go_backwards
        states = self.cell.cell.states
        names = tuple(dict.fromkeys((*rooms, *states)))
        stretch = max(1, STRETCH_BYTES * time // max(1, self.bytes(names)))
        execution, state = self.cell.execution, self.cell._start(self.state, batch)
        packed = execution.packed(self.cell.params)
        for first in range(0, time, stretch):
            # the engine's own order of a part of sequences is that of whole ones, which reading the tape does not know
            rows = replace(self.rows.steps(first, min(first + stretch, time), backwards), whole=None)
            values = execution.trace(rows, state, packed, names, backwards)
            offsets = np.maximum(self.rows.lengths - first - stretch, 0) if backwards else np.full(batch, first)
            for b, (offset, count) in enumerate(zip(offsets, rows.lengths, strict=True)):
                for name, room in rooms.items():
                    room[b, offset : offset + count] = values[name][b, :count]
            state = _after(state, [values[name] for name in states], rows.lengths, backwards)


def watch(subject: Subject) -> list[Reading]:
    """What recurrent layers read from now on, one entry for each call; a second call of a layer is "0#2.forward"."""
    readings: list[Reading] = []
    for name, layer in subject.recurrent.items():
        _watch(layer, name, readings)
    return readings


def _watch(layer: Recurrent, name: str, readings: list[Reading]) -> None:
    bind, place, direction = layer.bind_forward, *name.rsplit(".", 1)

    def bind_and_note(rows: Rows, y: Any, state: State | None, training: bool, aligned: bool = False) -> Any:
        call = 1 + sum(reading.cell is layer for reading in readings)
        again = "" if call == 1 else f"#{call}"
        readings.append(Reading(f"{place}{again}.{direction}", layer, rows, state))
        return bind(rows, y, state, training, aligned)

    layer.bind_forward = bind_and_note  # type: ignore[method-assign]


def _wanted(readings: Sequence[Reading], names: Sequence[str] | None) -> dict[Reading, list[str]]:
    """The values to record of every call."""
    if isinstance(names, str):
        raise ConfigError(f"tape: names must be a sequence of str such as [{names!r}], got {names!r}.")
    for name in names or ():
        if not any(name in (own, f"{reading.layer}.{own}") for reading in readings for own in reading.names):
            known = {f"{reading.layer}: {', '.join(reading.names)}" for reading in readings}
            raise ConfigError(f"tape: no value named {name!r}; there are {'; '.join(sorted(known)) or 'none'}.")
    chosen = {
        reading: [own for own in reading.names if names is None or own in names or f"{reading.layer}.{own}" in names]
        for reading in readings
    }
    return {reading: values for reading, values in chosen.items() if values}


def _after(before: State | None, values: Sequence[np.ndarray], lengths: np.ndarray, backwards: bool) -> State:
    """The states that a stretch ends with: those of the last step read, or those before it where there was none."""
    batch, last = np.arange(len(lengths)), np.zeros_like(lengths) if backwards else np.maximum(lengths - 1, 0)
    start = before or tuple(np.zeros_like(value[:, 0]) for value in values)
    return tuple(
        np.where((lengths > 0)[:, None], value[batch, last], old) for value, old in zip(values, start, strict=True)
    )
