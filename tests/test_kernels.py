"""The compiled kernels: elementary functions, comparisons and products.

Errors are counted in units in the last place (ulp) of the exact result, against NumPy's long
double (64 bits of mantissa).  Subnormal numbers count as 0, on the way in and on the way out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core, equations
from seqkit.equations import Cell, relu, sigmoid, softplus, tanh
from seqkit.errors import BuildError
from seqkit.recurrent import Recurrent

DTYPES = ("float32", "float64")
Long = np.longdouble


def apply(function: Callable[..., Any], values: Any, dtype: str) -> np.ndarray:
    """A function of the kernels on numbers: the output of a cell without memory, one number a step."""

    class Pointwise(Cell):
        gates, states = ("n",), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            return {"h": function(x.n)}

    layer = Recurrent(Pointwise, 1, use_bias=False, return_sequences=True).build(1, seed=0, dtype=dtype)
    layer.params["weight_ih"] = [[1.0]]
    return layer.forward(np.asarray(values, dtype).reshape(1, -1, 1), training=False)[0].ravel()


def spread(low: float, high: float, dtype: str, count: int = 60_000) -> np.ndarray:
    """Numbers between two bounds, half of them with every exponent alike."""
    rng = np.random.default_rng(0)
    smallest = np.log(float(np.finfo(dtype).tiny))
    near_zero = np.exp(rng.uniform(smallest + 1, np.log(high), count))
    signs = rng.choice([-1.0, 1.0] if low < 0 else [1.0], count)
    return np.concatenate([rng.uniform(low, high, count), near_zero * signs, [low, high]]).astype(dtype)


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in ulp; where the exact result is below twice the smallest normal number, 0 is right too."""
    tiny = np.finfo(found.dtype).tiny
    unit = np.spacing(np.maximum(np.abs(exact).astype(found.dtype), tiny)).astype(Long)
    error = np.abs(found.astype(Long) - exact) / unit
    return np.where((np.abs(exact) < 2 * tiny) & (found == 0), 0, error)


def exact_softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


EXP_RANGE = {"float32": (-87.3, 88.7), "float64": (-708.3, 709.7)}
# Function, exact function, range by type (None: that of exp), greatest error in ulp.
FUNCTIONS: dict[str, tuple[Any, Callable[[np.ndarray], np.ndarray], Any, float]] = {
    "exp": (equations.exp, np.exp, None, 3.0),
    "sigmoid": (sigmoid, lambda x: 1 / (1 + np.exp(-x)), None, 3.0),
    "tanh": (tanh, np.tanh, (-50.0, 50.0), 3.0),
    "softplus": (softplus, exact_softplus, None, 5.0),
    "log": (equations.log, np.log, (0.0, 1e30), 3.0),
    "sqrt": (equations.sqrt, np.sqrt, (0.0, 1e30), 0.5),
    "floor": (equations.floor, np.floor, (-1e4, 1e4), 0.0),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_within_its_bound(name: str, dtype: str) -> None:
    function, exact, limits, bound = FUNCTIONS[name]
    x = spread(*(limits or EXP_RANGE[dtype]), dtype)
    if name == "log":  # close to 1 the result is close to 0
        x = np.concatenate([x[x > 0], 1 + x[np.abs(x) < 0.5], 1 - x[np.abs(x) < 0.5]])
    with np.errstate(all="ignore"):
        error = ulps(apply(function, x, dtype), exact(x.astype(Long)))
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is {float(error[worst]):.2f} ulp off"


# Results at the ends, the same in both types: at 0, +-inf, NaN, the largest and the subnormal numbers.
SPECIAL = {
    "exp": {0.0: 1.0, "inf": np.inf, "-inf": 0.0, "max": np.inf, "-max": 0.0, "subnormal": 1.0, 1e4: np.inf, -1e4: 0.0},
    "sigmoid": {0.0: 0.5, "inf": 1.0, "-inf": 0.0, "max": 1.0, "-max": 0.0, "subnormal": 0.5, 1e4: 1.0, -1e4: 0.0},
    "tanh": {0.0: 0.0, "inf": 1.0, "-inf": -1.0, "max": 1.0, "-max": -1.0, "subnormal": 0.0, 1e4: 1.0, -1e4: -1.0},
    "softplus": {"inf": np.inf, "-inf": 0.0, "max": "max", "-max": 0.0, 1e4: 1e4, -1e4: 0.0},
    "log": {0.0: -np.inf, "inf": np.inf, "-inf": np.nan, -1.0: np.nan, "subnormal": -np.inf, 1.0: 0.0},
    "sqrt": {0.0: 0.0, "inf": np.inf, "-inf": np.nan, -1.0: np.nan, "subnormal": 0.0, 4.0: 2.0},
    "floor": {0.0: 0.0, "inf": np.inf, "-inf": -np.inf, "max": "max", "-max": "-max", -1.0: -1.0, -0.5: -1.0, 2.5: 2.0},
    "relu": {0.0: 0.0, "inf": np.inf, "-inf": 0.0, "max": "max", "-max": 0.0, -1.0: 0.0},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_function_at_the_ends(name: str, dtype: str) -> None:
    limits = np.finfo(dtype)
    named = {"inf": np.inf, "-inf": -np.inf, "max": limits.max, "-max": -limits.max, "subnormal": limits.tiny / 4}
    function = relu if name == "relu" else FUNCTIONS[name][0]
    points = {named.get(x, x): named.get(y, y) for x, y in SPECIAL[name].items()} | {np.nan: np.nan}  # type: ignore[call-overload]
    np.testing.assert_array_equal(apply(function, list(points), dtype), np.array(list(points.values()), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [sigmoid, tanh], ids=["sigmoid", "tanh"])
def test_saturation_is_exact_and_never_overshoots(function: Callable[..., Any], dtype: str) -> None:
    x = np.concatenate([np.linspace(-1000, 1000, 4001), np.geomspace(1, 1e30, 500), -np.geomspace(1, 1e30, 500)])
    y = apply(function, x, dtype)
    low = 0.0 if function is sigmoid else -1.0
    assert y.min() == low
    assert y.max() == 1.0
    assert (y[x > 60] == 1.0).all()
    assert (y[x < -800] == low).all()
    sample = np.sort(np.concatenate([x, np.random.default_rng(0).normal(size=5000) * 5]))
    slack = 4 * np.finfo(dtype).eps  # neighbouring results may cross by their errors, no more
    assert (np.diff(apply(function, sample, dtype).astype(float)) >= -slack).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_signs_and_odd_symmetry_of_tanh(dtype: str) -> None:
    x = spread(0.0, 30.0, dtype)
    np.testing.assert_array_equal(apply(tanh, -x, dtype), -apply(tanh, x, dtype))


CHOICES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "abs": (abs, np.abs),
    "relu": (relu, lambda x: np.maximum(x, 0)),
    "maximum": (lambda x: equations.maximum(x, 0.5), lambda x: np.maximum(x, 0.5)),
    "maximum of a number": (lambda x: equations.maximum(0.5, x), lambda x: np.maximum(0.5, x)),
    "minimum of a symbol": (lambda x: equations.minimum(x, -0.5), lambda x: np.minimum(x, -0.5)),
    "minimum": (lambda x: equations.minimum(-0.5, x), lambda x: np.minimum(-0.5, x)),
    "clip": (lambda x: equations.clip(x, -1, 0.25), lambda x: np.clip(x, -1, 0.25)),
    "greater": (lambda x: equations.where(x > 0.5, x, -2.0), lambda x: np.where(x > 0.5, x, -2.0)),
    "greater or equal": (lambda x: equations.where(x >= 0.5, x, -2.0), lambda x: np.where(x >= 0.5, x, -2.0)),
    "less": (lambda x: equations.where(x < 0.5, x, -2.0), lambda x: np.where(x < 0.5, x, -2.0)),
    "less or equal": (lambda x: equations.where(-x >= 0.5, x, -2.0), lambda x: np.where(-x >= 0.5, x, -2.0)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_exact(name: str, dtype: str) -> None:
    """Comparisons and what is chosen by them: NumPy's bits, NaN and infinities included."""
    function, expected = CHOICES[name]
    x = np.array(
        [-np.inf, -3.5, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, np.nextafter(np.float32(0.5), 1), 1.0, 7.0, np.inf, np.nan],
        dtype,
    )
    np.testing.assert_array_equal(apply(function, x, dtype), expected(x).astype(dtype))


# ---- products ------------------------------------------------------------------------------------


def exact_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The product in long double, and the sum of the sizes of its terms."""
    a, b = a.astype(Long), b.astype(Long)
    product = np.array([(row[:, None] * b).sum(axis=0) for row in a])
    return product, np.array([np.abs(row[:, None] * b).sum(axis=0) for row in a])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (7, 1, 65), (1, 300, 17), (25, 64, 33), (50, 129, 70)])
def test_matmul(shape: tuple[int, int, int], dtype: str) -> None:
    """The error of a sum of k products is at most k times half an ulp of its terms' sizes."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    found = _core.matmul(a, b)
    exact, size = exact_product(a, b)
    assert found.dtype == a.dtype
    assert found.flags.c_contiguous
    assert (np.abs(found - exact) <= k * np.finfo(dtype).eps * size).all()


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)])
def test_matmul_of_nothing(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    found = _core.matmul(np.ones((m, k)), np.ones((k, n)))
    assert found.shape == (m, n)
    assert not found.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_bits_depend_on_row_and_column_alone(dtype: str) -> None:
    """Any part of either matrix, in any layout of memory, gives the same bits; so does any number of threads."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(150, 130)).astype(dtype), rng.normal(size=(130, 110)).astype(dtype)
    with _core.threads(1):
        whole = _core.matmul(a, b)
    for count in (2, 3, 5):
        with _core.threads(count):
            np.testing.assert_array_equal(_core.matmul(a, b), whole)
    for rows in (slice(0, 1), slice(7, 8), slice(3, 17), slice(2, 150, 7), slice(None, None, -1)):
        np.testing.assert_array_equal(_core.matmul(a[rows], b), whole[rows])
    for columns in (slice(0, 1), slice(16, 33), slice(109, 110), slice(1, 110, 9), slice(None, None, -1)):
        np.testing.assert_array_equal(_core.matmul(a, b[:, columns]), whole[:, columns])
    shifted = np.zeros(a.nbytes + 1, np.uint8)[1:].view(dtype).reshape(a.shape)
    shifted[:] = a
    apart = np.repeat(a, 2, axis=1)[:, ::2]
    for same in (np.asfortranarray(a), shifted, apart, np.repeat(a, 3, axis=0)[::3]):
        np.testing.assert_array_equal(_core.matmul(same, b), whole)
        np.testing.assert_array_equal(_core.matmul(same, np.asfortranarray(b)), whole)
    np.testing.assert_array_equal(_core.matmul(np.broadcast_to(a[5], (4, 130)), b), np.broadcast_to(whole[5], (4, 110)))
    product = _core.matmul(a.T, a)
    np.testing.assert_array_equal(product, product.T)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((2, 3)), np.ones((2, 3))),
        (np.ones(3), np.ones((3, 2))),
        (np.ones((2, 3)), np.ones((3, 2), np.float32)),
        (np.ones((2, 3), int), np.ones((3, 2), int)),
        (np.ones((2, 3), complex), np.ones((3, 2), complex)),
        (np.ones((2, 3), ">f8"), np.ones((3, 2), ">f8")),
    ],
)
def test_matmul_refuses(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises((ValueError, BuildError), match=r"cannot multiply|no kernels"):
        _core.matmul(a, b)


def test_matmul_lets_nan_and_infinity_through() -> None:
    a = np.array([[1.0, np.nan], [np.inf, 0.0], [1.0, 2.0]])
    found = _core.matmul(a, np.array([[1.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [np.inf, np.nan], [3.0, 2.0]])


# ---- instruction sets --------------------------------------------------------------------------

TESTS = Path(__file__).parent


def run_with(isa: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TESTS), str(Path(seqkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"SEQKIT_ISA": isa, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-P", *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("isa", _core.supported_isas())
def test_every_instruction_set(isa: str) -> None:
    """The kernels that are not the best ones of this processor pass the checks too."""
    found = run_with(isa, "-m", "checks")
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[0] == f"instruction set {isa}"


@pytest.mark.parametrize("isa", [isa for isa in _core.supported_isas() if isa != _core.isa])
def test_these_tests_with_every_instruction_set(isa: str) -> None:
    selected = "function or saturation or choices or (matmul and not refuses)"
    found = run_with(isa, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", selected, __file__)
    assert found.returncode == 0, found.stdout + found.stderr


def test_an_instruction_set_that_is_not_there() -> None:
    found = run_with("abacus", "-c", "import seqkit; seqkit.isa")
    assert found.returncode == 1
    assert "BuildError: SEQKIT_ISA='abacus' cannot be used on this processor; it has" in found.stderr
