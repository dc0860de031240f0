"""Checks of gradients: central differences, accumulation, single precision.

Legend: B batch, T time, F input features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.layer import final_state
from seqkit.testing.data import (
    Data,
    Make,
    assert_close,
    assert_same_bits,
    backward,
    forward,
    grads_of,
    named,
    part_of,
    run,
)
from seqkit.testing.kinds import names_of_states, needs, needs_numbers

WIDTH = 1e-5  # of central differences
SAMPLE = 24  # elements of a large array that are changed one by one
TOLERANCE = 1e-7
SINGLE = 2e-5


def check_gradients(make: Make) -> None:
    """The gradients of the input, of every parameter and of every initial state agree with central differences.

    In float64, on a ragged batch with carried state, for a loss of the outputs, of each final state and of
    all of them: relative error under 1e-7.  Usual causes: a sign, a transposed matrix, h[t] where
    h[t-1] belongs, a gradient that comes back from the final state and is not added.
    """
    layer = make("float64")
    assert_exact(layer, Data.draw(layer))


def check_gradients_of_full_sequences(make: Make) -> None:
    """The gradients agree with central differences where no lengths and no states are given.

    Usual cause: another path through the code for the plain case, or a sum over time that lacks a step.
    """
    layer = make("float64")
    assert_exact(layer, full(layer, 3, 4))


def full(layer: Any, batch: int, time: int) -> Data:
    """Sequences that are all as long, with no lengths and no states given."""
    return replace(Data.draw(layer, [time] * batch), lengths=None, state=(), dstate=())


def assert_exact(layer: Any, data: Data) -> None:
    """Every gradient of a float64 layer is that of central differences."""
    whiches = ["y", *names_of_states(layer)[: len(data.state)], "all of them"]
    exacts = _exact(layer, data)
    for name, value, losses in _variables(layer, data):
        found = [exact[name] for exact in exacts]
        errors = np.zeros(len(whiches))
        for direction in _directions(value):
            errors = np.maximum(errors, _errors(found, losses, value, direction))
        for which, error in zip(whiches, errors, strict=True):
            assert error < TOLERANCE, f"gradient of {name} for a loss of {which}: relative error {error:.1e}"


def _errors(
    found: list[np.ndarray],
    losses: Callable[[np.ndarray], np.ndarray],
    value: np.ndarray,
    direction: np.ndarray,
) -> np.ndarray:
    """Relative error of every loss's gradient along a direction."""
    exact = np.array([(gradient * direction).sum() for gradient in found])
    size = np.array([max(np.abs(gradient).max(initial=0.0), 0.01) for gradient in found])

    def errors(width: float) -> np.ndarray:
        slope = (losses(value + width * direction) - losses(value - width * direction)) / (2 * width)
        return np.nan_to_num(np.abs(exact - slope) / size, nan=np.inf)

    usual = errors(WIDTH)
    if usual.max() < TOLERANCE:
        return usual
    nearer = errors(WIDTH / 100)  # misses a kink between the two points, at the price of rounding
    return np.where(nearer < 20 * TOLERANCE, 0.05 * nearer, nearer)


def _losses(layer: Any, data: Data) -> np.ndarray:
    y, cache = forward(layer, data)
    final = final_state(cache)[: len(data.dstate)]
    parts = [(data.dy * y).sum(), *(float((d * s).sum()) for d, s in zip(data.dstate, final, strict=True))]
    return np.array([*parts, sum(parts)])


def _variables(layer: Any, data: Data) -> Iterator[tuple[str, np.ndarray, Callable[[np.ndarray], np.ndarray]]]:
    """Name, value and the losses as a function of the value."""
    if data.x.dtype.kind == "f":
        yield "x", data.x, lambda x: _losses(layer, replace(data, x=x))
    for i, value in enumerate(data.state):

        def of_state(new: np.ndarray, i: int = i) -> np.ndarray:
            return _losses(layer, replace(data, state=(*data.state[:i], new, *data.state[i + 1 :])))

        yield f"initial {i}", value, of_state
    for name in layer.params:
        kept = layer.params[name].copy()

        def of_parameter(new: np.ndarray, name: str = name) -> np.ndarray:
            layer.params[name] = new
            return _losses(layer, data)

        yield name, kept, of_parameter
        layer.params[name] = kept


def _exact(layer: Any, data: Data) -> list[dict[str, np.ndarray]]:
    """The gradients by backpropagation, for every upstream."""
    count = len(data.dstate)
    zeros = [np.zeros_like(d) for d in data.dstate]
    only = [tuple(data.dstate[j] if j == i else zeros[j] for j in range(count)) for i in range(count)]
    found = []
    for dy, dstate in [(data.dy, ()), *((np.zeros_like(data.dy), one) for one in only), (data.dy, data.dstate)]:
        layer.zero_grads()
        dx, dinitial = layer.backward(dy, forward(layer, data)[1], dstate or None)
        found.append({"x": dx} | named("initial", dinitial) | {key: grad.copy() for key, grad in layer.grads.items()})
    return found


def _directions(value: np.ndarray) -> Iterator[np.ndarray]:
    """All of the array at once, twice, then single elements: all or a sample."""
    rng = np.random.default_rng(value.size)
    if value.size == 0:
        return
    for _ in range(2):
        yield rng.normal(size=value.shape) / np.sqrt(value.size)
    for place in rng.permutation(value.size)[:SAMPLE]:
        one = np.zeros(value.size)
        one[place] = 1.0
        yield one.reshape(value.shape)


def check_gradients_in_single_precision(make: Make) -> None:
    """float32 results and gradients are the float64 ones up to rounding: relative error under 2e-5.

    Usual causes: an array of another type on the way (float16, or float64 that comes out), a sum that
    cancels.
    """
    single, double = make("float32"), make("float64")
    for name in double.params:
        double.params[name] = single.params[name]
    double.restore_random_state(single.random_state())
    data = Data.draw(single)
    wide = Data(*(_widen(part) for part in (data.x, data.lengths, data.state, data.dy, data.dstate)))
    expected = run(double, wide)
    for name, array in run(single, data).items():
        assert array.dtype == np.float32, f"{name} has dtype {array.dtype}, not float32"
        assert_close(array, expected[name], SINGLE, name, smallest=0.1)


def _widen(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(map(_widen, part))
    return part.astype(np.float64) if part.dtype == np.float32 else part


def check_gradients_accumulate(make: Make) -> None:
    """A second backward pass adds to the gradients of the first.

    Usual cause: `grads[name] = ...` where `grads[name] += ...` belongs.
    """
    for dtype in ("float32", "float64"):
        layer = make(dtype)
        data = Data.draw(layer)
        once = part_of(run(layer, data), "grad")
        needs(once, "it has no parameters")
        backward(layer, data, forward(layer, data)[1])
        for name, grad in grads_of(layer).items():
            assert_close(grad, 2 * once[name], 1e-6 if dtype == "float32" else 1e-15, f"{name} after two passes")


def check_zero_grads(make: Make) -> None:
    """`zero_grads` forgets the gradients, in the same arrays, and the next ones have the same bits.

    Usual cause: a sum kept elsewhere, or new arrays in `grads`, which an optimizer does not know.
    """
    layer = make("float64")
    data = Data.draw(layer)
    once, arrays = part_of(run(layer, data), "grad"), dict(layer.grads)
    needs(once, "it has no parameters")
    layer.zero_grads()
    assert not any(grad.any() for grad in layer.grads.values()), "gradients after zero_grads are not 0"
    assert_same_bits(run(layer, data), once, "gradients after zero_grads")
    assert all(layer.grads[name] is array for name, array in arrays.items()), "grads holds other arrays than before"


def check_without_input_gradient(make: Make) -> None:
    """With input_grad=False dx is None and everything else keeps its bits."""
    layer = make("float32")
    needs_numbers(layer)
    data = Data.draw(layer)
    expected = run(layer, data)
    layer.zero_grads()
    found = backward(layer, data, forward(layer, data)[1], input_grad=False) | grads_of(layer)
    assert "dx" not in found, "dx is computed all the same"
    assert_same_bits(found, part_of(expected, "dinitial", "grad"), "input_grad=False")


def check_several_inputs(make: Make) -> None:
    """Each of several inputs has an exact gradient of its own, and one array is the same as giving it for all of them.

    Usual causes: gradients in another order than the inputs, lengths of one input used for another.
    """
    layer = make("float64")
    needs(len(layer.inputs) > 1, "it has one input")
    needs(not any(layer.ids_of_inputs), "an input is ids")
    one = replace(Data.draw(layer), state=(), dstate=())
    count = len(layer.inputs)
    arrays = tuple(Data.draw(layer, seed=seed).x for seed in range(count))
    data = replace(one, x=arrays, lengths=(one.lengths,) * count)
    parts, _ = layer.backward(data.dy, forward(layer, data)[1])
    for place, name in enumerate(layer.inputs):

        def losses(value: np.ndarray, place: int = place) -> np.ndarray:
            return _losses(layer, replace(data, x=(*arrays[:place], value, *arrays[place + 1 :])))[:1]

        for direction in _directions(arrays[place]):
            (error,) = _errors([parts[place]], losses, arrays[place], direction)
            assert error < TOLERANCE, f"gradient of {name}: relative error {error:.1e}"
    same = replace(data, x=(one.x,) * count)
    (y, cache), (alone, kept) = forward(layer, same), forward(layer, one)
    assert_same_bits({"y": alone}, {"y": y}, "one array for all inputs")
    total, own = sum(layer.backward(one.dy, cache)[0]), layer.backward(one.dy, kept)[0]
    assert_close(own, total, 1e-14, "gradient of one array for all inputs")
