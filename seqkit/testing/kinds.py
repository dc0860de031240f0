"""What kind of layer it is, found by trying it; a check that does not apply to it says why."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import numpy as np

from seqkit.equations import Cell
from seqkit.errors import SeqkitError
from seqkit.layer import final_state


class NotApplicable(SkipTest):
    """The property is not one that a layer of this kind has; the message says why.  pytest shows it as skipped."""


def needs(condition: object, reason: str) -> None:
    """The rest of a check applies only where this is so."""
    if not condition:
        raise NotApplicable(reason)


def needs_option(layer: Any, name: str) -> None:
    """The check varies this option of the layer."""
    needs(name in layer.config(), f"it has no option {name}")


def needs_equations(layer: Any) -> None:
    """The check looks at the cell's equations."""
    needs(isinstance(getattr(layer, "cell", None), Cell), "it is not made of equations")


def needs_numbers(layer: Any) -> None:
    """The check changes numbers of the input a little."""
    needs(not layer.accepts_ids, "its input is ids")


def needs_no_chance(layer: Any) -> None:
    """The check compares calls on other rows, which draw other random numbers."""
    needs(not layer.random_state(), "it draws random numbers in training")


def needs_sequences(layer: Any) -> None:
    """The check looks at the output of every step."""
    needs(layer.returns_sequences, "it gives one vector per sequence")


def needs_steps(layer: Any) -> None:
    """The check runs a layer that reads each sequence in one order, step by step."""
    try:
        layer.step(blank(layer, 1, 1)[:, 0])
    except SeqkitError as error:
        raise NotApplicable(f"it cannot run step by step ({error})") from None


def needs_states(layer: Any) -> None:
    """The check hands states over."""
    needs(shapes_of_states(layer), "its caches have no `state`: none is carried from call to call")


def blank(layer: Any, batch: int, time: int) -> np.ndarray:
    """An input of zeros."""
    if layer.accepts_ids:
        return np.zeros((batch, time), np.int64)
    return np.zeros((batch, time, layer.input_size), layer.dtype)


def vectors_only(layer: Any) -> bool:
    """Whether vectors are taken and sequences are not."""
    x = blank(layer, 1, 1)
    return not accepts(layer, x) and not layer.accepts_ids and accepts(layer, x[:, 0])


def keeps_steps(layer: Any) -> bool:
    """Whether a sequence comes out with as many steps as it has, or as a vector."""
    counts = np.arange(8)
    return not layer.returns_sequences or np.array_equal(layer.output_lengths(counts), counts)


def accepts(layer: Any, x: np.ndarray) -> bool:
    """Whether the layer runs on an input, and doesn't refuse it."""
    try:
        layer.forward(x, training=False)
    except SeqkitError:
        return False
    return True


def numbers_of_ids(layer: Any) -> int | None:
    """How many ids a layer of ids knows, at least; None where features come in."""
    return int(getattr(layer, "input_dim", 2)) if layer.accepts_ids else None


def shapes_of_states(layer: Any) -> list[tuple[int, ...]]:
    """The shape of one row of every state that a call takes and leaves behind; a stateful layer starts anew."""
    if vectors_only(layer):
        return []
    x = blank(layer, 1, 1)
    state = final_state(layer.forward(x, training=False)[1])
    if not state:  # perhaps nothing is kept in inference
        numbers = layer.random_state()
        state = final_state(layer.forward(x)[1])
        layer.restore_random_state(numbers)
    if layer.stateful:
        layer.reset_states()
    return [array.shape[1:] for array in state]


def names_of_states(layer: Any) -> list[str]:
    """What states are called in messages: as in the equations, or by number."""
    cell = getattr(layer, "cell", None)
    return list(cell.states) if cell else [f"state {n}" for n in range(len(shapes_of_states(layer)))]
