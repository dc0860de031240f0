"""The proof that two models are one: what is wrong on purpose is found, what is right passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import CheckError
from seqkit.interop.imported import Arrays, Imported, Oracle
from seqkit.interop.layered import drawer, runner
from seqkit.interop.proof import prove

Run = Callable[[Arrays], dict[str, np.ndarray]]


def imported(ours: Run, theirs: Run, draw: Any = None, peer: Any = None) -> Imported:
    def numbers(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"x": rng.standard_normal((2, 3), dtype=np.float32)}

    return Imported(None, "test", ours, draw or numbers, lambda: Oracle("reference", theirs), peer or (lambda: None))


def thrice(inputs: Arrays) -> dict[str, np.ndarray]:
    return {"y": inputs["x"] * np.float32(3), "n": np.arange(3)}


def changed(change: Callable[[dict[str, np.ndarray]], Any]) -> Run:
    """The right outputs after a change in float64."""

    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        outputs = {"y": inputs["x"].astype(np.float64) * 3, "n": np.arange(3)}
        change(outputs)
        return outputs

    return run


def put(name: str, value: Any) -> Callable[[dict[str, np.ndarray]], Any]:
    return lambda outputs: outputs.update({name: value(outputs[name])})


def with_one(array: np.ndarray, number: float) -> np.ndarray:
    changed = array.copy()
    changed.flat[0] = number
    return changed


def test_figures_are_the_largest_ones() -> None:
    proof = prove(imported(thrice, changed(put("y", lambda y: with_one(y, y.flat[0] + 0.25)))), cases=5)
    (n, y) = proof.differences
    assert (n.output, n.absolute, n.error, n.tolerance) == ("n", 0, 0, 0)
    assert y.absolute == pytest.approx(0.25, rel=1e-5)
    assert 0 < y.error < 0.25  # one of the inputs has a number above 1
    assert (y.tolerance, proof.holds, proof.cases, proof.oracle) == (1e-5, False, 5, "reference")
    with pytest.raises(CheckError, match=r"a\.pt: not the same model: output 'y' differs from that of reference by 0"):
        proof.require("a.pt")


@pytest.mark.parametrize(
    "change",
    [
        put("y", lambda y: y + 1e-4),
        put("y", lambda y: with_one(y, np.nan)),
        put("y", lambda y: with_one(y, np.inf)),
        put("y", lambda y: y[:, ::-1]),
        put("y", lambda y: y[None]),
        put("y", lambda y: y[:1]),
        put("n", lambda n: n + 1),
        put("n", lambda n: n.astype(bool)),
        lambda outputs: outputs.pop("y"),
        lambda outputs: outputs.update({"z": np.zeros(1)}),
    ],
)
def test_what_is_wrong_is_found(change: Any) -> None:
    proof = prove(imported(thrice, changed(change)))
    assert not proof.holds
    with pytest.raises(CheckError):
        proof.require("it")


def test_nan_is_equal_to_nan() -> None:
    def holes(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": np.where(inputs["x"] > 0, np.nan, np.where(inputs["x"] < -1, np.inf, 2))}

    assert prove(imported(holes, holes)).holds
    assert not prove(imported(holes, lambda inputs: {"y": -holes(inputs)["y"]})).holds


def test_tolerance_follows_the_less_precise_side() -> None:
    off = changed(put("y", lambda y: y + 1e-7))
    assert prove(imported(thrice, off)).holds
    assert not prove(imported(changed(lambda outputs: None), off)).holds
    assert prove(imported(changed(lambda outputs: None), off), tolerance=1e-6).holds


def test_large_numbers_are_compared_by_their_size() -> None:
    def huge(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": inputs["x"] * np.float32(1e6)}

    proof = prove(imported(huge, lambda inputs: {"y": inputs["x"].astype(np.float64) * 1e6}))
    assert proof.differences[0].absolute > 1e-5
    assert proof.holds


def test_small_numbers_are_compared_as_they_are() -> None:
    def tiny(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": inputs["x"] * np.float32(1e-6)}

    proof = prove(imported(tiny, lambda inputs: {"y": tiny(inputs)["y"] * 1.5}))
    assert proof.holds
    assert proof.differences[0].error == proof.differences[0].absolute > 1e-7


def test_the_other_library_is_asked_first() -> None:
    wrong = changed(put("y", np.negative))

    def broken(inputs: Arrays) -> dict[str, np.ndarray]:
        raise OSError("no such operator")

    assert prove(imported(thrice, wrong, peer=lambda: Oracle("library", thrice))).holds
    proof = prove(imported(thrice, thrice, peer=lambda: Oracle("library", broken)))
    assert (proof.oracle, proof.holds) == ("reference", True)
    assert proof.remark == "library cannot run it: OSError: no such operator"
    with pytest.raises(CheckError, match="reference cannot run it: ValueError: no"):
        prove(imported(thrice, lambda inputs: (_ for _ in ()).throw(ValueError("no"))))


def test_inputs_differ_from_call_to_call_and_with_the_seed() -> None:
    seen: list[np.ndarray] = []

    def watched(inputs: Arrays) -> dict[str, np.ndarray]:
        seen.append(inputs["x"])
        return thrice(inputs)

    for seed in (0, 1, 0):
        prove(imported(watched, thrice), cases=3, seed=seed)
    assert len({array.tobytes() for array in seen}) == 6


class TestLayers:
    """Models of layers, on inputs drawn for them."""

    @pytest.mark.parametrize("ragged", [True, False])
    def test_ids(self, ragged: bool) -> None:
        model = seqkit.Sequential([seqkit.Embedding(7, 3), seqkit.GRU(4)], seed=0)
        rng = np.random.default_rng(0)
        drawn = [drawer(model, ragged)(rng) for _ in range(50)]
        assert {int(i) for inputs in drawn for i in inputs["x"].flat} == set(range(7))
        assert all(("lengths" in inputs) == ragged for inputs in drawn)

    def test_what_is_past_the_end_is_not_compared_and_what_is_inside_is(self) -> None:
        model = seqkit.Sequential([seqkit.LSTM(4, return_sequences=True, input_shape=(None, 2)), seqkit.Dense(3)], 0)

        def with_padding(inputs: Arrays) -> dict[str, np.ndarray]:
            y = runner(model)(inputs)["y"]
            past = np.arange(y.shape[1]) >= inputs["lengths"][:, None]
            return {"y": np.where(past[..., None], 9.0, y)}

        def without_lengths(inputs: Arrays) -> dict[str, np.ndarray]:
            return runner(model)({"x": inputs["x"][:, ::-1]})

        assert prove(imported(runner(model), with_padding, drawer(model))).error == 0
        assert not prove(imported(runner(model), without_lengths, drawer(model))).holds

    def test_lengths_reach_the_model(self) -> None:
        model = seqkit.Sequential([seqkit.LSTM(4, input_shape=(None, 2))], 0)
        assert not prove(imported(runner(model), lambda inputs: runner(model)({"x": inputs["x"]}), drawer(model))).holds

    def test_states_are_not_carried_from_one_input_to_the_next(self) -> None:
        layers = [seqkit.LSTM(4, return_sequences=True, stateful=True, input_shape=(None, 2)), seqkit.GRU(3)]
        model = seqkit.Sequential(layers, 0)
        fresh = seqkit.Sequential(
            [seqkit.LSTM(4, return_sequences=True, input_shape=(None, 2)), seqkit.GRU(3)],
        )
        for name in model.params:
            fresh.params[name] = model.params[name]
        x = np.random.default_rng(0).normal(size=(3, 5, 2))
        model.predict(x, batch_size=3)
        assert prove(imported(runner(model), runner(fresh), drawer(model))).error == 0
        np.testing.assert_array_equal(model.predict(x, batch_size=3), fresh.predict(x))
