"""Training within a memory budget.

What grows with time in training is the tape of every recurrent layer, and the activations between layers.  The tape can
be kept for a segment at a time (``checkpoint`` of the layer): the planner cuts the tapes of those layers whose tapes
are the largest, until everything fits.

Legend: B batch, T time, I input features, H units, P numbers of the parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.sequence_layer import SequenceLayer
from seqkit.stack import Stack
from seqkit.training.batches import Samples

UNITS = {"": 1, "b": 1} | {
    prefix + unit: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
COPIES = 9  # of the parameters: gradients, their sums, packed twice both ways, and what an optimizer keeps
LOSS_ARRAYS = 8  # of the size of the output: targets, weights, gradient, and what a loss works with
OVERHEAD = 16 * 2**20  # code that is loaded, threads, scratch memory, what the allocator does not give back
LEAST_ROWS = 512  # of a segment: shorter ones save little and cost more than what they do twice


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
    if (
        isinstance(memory, bool)
        or not isinstance(memory, (str, int, np.integer))
        or found is None
        or found[2] not in UNITS
    ):
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


@dataclass(frozen=True)
class Load:
    """The largest batch that a model is trained on.

    Attributes
    ----------
    batch, time : int
        Sequences, and steps of the longest.
    given : int
        Bytes of the input as the user gave it: those of the batch, and of copies of the whole data set.
    """

    batch: int
    time: int
    given: int = 0

    @classmethod
    def of(cls, samples: Samples, batch_size: int, window: int | None = None) -> Load:
        """The largest of the batches of so many samples, or of their windows of at most so many steps."""
        batch = min(batch_size, len(samples))
        given = 2 * batch * samples.time * samples.step_bytes + samples.copied_bytes  # read by layers as their own type
        return cls(batch, min(samples.time, window or samples.time), given)


@contextmanager
def limited(model: Stack, memory: str | int | None, load: Load) -> Iterator[None]:
    """Inside the block training stays within the budget.

    Raises
    ------
    ConfigError
        If it can't; the message names the least budget that works.
    """
    tapes = [] if memory is None else planned(model, number_of_bytes(memory), load)
    for tape in tapes:
        tape.layer.cut(tape.steps)
    try:
        yield
    finally:
        for tape in tapes:
            tape.layer.cut(None)


def planned(model: Stack, budget: int, load: Load) -> list[Tape]:
    """The tapes of all recurrent layers, the largest ones cut until all that training takes is within the budget."""
    fixed = _fixed_bytes(model, load)
    tapes = [_tape(layer, load) for layer in _with_tapes(model.layers)]
    while (total := fixed + sum(tape.nbytes for tape in tapes)) > budget:
        saving, place = max(((tape.saving, n) for n, tape in enumerate(tapes)), default=(0, 0))
        if saving <= 0:
            raise ConfigError(
                f"{model.name}: training on batches of {load.batch} sequences of {load.time} steps needs a memory of "
                f"at least {-(-total // 2**20)}MiB, got {budget / 2**20:.1f}MiB; a smaller batch_size needs less."
            )
        tapes[place] = tapes[place].halved()
    return tapes


def _with_tapes(layers: Iterable[Layer]) -> Iterator[SequenceLayer]:
    """The recurrent layers among these and those that they run."""
    for layer in layers:
        if isinstance(layer, SequenceLayer):
            yield layer
        else:
            yield from _with_tapes(layer.inner())


def _tape(layer: SequenceLayer, load: Load) -> Tape:
    found, time = layer.tape_bytes(load.batch), max(load.time, 1)
    least = min(time, max(1, LEAST_ROWS // load.batch))
    return Tape(layer, time, max(min(time, layer.checkpoint or time), least), least, found.step, found.segment)


def _fixed_bytes(model: Stack, load: Load) -> int:
    """What training takes beside tapes: parameters, activations between layers, gradients of two of them at a time."""
    itemsize = np.dtype(model.dtype).itemsize
    total = OVERHEAD + load.given + COPIES * sum(array.nbytes for array in model.params.values())
    steps, largest, after = load.batch * load.time, 0, 0
    for number, layer in enumerate(model.layers):
        before = steps * layer.input_size * itemsize if number else 0  # the input needs no gradient
        steps = steps if layer.returns_sequences else load.batch
        after = steps * layer.output_size * itemsize
        total += after + _worked_bytes(layer, load, before + after)
        largest = max(largest, after + before * (layer.directions if isinstance(layer, SequenceLayer) else 1))
    return total + largest + LOSS_ARRAYS * after


def _worked_bytes(layer: Layer, load: Load, nbytes: int) -> int:
    """What a layer with inputs and outputs of `nbytes` works with."""
    if isinstance(layer, SequenceLayer):
        return layer.tape_bytes(load.batch).fixed
    return nbytes + sum(_inner_bytes(part, load) for part in layer.inner())


def _inner_bytes(layer: Layer, load: Load) -> int:
    """What a layer that another one runs takes: its output, and what it works with."""
    number = load.batch * load.time * layer.dtype.itemsize
    output = number * layer.output_size
    return output + _worked_bytes(layer, load, number * sum(layer.input_sizes) + output)
