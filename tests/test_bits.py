"""Same bits: larger layers, long sequences, and two directions in one call.

``test_cells.py`` has the checks for small layers of every cell; here every part of the engine
works on several threads and in several pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from checks import CHECKS
from checks.subjects import maker, registered
from checks.zoo import ZOO

import seqkit
from seqkit import _core
from seqkit.testing.checks.paths import turned
from seqkit.testing.data import Data, Make, assert_close, assert_same_bits, fill, run

LARGE = {name: maker(name, 96, 70) for name in registered()} | {
    name: maker(ZOO[name], 90, 20) for name in ("OneMatrixTwice", "OneMatrixInTwoColumns", "LayerNorm", "ManyGates")
}


@pytest.mark.parametrize("check", ["check_threads", "check_batch", "check_nan_in_padding"])
@pytest.mark.parametrize("subject", LARGE)
def test_large(subject: str, check: str) -> None:
    CHECKS[check](LARGE[subject])


@pytest.mark.skipif(not _core.openmp, reason="built without threads")
@pytest.mark.parametrize("name", registered())
def test_calls_of_many_threads_use_many(name: str) -> None:
    """The thread check above compares what it says: the work is really split."""
    layer = LARGE[name]("float32")
    with seqkit.threads(3):
        assert layer.plan((70, 39, 70), training=True).threads == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", registered())
def test_long_sequences_and_their_pieces(name: str, dtype: str) -> None:
    """450 steps: alone, in a batch, and in two pieces; more than any buffer holds at once."""
    layer = maker(name, 20, 3)(dtype)
    data = Data.draw(layer, [450, 449, 3, 200, *[450] * 13])
    whole = run(layer, data)
    for row in (0, 3):
        one = data.rows([row])
        found = run(layer, one)
        assert_same_bits(
            found,
            {"y": whole["y"][[row], : one.x.shape[1]], "dx": whole["dx"][[row], : one.x.shape[1]]},
            f"sequence {row}",
        )
    cut = 231
    first, second = np.minimum(data.lengths, cut), np.maximum(data.lengths - cut, 0)
    y1, cache = layer.forward(data.x[:, :cut], first, data.state, training=False)
    y2, cache = layer.forward(data.x[:, cut:], second, cache.state, training=False)
    assert_same_bits({"y": np.concatenate([y1, y2], axis=1)}, {"y": whole["y"]}, "two pieces")


@pytest.mark.parametrize("name", ["ManyProducts", "ThreeStates", "ProductsOfLeaves", "NewState", "Delay", "ManyGates"])
def test_threads_that_share_the_units_of_one_sequence(name: str) -> None:
    """They meet after every stage, so none reads a vector that another has not written yet."""
    layer = maker(ZOO[name], 200, 20)("float32")
    data = Data.draw(layer, [120])
    with seqkit.threads(1):
        expected = run(layer, data)
    for count in (2, 3, 5):
        with seqkit.threads(count):
            for _ in range(3):
                assert_same_bits(run(layer, data), expected, f"{count} threads")


# ---- two directions --------------------------------------------------------------------------


def both(name: str, units: int = 18, **options: Any) -> Make:
    """A bidirectional layer; `units` of the backward direction may differ where the merge allows it."""
    merge = options.pop("merge_mode", "concat")
    backward = options.pop("backward", name)

    def make(dtype: str, **more: Any) -> Any:
        settings = {"return_sequences": True, **options, **more}
        other = units + 3 if merge in ("concat", None) else units
        layers = (seqkit.create(name, units, **settings), seqkit.create(backward, other, **settings))
        return fill(seqkit.Bidirectional(layers[0], merge, layers[1]).build(5, seed=0, dtype=dtype))

    return make


def two_directions() -> Iterator[tuple[str, Make]]:
    for name in registered():
        yield name, both(name)
    for merge in ("sum", "mul", "ave"):
        yield merge, both("gru", 5, merge_mode=merge)
    yield "two-cells", both("lstm", backward="gru", units=33)


BOTH = dict(two_directions())
OF_BOTH = (
    "check_gradients",
    "check_gradients_in_single_precision",
    "check_gradients_accumulate",
    "check_without_input_gradient",
    "check_nan_in_padding",
    "check_more_padding",
    "check_batch",
    "check_threads",
    "check_list",
    "check_layout",
    "check_inference",
    "check_calls_are_independent",
    "check_inputs_are_kept",
)


@pytest.mark.parametrize("check", OF_BOTH)
@pytest.mark.parametrize("subject", BOTH)
def test_bidirectional(subject: str, check: str) -> None:
    CHECKS[check](BOTH[subject])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("subject", BOTH)
def test_bidirectional_is_its_two_layers(subject: str, dtype: str) -> None:
    """Both halves are what each layer gives by itself; the backward one's outputs are turned
    around to the time of their input."""
    layer = BOTH[subject](dtype)
    data = Data.draw(layer)
    y, cache = layer.forward(data.x, data.lengths, data.state)
    count = len(layer.forward_layer.cell.states)
    one, cache1 = layer.forward_layer.forward(data.x, data.lengths, data.state[:count])
    two, cache2 = layer.backward_layer.forward(data.x, data.lengths, data.state[count:])
    two = turned(two, data.lengths)
    merged = {
        "concat": lambda: np.concatenate([one, two], axis=2),
        "sum": lambda: one + two,
        "mul": lambda: one * two,
        "ave": lambda: (one + two) / 2,
    }[layer.merge_mode]()
    assert_same_bits({"y": y}, {"y": merged}, "output")
    for n, (found, expected) in enumerate(zip(cache.state, cache1.state + cache2.state, strict=True)):
        assert_same_bits({"state": found}, {"state": expected}, f"final state {n}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bidirectional_gradients_are_those_of_its_two_layers(dtype: str) -> None:
    layer = BOTH["lstm"](dtype)
    data = Data.draw(layer)
    found = run(layer, data)
    dx = 0
    for n, (name, part) in enumerate([("forward", layer.forward_layer), ("backward", layer.backward_layer)]):
        part.zero_grads()
        dy = data.dy[..., :18] if n == 0 else turned(data.dy[..., 18:], data.lengths)
        part_dx, dinitial = part.backward(
            dy, part.forward(data.x, data.lengths, data.state[2 * n : 2 * n + 2])[1], data.dstate[2 * n : 2 * n + 2]
        )
        dx = dx + part_dx
        for i, gradient in enumerate(dinitial):
            assert_same_bits({"d": found[f"dinitial {2 * n + i}"]}, {"d": gradient}, f"initial state {i} of {name}")
        for key, gradient in part.grads.items():
            assert_same_bits({"d": found[f"grad {name}.{key}"]}, {"d": gradient}, f"{key} of {name}")
    assert_same_bits({"dx": found["dx"]}, {"dx": dx}, "dx")


def test_bidirectional_last_outputs() -> None:
    """Without return_sequences: each direction's output where it has read the whole sequence."""
    layer, last = BOTH["gru"]("float64"), BOTH["gru"]("float64", return_sequences=False)
    data = Data.draw(layer)
    y = layer(data.x, lengths=data.lengths)
    found = last(data.x, lengths=data.lengths)
    for row, n in enumerate(data.lengths):
        expected = np.concatenate([y[row, n - 1, :18], y[row, 0, 18:]]) if n else np.zeros(39)
        assert_same_bits({"y": found[row]}, {"y": expected}, f"sequence {row}")


def test_bidirectional_without_merge() -> None:
    """Two outputs, and a pair of upstream gradients."""
    layer, joined = both("gru", merge_mode=None)("float64"), BOTH["gru"]("float64")
    data = Data.draw(joined)
    y, cache = layer.forward(data.x, data.lengths, data.state)
    expected = run(joined, data)
    assert_same_bits({"y": np.concatenate(y, axis=2)}, {"y": expected["y"]}, "output")
    dx, dinitial = layer.backward((data.dy[..., :18], data.dy[..., 18:]), cache, data.dstate)
    assert_same_bits(
        {"dx": dx, "dinitial": dinitial[1]}, {"dx": expected["dx"], "dinitial": expected["dinitial 1"]}, "backward"
    )


# ---- number types ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "int8", "int64", "uint8", "bool", "float64", ">f4"])
def test_other_number_types_are_converted(dtype: str) -> None:
    layer = maker("lstm", 7, 2)("float32")
    x = np.random.default_rng(0).integers(0, 2, (3, 4, 2)).astype(dtype)
    expected = layer(x.astype("float32"))
    assert_same_bits({"y": layer(x)}, {"y": expected}, dtype)
    assert_close(layer(list(x)[:2])[1], expected[1], 0.0, f"list of {dtype}")


@pytest.mark.parametrize("shape", [(3, 0, 2), (0, 4, 2), (0, 0, 2)])
@pytest.mark.parametrize("name", registered())
def test_nothing_gives_nothing(name: str, shape: tuple[int, ...]) -> None:
    """No steps or no sequences: empty outputs, the initial state, no gradients."""
    for layer in (
        maker(name, 7, 2)("float32"),
        maker(name, 7, 2, return_sequences=False)("float32"),
        both(name)("float32"),
    ):
        features = layer.input_size
        layer.zero_grads()
        x = np.zeros((*shape[:2], features), "float32")
        y, cache = layer.forward(x, lengths=[0] * shape[0])
        assert y.shape == (
            (*shape[:2], layer.output_size) if layer.returns_sequences else (shape[0], layer.output_size)
        )
        assert not y.any()
        assert all(s.shape[0] == shape[0] and not s.any() for s in cache.state)
        dstate = tuple(np.ones_like(s) for s in cache.state)
        dx, dinitial = layer.backward(np.zeros_like(y), cache, dstate)
        assert dx.shape == x.shape
        assert all((d == 1).all() and d.shape == s.shape for d, s in zip(dinitial, dstate, strict=True))
        assert not any(grad.any() for grad in layer.grads.values())
