"""Every check on every registered cell, on cells made for the tests, and on random ones."""

from __future__ import annotations

import numpy as np
import pytest
from checks import CHECKS
from checks.papers import PAPERS
from checks.philox import factors
from checks.subjects import DROPPED, SUBJECTS, VARIANTS, maker, random_cells, registered, repeatable

from seqkit import registry
from seqkit.equations import ACTIVATIONS, Cell, run_reference
from seqkit.errors import EquationError
from seqkit.masks import INPUT, RECURRENT
from seqkit.testing.data import Data, assert_close

# Options and dropout change equations, not how rows, threads and memory are handled.
OF_EQUATIONS = (
    "check_reference",
    "check_paper",
    "check_gradients",
    "check_gradients_in_single_precision",
    "check_nan_in_padding",
    "check_steps",
    "check_trace",
)
WITH_DROPOUT = (
    "check_gradients",
    "check_gradients_in_single_precision",
    "check_gradients_accumulate",
    "check_without_input_gradient",
    "check_nan_in_padding",
    "check_more_padding",
    "check_threads",
    "check_layout",
    "check_inputs_are_kept",
)
OF_RANDOM_CELLS = (
    "check_reference",
    "check_gradients",
    "check_nan_in_padding",
    "check_split_in_time",
    "check_calls_are_independent",
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_cell(subject: str, check: str) -> None:
    CHECKS[check](SUBJECTS[subject])


@pytest.mark.parametrize("check", OF_EQUATIONS)
@pytest.mark.parametrize("subject", VARIANTS)
def test_variant(subject: str, check: str) -> None:
    CHECKS[check](VARIANTS[subject])


@pytest.mark.parametrize("check", WITH_DROPOUT)
@pytest.mark.parametrize("subject", DROPPED)
def test_dropout(subject: str, check: str) -> None:
    CHECKS[check](DROPPED[subject])


def check_random_cells(seeds: range) -> None:
    ran = 0
    for name, make in random_cells(seeds):
        try:
            make("float64").forward(np.zeros((1, 1, make("float64").input_size)))
        except EquationError as error:
            if "than the engine's" not in str(error):
                raise
            continue
        for check in OF_RANDOM_CELLS:
            try:
                CHECKS[check](make)
            except AssertionError as error:
                raise AssertionError(f"{name}, {check}: {error}") from error
        ran += 1
    assert ran > 0.8 * len(seeds)


@pytest.mark.parametrize("tens", range(4))
def test_random_cells(tens: int) -> None:
    check_random_cells(range(10 * tens, 10 * tens + 10))


@pytest.mark.slow
@pytest.mark.parametrize("hundreds", range(1, 6))
def test_many_random_cells(hundreds: int) -> None:
    check_random_cells(range(100 * hundreds, 100 * hundreds + 100))


def test_every_built_in_cell_is_a_subject_and_has_its_paper() -> None:
    built_in = {name for name in registry.BUILT_IN if name in registered()}
    assert built_in == set(PAPERS)
    assert all(any(subject.startswith(f"{name}-") for subject in SUBJECTS) for name in built_in)


def test_every_activation_is_a_variant() -> None:
    assert set(ACTIVATIONS) - {"tanh"} == {name.split("-")[1] for name in VARIANTS if name.startswith("activation-")}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_dropout_is_of_whole_columns_of_the_weights(cell: str) -> None:
    """With the same input features and state units dropped at every step, a sequence is that of
    a layer whose weights have lost these columns."""
    layer = repeatable(maker(cell, 6, 4, dropout=0.4, recurrent_dropout=0.3))("float64")
    data = Data.draw(layer)
    y, _ = layer.forward(data.x, data.lengths, data.state, training=True)
    recurrent = factors(5, RECURRENT, 0.3, range(6), [0], 6)[:, 0]
    inputs = factors(5, INPUT, 0.4, range(6), [0], 4)[:, 0]
    for row in range(6):
        thinned = dict(layer.params) | {
            "weight_ih": layer.params["weight_ih"] * inputs[row],
            "weight_hh": layer.params["weight_hh"] * recurrent[row],
        }
        one = data.rows([row])
        expected, _ = run_reference(layer.cell, thinned, one.x, one.lengths, one.state)
        assert_close(y[row : row + 1, : one.x.shape[1]], expected, 1e-12, f"sequence {row}")
    plain, _ = layer.forward(data.x, data.lengths, data.state, training=False)
    expected, _ = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state)
    assert_close(plain, expected, 1e-12, "no dropout outside of training")


def test_reference_takes_cells_with_rows_and_matrices() -> None:
    """The reference itself, on a cell small enough to be worked out by hand."""

    class Counter(Cell):
        gates, states = ("n",), ("h", "before")

        def step(self, x, U, s, p):  # type: ignore[no-untyped-def]
            return {"h": x.n + U.n @ s.h, "before": s.h}

    params = {"weight_ih": np.array([[1.0]]), "weight_hh": np.array([[2.0]]), "bias": np.array([0.5])}
    x = np.array([[[1.0], [2.0]], [[3.0], [9.0]]])
    y, (h, before) = run_reference(Counter(), params, x, np.array([2, 1]), (np.array([[1.0], [0.0]]), np.zeros((2, 1))))
    assert y[..., 0].tolist() == [[3.5, 9.5], [3.5, 0.0]]
    assert h.ravel().tolist() == [9.5, 3.5]
    assert before.ravel().tolist() == [3.5, 0.0]
