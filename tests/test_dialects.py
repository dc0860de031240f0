"""The table of dialects: every row is proven, and so is the proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import pytest
from dialect_mutants import MUTANTS
from dialect_proof import prove
from dialect_table import PAGE, page_with, tables
from foreign_cases import answer, assert_same
from mutation import changed
from test_references import MODULES, TOLERANCE, frozen

import seqkit
from seqkit.errors import ConvertError, SeqkitError, ShapeError
from seqkit.interop import dialects
from seqkit.interop.dialects import DIALECTS, find
from seqkit.interop.reference import scan


def test_every_row() -> None:
    prove(dialects)


def test_rows_are_named_once_and_cover_the_formats() -> None:
    names = [(row.format, row.kind) for row in DIALECTS]
    assert len(names) == len(set(names)) == 12
    assert {format for format, _ in names} == {"torch", "keras", "onnx", "rtneural"}


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text()
    assert page == page_with(tables(), page), "run python tests/dialect_table.py"


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 40
    assert len({(module, before, after) for module, before, after in MUTANTS.values()}) == len(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name: str) -> None:
    module, before, after = MUTANTS[name]
    for find_it in searches(module, before, after):
        with np.errstate(all="ignore"), pytest.raises((AssertionError, SeqkitError, ValueError)):
            find_it()


def searches(module: str, before: str, after: str) -> list[Callable[[], None]]:
    """What must find the mutant of a module, each by itself."""
    if module == "dialects":
        return [partial(prove, changed(dialects, before, after))]
    if module == "scan":
        scanning = changed(scan, before, after)
        users = {library: changed(MODULES[library], "", "") for library in ("onnx", "torch")}
        for copy in users.values():
            copy.scan = scanning.scan
        return [partial(compare, library, copy) for library, copy in users.items()]
    return [partial(compare, module, changed(MODULES[module], before, after))]


def compare(library: str, module: ModuleType) -> None:
    """A reference against what the library answered."""
    for case, expected in frozen(library).values():
        assert_same(answer(case, module), expected, TOLERANCE[library])


@pytest.mark.parametrize("kind", ["lstm", "peephole"])
def test_a_cell_without_the_forget_gate(kind: str) -> None:
    """Weights of a gate that the cell has not are dropped, and written as 0."""
    rng, gates, row = np.random.default_rng(0), ("i", "g", "o"), find("onnx", kind)
    params = {"weight_ih": (6, 3), "weight_hh": (6, 2), "bias": (6,)} | ({"weight_ch": (2, 2)} if row.peepholes else {})
    own = {name: rng.standard_normal(shape) for name, shape in params.items()}
    written = row.write(own, gates=gates)
    for name in ("kernel", "recurrent", "bias"):
        assert not np.split(written[name], 4)[2].any()
    for name, array in row.read(**written, gates=gates).items():
        np.testing.assert_array_equal(array, own[name])
    whole = row.read(**written)
    assert set(whole["weight_ih"][2:4].ravel()) == {0.0}


def test_weight_of_peepholes_is_in_the_order_of_the_cell() -> None:
    rows = seqkit.create("peephole", 1).cell.parameters()["weight_ch"].rows
    peepholes = np.array([[1.0], [2.0], [3.0]])  # i, o, f
    read = find("onnx", "peephole").read(np.ones((4, 1)), np.ones((4, 1)), peepholes=peepholes)
    assert dict(zip(rows, read["weight_ch"][:, 0], strict=True)) == {"i": 1.0, "f": 3.0, "o": 2.0}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("kernel", (18, 3)),
        ("kernel", (20,)),
        ("kernel", (0, 3)),
        ("recurrent", (16, 5)),
        ("recurrent", (20, 5, 1)),
        ("bias", (21,)),
        ("recurrent_bias", (1, 20)),
        ("peepholes", (5, 3)),
        ("peepholes", (12,)),
    ],
)
def test_arrays_that_do_not_belong_together(name: str, shape: tuple[int, ...]) -> None:
    arrays = {"kernel": (20, 3), "recurrent": (20, 5), "bias": (20,), "recurrent_bias": (20,), "peepholes": (15,)}
    with pytest.raises(ShapeError, match=f"onnx peephole: {name} has shape"):
        find("onnx", "peephole").read(**{key: np.ones(size) for key, size in (arrays | {name: shape}).items()})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_are_kept_and_nothing_is_shared(dtype: str) -> None:
    sizes = {"kernel": (15, 2), "recurrent": (15, 5), "bias": (15,), "recurrent_bias": (15,)}
    arrays = {name: np.ones(size, dtype) for name, size in sizes.items()}
    for results in (read := find("torch", "gru").read(**arrays)), find("torch", "gru").write(read):
        for result in results.values():
            assert result.dtype == dtype
            assert not any(np.shares_memory(result, array) for array in arrays.values())


def test_infinite_biases_are_read_without_a_warning() -> None:
    one = np.ones((1, 1), np.float32)
    biases = np.array([np.inf], np.float32), np.array([-np.inf], np.float32)
    assert np.isnan(find("torch", "simple_rnn").read(one, one, *biases)["bias"]).all()


def test_peepholes_where_there_are_none() -> None:
    with pytest.raises(ShapeError, match="peepholes"):
        find("torch", "lstm").read(np.ones((4, 1)), np.ones((4, 1)), peepholes=np.ones(3))


@pytest.mark.parametrize("format", ["torch", "rtneural"])
def test_a_reset_that_the_format_has_not(format: str) -> None:
    params = dict(seqkit.GRU(2, reset_after=False).build(3, seed=0).params)
    with pytest.raises(ConvertError, match=f"{format} gru: reset_after=False cannot be represented"):
        find(format, "gru").write(params, reset_after=False)


def test_a_cell_that_the_format_has_not() -> None:
    with pytest.raises(ConvertError, match="keras: there is no layer for 'peephole', only for lstm, gru, simple_rnn"):
        find("keras", "peephole")
    with pytest.raises(ConvertError, match=r"caffe: .* only for no cell at all"):
        find("caffe", "lstm")
