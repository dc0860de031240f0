"""Checks of errors: a call that cannot be is refused in words, and the layer is as it was.

Legend: B batch, T time, F input features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.errors import SeqkitError
from seqkit.testing.data import Data, Make, assert_same_bits, grads_of, run
from seqkit.testing.kinds import needs_numbers, needs_states


def assert_refused(layer: Any, what: str, call: Callable[..., Any], *arguments: Any) -> None:
    """The call raises an error of seqkit and leaves the layer as it was."""
    data = Data.draw(layer)
    expected = run(layer, data)
    try:
        call(*arguments)
    except SeqkitError as error:
        message = str(error)
    except Exception as error:
        raise AssertionError(
            f"{what} raises {type(error).__name__} ({error}), not an error of seqkit.errors such as ShapeError"
        ) from error
    else:
        raise AssertionError(f"{what} is accepted")
    assert message, f"{what}: the error says nothing"
    assert_same_bits(grads_of(layer), {key: expected[key] for key in grads_of(layer)}, f"gradients after {what}")
    assert_same_bits(run(layer, data), expected, f"the call after {what}")


def check_wrong_rank(make: Make) -> None:
    """An input of one or four dimensions is refused.

    Usual cause: `__call__` is overridden; that of Layer checks this.
    """
    layer = make("float32")
    for shape in ((4,), (2, 3, 4, layer.input_size)):
        x = np.zeros(shape, np.int64 if layer.accepts_ids else np.float32)
        assert_refused(layer, f"x of shape {shape}", layer, x)


def check_wrong_features(make: Make) -> None:
    """An input with another number of features, or an id that is none, is refused."""
    layer = make("float32")
    if layer.accepts_ids:
        wrong = np.full((2, 3), 10**9)
        assert_refused(layer, "an id that does not exist", layer, wrong)
    else:
        more = np.zeros((2, 3, layer.input_size + 1), np.float32)
        assert_refused(layer, f"x of shape {more.shape} for {layer.input_size} features", layer, more)


def check_wrong_type(make: Make) -> None:
    """Complex numbers and strings are refused."""
    layer = make("float32")
    needs_numbers(layer)
    x = np.zeros((2, 3, layer.input_size))
    for kind in ("complex128", "U4"):
        assert_refused(layer, f"x of dtype {kind}", layer, x.astype(kind))


def check_wrong_lengths(make: Make) -> None:
    """Lengths that are too many, too long, negative or not integers are refused."""
    layer = make("float32")
    x = Data.draw(layer, [3, 3]).x
    for lengths in ([3, 3, 3], [4, 3], [3, -1], [1.0, 2.0], [[3], [3]]):
        assert_refused(layer, f"lengths {lengths} for 2 sequences of 3 steps", layer, x, lengths)


def check_wrong_state(make: Make) -> None:
    """A state of other shape or of too many arrays is refused."""
    layer = make("float32")
    needs_states(layer)
    data = Data.draw(layer, [3, 3])
    states = {
        "a state of one array too many": (*data.state, data.state[0]),
        "a state of three rows for two sequences": tuple(np.concatenate([s, s[:1]]) for s in data.state),
        "a state of other width": tuple(np.concatenate([s, s[..., :1]], axis=-1) for s in data.state),
    }
    for what, state in states.items():
        assert_refused(layer, what, layer.forward, data.x, None, state)
