"""Training within a memory budget.

What grows with time in training is the tape of every recurrent layer, and the activations between layers.  The tape can
be kept for a segment at a time (``checkpoint`` of the layer): the planner cuts the tapes of those layers whose tapes
are the largest, until everything fits.

Legend: B batch, T time, I input features, H units, P numbers of the parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.sequence_layer import SequenceLayer
from seqkit.stack import Stack

UNITS = {"": 1, "b": 1} | {
    prefix + unit: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
COPIES = 9  # of the parameters: gradients, their sums, packed twice both ways, and what an optimizer keeps
LOSS_ARRAYS = 8  # of the size of the output: targets, weights, gradient, and what a loss works with
OVERHEAD = 16 * 2**20  # code that is loaded, threads, scratch memory, what the allocator does not give back
BLOCK_ROWS = 128  # a segment is at least one block of the tape


def number_of_bytes(memory: str | int) -> int:
    """Bytes of a budget: a number, or text with a unit.

    Examples
    --------
    >>> number_of_bytes("1.5 GiB"), number_of_bytes("512MB"), number_of_bytes(10**9)
    (1610612736, 512000000, 1000000000)
    >>> number_of_bytes("much")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: memory is 'much', expected bytes or text such as '512MiB' or '2GB'.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", str(memory).lower())
    if isinstance(memory, bool) or not isinstance(memory, (str, int)) or found is None or found[2] not in UNITS:
        raise ConfigError(f"memory is {memory!r}, expected bytes or text such as '512MiB' or '2GB'.")
    return int(float(found[1]) * UNITS[found[2]])


@dataclass(frozen=True)
class Tape:
    """The tape of a recurrent layer, in segments.

    Attributes
    ----------
    layer : SequenceLayer
    time : int
        Steps of the longest sequence.
    steps, least : int
        Of a segment, and of the smallest possible one.
    step_bytes, segment_bytes : int
        Taken by each step of a segment, and by the state that each segment begins with.
    """

    layer: SequenceLayer
    time: int
    steps: int
    least: int
    step_bytes: int
    segment_bytes: int

    @property
    def nbytes(self) -> int:
        """Of the tape of a segment, and of the states that segments begin with."""
        return self.steps * self.step_bytes + -(-self.time // self.steps) * self.segment_bytes

    def halved(self) -> Tape:
        """The same with segments half as long, or of the smallest length."""
        return replace(self, steps=max(self.least, -(-self.steps // 2)))

    @property
    def saving(self) -> int:
        """Bytes that shorter segments would save."""
        return self.nbytes - self.halved().nbytes


@contextmanager
def limited(model: Stack, memory: str | int | None, batch: int, time: int, item_bytes: int) -> Iterator[None]:
    """Inside the block, training batches of at most `batch` sequences of `time` steps stays within the budget.

    `item_bytes` are those of one step of the input, as it is given.

    Raises
    ------
    ConfigError
        If it can't; the message names the least budget that works.
    """
    tapes = [] if memory is None else planned(model, number_of_bytes(memory), batch, time, item_bytes)
    for tape in tapes:
        tape.layer.cut(tape.steps)
    try:
        yield
    finally:
        for tape in tapes:
            tape.layer.cut(None)


def planned(model: Stack, budget: int, batch: int, time: int, item_bytes: int) -> list[Tape]:
    """The tapes of all recurrent layers, the largest ones cut until all that training takes is within the budget."""
    fixed = _fixed_bytes(model, batch, time, item_bytes)
    tapes = [_tape(layer, batch, time) for layer in model.layers if isinstance(layer, SequenceLayer)]
    while (total := fixed + sum(tape.nbytes for tape in tapes)) > budget:
        saving, place = max(((tape.saving, n) for n, tape in enumerate(tapes)), default=(0, 0))
        if saving <= 0:
            raise ConfigError(
                f"{model.name}: training on batches of {batch} sequences of {time} steps needs a memory of at least "
                f"{-(-total // 2**20)}MiB, got {budget / 2**20:.1f} MiB; a smaller batch_size needs less."
            )
        tapes[place] = tapes[place].halved()
    return tapes


def _tape(layer: SequenceLayer, batch: int, time: int) -> Tape:
    found = layer.tape_bytes(batch)
    steps = min(time, layer.checkpoint or time)
    least = min(time, max(1, BLOCK_ROWS // batch))
    return Tape(layer, time, max(steps, least), least, found.step, found.segment)


def _fixed_bytes(model: Stack, batch: int, time: int, item_bytes: int) -> int:
    """What training takes beside tapes: parameters, activations between layers, gradients of two of them at a time."""
    itemsize = np.dtype(model.dtype).itemsize
    total = OVERHEAD + COPIES * sum(array.nbytes for array in model.params.values())
    total += 2 * batch * time * item_bytes  # of x, as it is given and as it is read
    steps, largest, wide = batch * time, 0, 0
    for number, layer in enumerate(model.layers):
        before = steps * layer.input_size * itemsize if number else 0  # the input needs no gradient
        steps = steps if layer.returns_sequences else batch
        wide = steps * layer.output_size * itemsize
        total += _kept_bytes(layer, batch, before, wide)
        largest = max(largest, wide + 2 * before)  # of both directions
    return total + largest + LOSS_ARRAYS * wide


def _kept_bytes(layer: Layer, batch: int, before: int, after: int) -> int:
    """What a layer keeps from forward to backward: its output, and what it works with."""
    if not isinstance(layer, SequenceLayer):
        return before + 2 * after
    return after + layer.tape_bytes(batch).fixed
