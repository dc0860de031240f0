"""Checks of gradients: central differences, accumulation, single precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from checks.data import Data, Make, assert_close, assert_same_bits, named, run, states_of

WIDTH = 1e-5  # of central differences
SAMPLE = 24  # elements of a large array that are changed one by one


def check_gradients(make: Make) -> None:
    """The gradients of the input, of every parameter and of every initial state agree with
    central differences, whichever result the loss is made of: relative error under 1e-7."""
    layer = make("float64")
    data = Data.draw(layer)
    for name, value, losses in _variables(layer, data):
        found = [exact[name] for exact in _exact(layer, data)]
        for direction in _directions(value):
            errors = _errors(found, losses, value, direction, WIDTH)
            if errors.max() >= 1e-7 and getattr(getattr(layer, "cell", None), "kinks", False):
                # a kink lies between the two points: nearer ones miss it, at the price of rounding
                errors = 0.05 * _errors(found, losses, value, direction, WIDTH / 100)
            for which, error in zip(_upstreams(layer), errors, strict=True):
                assert error < 1e-7, f"gradient of {name} for a loss of {which}: relative error {error:.1e}"


def _errors(
    found: list[np.ndarray],
    losses: Callable[[np.ndarray], np.ndarray],
    value: np.ndarray,
    direction: np.ndarray,
    width: float,
) -> np.ndarray:
    """Relative error of every loss's gradient along a direction."""
    slope = (losses(value + width * direction) - losses(value - width * direction)) / (2 * width)
    exact = np.array([(gradient * direction).sum() for gradient in found])
    return np.abs(exact - slope) / [max(np.abs(gradient).max(initial=0.0), 0.01) for gradient in found]


def _upstreams(layer: Any) -> list[str]:
    return ["y", *(name for name, _ in states_of(layer)), "all of them"]


def _losses(layer: Any, data: Data, x: np.ndarray, state: tuple[np.ndarray, ...]) -> np.ndarray:
    y, cache = layer.forward(x, data.lengths, state, training=True)
    parts = [(data.dy * y).sum(), *(float((d * s).sum()) for d, s in zip(data.dstate, cache.state, strict=True))]
    return np.array([*parts, sum(parts)])


def _variables(layer: Any, data: Data) -> Iterator[tuple[str, np.ndarray, Callable[[np.ndarray], np.ndarray]]]:
    """Name, value and the losses as a function of the value."""
    yield "x", data.x, lambda x: _losses(layer, data, x, data.state)
    for i, value in enumerate(data.state):

        def of_state(new: np.ndarray, i: int = i) -> np.ndarray:
            return _losses(layer, data, data.x, (*data.state[:i], new, *data.state[i + 1 :]))

        yield f"initial {i}", value, of_state
    for name in layer.params:
        kept = layer.params[name].copy()

        def of_parameter(new: np.ndarray, name: str = name) -> np.ndarray:
            layer.params[name] = new
            return _losses(layer, data, data.x, data.state)

        yield name, kept, of_parameter
        layer.params[name] = kept


def _exact(layer: Any, data: Data) -> list[dict[str, np.ndarray]]:
    """The gradients by backpropagation, for every upstream."""
    count = len(data.state)
    zeros = [np.zeros_like(d) for d in data.dstate]
    only = [tuple(data.dstate[j] if j == i else zeros[j] for j in range(count)) for i in range(count)]
    found = []
    for dy, dstate in [(data.dy, None), *((None, one) for one in only), (data.dy, data.dstate)]:
        layer.zero_grads()
        dx, dinitial = layer.backward(dy, layer.forward(data.x, data.lengths, data.state)[1], dstate)
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
    """float32 gradients are the float64 ones up to rounding, relative error 2e-5: errors of
    some 1e-7 a step add up."""
    single, double = make("float32"), make("float64")
    for name in double.params:
        double.params[name] = single.params[name]
    data = Data.draw(single)
    wide = Data(*(_widen(part) for part in (data.x, data.lengths, data.state, data.dy, data.dstate)))
    expected = run(double, wide)
    for name, array in run(single, data).items():
        assert array.dtype == np.float32, f"{name} has dtype {array.dtype}"
        assert_close(array, expected[name], 2e-5, name, smallest=0.1)


def _widen(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(map(_widen, part))
    return part.astype(np.float64) if part.dtype == np.float32 else part


def check_gradients_accumulate(make: Make) -> None:
    """A second backward pass adds to the gradients, and zero_grads forgets them."""
    for dtype in ("float32", "float64"):
        layer = make(dtype)
        data = Data.draw(layer)
        once = {name: array for name, array in run(layer, data).items() if name.startswith("grad")}
        layer.backward(data.dy, layer.forward(data.x, data.lengths, data.state)[1], data.dstate)
        twice = {f"grad {name}": grad for name, grad in layer.grads.items()}
        for name, grad in once.items():
            assert_close(twice[name], 2 * grad, 1e-6 if dtype == "float32" else 1e-15, f"{name} after two passes")
        again = run(layer, data)
        assert_same_bits(again, once, "gradients after zero_grads")


def check_without_input_gradient(make: Make) -> None:
    """With input_grad=False dx is None and everything else keeps its bits."""
    layer = make("float32")
    data = Data.draw(layer)
    expected = run(layer, data)
    layer.zero_grads()
    dx, dinitial = layer.backward(
        data.dy, layer.forward(data.x, data.lengths, data.state)[1], data.dstate, input_grad=False
    )
    assert dx is None
    found = named("dinitial", dinitial) | {f"grad {name}": grad for name, grad in layer.grads.items()}
    assert_same_bits(found, {name: array for name, array in expected.items() if name in found}, "input_grad=False")
