"""Compiled pointwise kernels: they run, give the interpreter's bits, and a wrong one is noticed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from checks.pointwise import layers, programs
from checks.subjects import registered

import seqkit
from seqkit import _core, registry
from seqkit.equations import Cell
from seqkit.equations.emit import kernel_file
from seqkit.recurrent import Recurrent

TESTS = Path(__file__).parent
CORE = TESTS.parent / "seqkit" / "_core"  # the sources: an installed package has none
INTERPRETED = os.environ.get("SEQKIT_POINTWISE") == "interpreted"


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TESTS), str(Path(seqkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path} | variables
    return subprocess.run(
        [sys.executable, "-P", *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


@cache
def found(isa: str, pointwise: str, *arguments: str) -> dict[str, Any]:
    """What `checks.pointwise` prints."""
    done = python("-m", "checks.pointwise", *arguments, SEQKIT_ISA=isa, SEQKIT_POINTWISE=pointwise)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["isa"] == isa
    return result


@pytest.mark.parametrize("isa", _core.supported_isas())
def test_compiled_kernels_give_the_bits_of_the_interpreter(isa: str) -> None:
    compiled, interpreted = found(isa, "compiled"), found(isa, "interpreted")
    assert compiled["compiled"] == [True]
    assert interpreted["compiled"] == [False]
    wrong = [name for name, digest in interpreted["digests"].items() if compiled["digests"][name] != digest]
    assert not wrong
    assert len(interpreted["digests"]) > 500
    assert "not finite" not in interpreted["digests"].values()


@pytest.mark.skipif(INTERPRETED, reason="SEQKIT_POINTWISE=interpreted")
@pytest.mark.parametrize("name", [name for name in registered() if name in registry.BUILT_IN])
def test_built_in_cells_run_compiled(name: str) -> None:
    """Nothing falls back to the interpreter unnoticed: no option that is a switch, no program."""
    for label, layer in layers([name]):
        assert all(None not in program.providers for program in programs(layer)), label
        for training in (False, True):
            assert layer.plan((3, 4, 7), training=training).pointwise == "compiled"
    assert seqkit.Bidirectional(seqkit.create(name, 3)).plan((3, 4, 7)).pointwise == "compiled"


def test_other_cells_are_interpreted() -> None:
    class Other(Cell):
        gates, states = ("n",), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            return {"h": 0.25 * (x.n + U.n @ s.h) + 0.5}

    assert Recurrent(Other, 3).plan((3, 4, 7)).pointwise == "interpreted"
    assert seqkit.LSTM(3, activation="softsign").plan((3, 4, 7)).pointwise == "interpreted"


def test_an_unknown_choice_is_refused() -> None:
    done = python("-c", "import seqkit; seqkit.isa", SEQKIT_POINTWISE="jit")
    assert done.returncode == 1
    assert (
        "BuildError: SEQKIT_POINTWISE='jit' is not known; use 'compiled' (the default) or 'interpreted'." in done.stderr
    )


@pytest.mark.parametrize("name", [name for name in registered() if name in registry.BUILT_IN])
def test_kernels_do_not_depend_on_size_and_type(name: str) -> None:
    """One kernel serves all layers of a cell."""
    texts = {
        tuple(
            kernel_file([program.tables])
            for program in programs(seqkit.create(name, units).build(features, dtype=dtype))
        )
        for units, features, dtype in [(1, 1, "float32"), (40, 3, "float64"), (130, 200, "float32")]
    }
    assert len(texts) == 1


# ---- mutants: the same kernels, compiled here with one piece of their text changed ----------------

# What is wrong: the cell, a piece of the text, what it becomes.
MUTANTS = {
    "another operation": ("gru", "FN(muladd)(", "FN(mulsub)("),
    "another constant": ("gru", "(REAL)0x1.0000000000000p+0", "(REAL)0x1.0000020000000p+0"),
    "operands in another order": (
        "gru",
        "FN(sub)(FN(splat)((REAL)0x1.0000000000000p+0), v3,",
        "FN(sub)(v3, v3 * 0 + 1,",
    ),
    "another column": ("lstm", "AT(column, 1)", "AT(column, 0)"),
    "new state for old": ("lstm", "AT(previous_1, 0)", "AT(next_1, 0)"),
    "a gradient at another's place": ("lstm", "AT(grad, -1) =", "AT(grad, -2) ="),
    "a state that is not stored": ("lstm", "AT(next_1, 0) =", "if (v) AT(next_1, 0) ="),
    "a row of the user that is not written": ("simple_rnn", "FN(store_units)(user,", "if (v) FN(store_units)(user,"),
    "rows of another panel": (
        "simple_rnn",
        "const vec v0 = FN(load_units)(user, v,",
        "const vec v0 = FN(load_units)(user, v + 1,",
    ),
    "first row only": ("simple_rnn", "r < block->rows", "r < 1"),
}


def compile_kernels(text: str, folder: Path) -> str:
    """An extension with these kernels, for the baseline instruction set alone."""
    build = pytest.importorskip("seqkit.build")
    if not CORE.exists() or shutil.which("gcc") is None:
        pytest.skip("the sources of the kernels or a compiler are missing")
    (folder / "mutant.inc.c").write_text(text)
    library = folder / "compiled.so"
    sources = [str(CORE / "compiled.c"), str(CORE / "kernels_base.c")]
    macros = [
        "-DSK_INIT=PyInit_compiled",
        '-DSK_PACKAGE="mutant"',
        '-DSK_BUILT_AGAINST="none"',
        '-DSK_BODY="mutant.inc.c"',
    ]
    options = [f"-I{CORE}", f"-I{folder}", f"-I{sysconfig.get_path('include')}", *macros]
    command = ["gcc", "-shared", "-fPIC", *build.FLAGS, "-O1", *options, *sources, "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(library)


def source_of(name: str) -> str:
    return kernel_file(program.tables for _, layer in layers([name]) for program in programs(layer))


def differs(name: str, library: str) -> bool:
    compiled = found("base", "compiled", name, library)
    assert compiled["compiled"] == [True]
    expected = found("base", "interpreted", name)["digests"]
    return bool(compiled["digests"] != expected)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in MUTANTS.values()}))
def test_kernels_compiled_here_are_right(name: str, tmp_path: Path) -> None:
    assert not differs(name, compile_kernels(source_of(name), tmp_path))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_noticed(mutant: str, tmp_path: Path) -> None:
    name, before, after = MUTANTS[mutant]
    text = source_of(name)
    assert before in text
    assert differs(name, compile_kernels(text.replace(before, after), tmp_path))
