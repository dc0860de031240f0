"""The float64 references of other libraries compute what the libraries compute, over all their options.

The same kinds of random layers are asked live, where the libraries are installed, and kept in
``tests/vectors/foreign`` for where they are not.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from foreign_cases import Frozen, answer, assert_same, load
from vectors.foreign_peers import ASK, KINDS, TOLERANCE
from vectors.make_foreign import COUNT

MODULES = {library: import_module(f"seqkit.interop.reference.{library}") for library in KINDS}
VECTORS = Path(__file__).parent / "vectors" / "foreign"
SEEDS = {"torch": 20, "keras": 5, "onnx": 20}


@cache
def frozen(library: str) -> Frozen:
    return load(VECTORS / f"{library}.npz")


@pytest.mark.parametrize("library", KINDS)
def test_frozen(library: str) -> None:
    for name, (case, expected) in frozen(library).items():
        got = answer(case, MODULES[library])
        try:
            assert_same(got, expected, TOLERANCE[library])
        except AssertionError as error:
            raise AssertionError(f"{library} {name}: {case.function}, {case.options}") from error


def test_no_fewer_cases_are_frozen_than_are_drawn() -> None:
    assert COUNT == sum(len(frozen(library)) for library in KINDS) == 152


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, for what Keras does with it
@pytest.mark.parametrize(("library", "kind"), [(library, kind) for library, kinds in KINDS.items() for kind in kinds])
def test_live(library: str, kind: str) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(library, library))
    for seed in range(SEEDS[library]):
        case = KINDS[library][kind](np.random.default_rng(seed))
        assert_same(answer(case, MODULES[library]), ASK[library](case), TOLERANCE[library])


@pytest.mark.peers
def test_functions_of_keras() -> None:
    keras = pytest.importorskip("keras")
    x = np.linspace(-8, 8, 101)
    for name, function in MODULES["keras"].FUNCTIONS.items():
        expected = keras.activations.get(name)(keras.ops.convert_to_tensor(x)).cpu().numpy()
        np.testing.assert_allclose(function(x), expected, rtol=1e-6, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", ["lstm-forward-0", "gru-reverse-1", "rnn-bidirectional-2"])
def test_onnx_layout(name: str) -> None:
    """Layout 1, which ONNX Runtime lacks, is layout 0 with other axes."""
    case, (expected, *finals) = frozen("onnx")[name]
    turned = {
        key: array.swapaxes(0, 1) if key in ("X", "initial_h", "initial_c") else array
        for key, array in case.arrays.items()
    }
    y, *states = getattr(MODULES["onnx"], case.function)(**turned, **case.options, layout=1)
    assert_same([y.transpose(1, 2, 0, 3), *(state.swapaxes(0, 1) for state in states)], [expected, *finals], 2e-6)


def test_onnx_length_of_zero() -> None:
    """A sequence without steps ends in its initial state, all of its outputs are 0."""
    case, _ = frozen("onnx")["lstm-bidirectional-0"]
    size = case.arrays["X"].shape[1]
    states = {name: np.ones((2, size, case.arrays["R"].shape[2])) for name in ("initial_h", "initial_c")}
    lengths = np.array([0] + [1] * (size - 1))
    y, h, c = MODULES["onnx"].lstm(**case.arrays | states | {"sequence_lens": lengths}, **case.options)
    assert not y[:, :, 0].any()
    assert np.array_equal(h[:, 0], states["initial_h"][:, 0])
    assert np.array_equal(c[:, 0], states["initial_c"][:, 0])
