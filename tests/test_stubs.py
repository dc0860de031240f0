"""Types for those who use seqkit: stubs of what a checker cannot read are there and say what is so.

``.ci/run`` compares the stubs of the compiled modules with these modules (mypy.stubtest) and checks a program of a
user strictly (``tests/typed_program.py``).
"""

from __future__ import annotations

from importlib.resources import files

import roof_stub

import seqkit


def test_the_roof_has_types() -> None:
    assert roof_stub.STUB.read_text() == roof_stub.current(), "run python tests/roof_stub.py"


def test_every_public_name_has_a_type() -> None:
    stub = roof_stub.STUB.read_text()
    assert [name for name in seqkit.__all__ if f"import {name} as {name}\n" not in stub] == []


def test_compiled_modules_have_stubs() -> None:
    core = roof_stub.ROOT / "seqkit" / "_core"
    compiled = {path.stem for path in core.glob("*.pyx")} | {"compiled"}
    assert compiled == {path.stem for path in core.glob("*.pyi")}


def test_types_are_installed() -> None:
    installed = files("seqkit")
    assert all((installed / name).is_file() for name in ("py.typed", "__init__.pyi", "_core/engine.pyi"))
