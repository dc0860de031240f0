"""Kernels of other packages: what is used, what is refused, and what a broken one does no harm to."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import seqkit
from seqkit import _core, native
from seqkit.cells.lstm import LSTMCell
from seqkit.errors import BuildError, PluginWarning

ISA = _core.isa.encode()

pytestmark = pytest.mark.skipif(_core.POINTWISE == "interpreted", reason="SEQKIT_POINTWISE=interpreted")


class Compiled(ctypes.Structure):
    _fields_: ClassVar = [("name", ctypes.c_char_p), ("run", ctypes.c_void_p)]


class KernelSet(ctypes.Structure):
    _fields_: ClassVar = [("isa", ctypes.c_char_p), ("f32", ctypes.c_void_p), ("f64", ctypes.c_void_p)]


class KernelModule(ctypes.Structure):
    _fields_: ClassVar = [
        ("abi", ctypes.c_int64),
        ("package", ctypes.c_char_p),
        ("built_against", ctypes.c_char_p),
        ("sets", ctypes.c_void_p),
    ]


class Module:
    """What an extension module with kernels looks like to seqkit."""

    def __init__(
        self,
        abi: int = _core.ABI,
        isa: bytes = ISA,
        kernels: tuple[bytes, ...] = (),
        capsule: bytes = b"seqkit.pointwise",
    ):
        self.__name__ = "my_package._kernels"
        table = (Compiled * (len(kernels) + 1))(*((name, 0x1234) for name in kernels), (None, None))
        sets = (KernelSet * 2)((isa, ctypes.addressof(table), ctypes.addressof(table)), (None, None, None))
        module = KernelModule(abi, b"my-package 0.3", b"0.9", ctypes.addressof(sets))
        self._keep = table, sets, module, capsule
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self.kernels = new(ctypes.addressof(module), capsule, None)


def test_kernels_are_known_by_type_and_name() -> None:
    table = _core.KernelTable(Module(kernels=(b"aa", b"bb")))
    assert table.package == "my-package 0.3"
    assert set(table.kernels) == {(dtype, name) for dtype in ("float32", "float64") for name in ("aa", "bb")}
    assert _core.KernelTable(Module()).kernels == {}


def test_another_abi_is_refused_with_the_reason() -> None:
    with pytest.raises(BuildError) as refused:
        _core.KernelTable(Module(abi=_core.ABI + 1))
    assert str(refused.value) == (
        f"my_package._kernels of my-package 0.3 was built against seqkit 0.9 with kernel ABI {_core.ABI + 1}, "
        f"and the installed seqkit has ABI {_core.ABI}"
    )


def test_another_instruction_set_is_refused() -> None:
    with pytest.raises(BuildError, match=f"my-package 0.3 was built without kernels for {_core.isa}$"):
        _core.KernelTable(Module(isa=b"altivec"))


@pytest.mark.parametrize(
    "module", [SimpleNamespace(__name__="m"), SimpleNamespace(__name__="m", kernels=3), Module(capsule=b"numpy")]
)
def test_what_is_no_table_is_refused(module: Any) -> None:
    with pytest.raises(BuildError, match=r"has no attribute 'kernels' made by seqkit\.build"):
        _core.KernelTable(module)


# ---- a cell that names a module ------------------------------------------------------------------


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    native._load.cache_clear()
    yield
    native._load.cache_clear()


def layer_of(module: str) -> seqkit.Recurrent:
    """An LSTM that no kernels of seqkit fit, whose package says that its kernels are in `module`."""

    class Mine(LSTMCell):
        kernels = module

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            states = super().step(x, U, s, p)
            return {"h": 0.75 * states["h"], "c": states["c"]}

    return seqkit.Recurrent(Mine, 5, return_sequences=True)


BROKEN = {
    "raises": "raise RuntimeError('no such library')",
    "leaves": "raise SystemExit(3)",
    "is_empty": "",
    "has_another_thing": "kernels = 'none'",
    "needs_another": "import this_is_not_there",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_module_leaves_the_cell_interpreted(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"broken_{what}.py").write_text(BROKEN[what])
    monkeypatch.syspath_prepend(tmp_path)
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    with pytest.warns(PluginWarning, match=rf"broken_{what}.* interpreted: slower, to the same bits; re") as noted:
        layer = layer_of(f"broken_{what}").build(2, seed=0)
    assert len(noted) == 1
    plan = layer.plan(x.shape)
    assert plan.pointwise == "interpreted"
    assert plan.kernels == str(noted[0].message)
    assert plan.kernels in str(plan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        other = layer_of(f"broken_{what}").build(2, seed=0)
        expected = layer_of("").build(2, seed=0)
        y, cache = layer.forward(x)
        layer.backward(y, cache)
    np.testing.assert_array_equal(y, expected(x))
    np.testing.assert_array_equal(other(x), y)


def test_a_missing_module_says_what_to_do() -> None:
    with pytest.warns(PluginWarning) as noted:
        layer_of("not_there._kernels").build(2)
    assert str(noted[0].message) == (
        "the compiled kernels not_there._kernels cannot be imported (ModuleNotFoundError: No module named "
        "'not_there'). "
        "The cells of not_there are interpreted: slower, to the same bits; reinstall it to have them compiled."
    )


def test_another_abi_leaves_the_cell_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_package._kernels", Module(abi=0))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "my_package", SimpleNamespace())  # type: ignore[arg-type]
    with pytest.warns(PluginWarning, match="with kernel ABI 0, .* rebuild my_package to have them compiled"):
        layer = layer_of("my_package._kernels").build(2)
    assert layer.plan((3, 4, 2)).pointwise == "interpreted"


def test_ctrl_c_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        layer_of("interrupted").build(2)


def test_the_module_is_imported_when_a_layer_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    layer = layer_of("imported_late")
    assert "imported_late" not in sys.modules
    with pytest.warns(PluginWarning):
        layer.build(2)
    assert "imported_late" in sys.modules


def test_interpreted_means_that_nothing_is_imported(tmp_path: Path) -> None:
    program = (
        "import seqkit\nfrom seqkit.cells.lstm import LSTMCell\nclass Mine(LSTMCell): kernels = 'not_there'\n"
        "print(seqkit.Recurrent(Mine, 3).build(2).plan((3, 4, 2)).kernels)"
    )
    environment = {"SEQKIT_POINTWISE": "interpreted", "PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "SEQKIT_POINTWISE=interpreted\n", done.stderr


def test_the_plan_says_whose_kernels_run() -> None:
    assert seqkit.LSTM(3).plan((3, 4, 7)).kernels == f"kernels of seqkit {seqkit.__version__}"
    assert layer_of("").plan((3, 4, 7)).kernels == "no kernels were compiled for these equations"


def test_sources_of_seqkit_are_none_of_the_package() -> None:
    """Setuptools refuses absolute paths among them, when an editable install asks after the build."""
    from setuptools import Distribution

    from seqkit.build import BuildKernels, KernelExtension

    kernels = KernelExtension("outside._kernels", cells=["outside:Cell"])
    command = BuildKernels(Distribution({"ext_modules": [kernels]}))
    command.extensions = [kernels]
    kernels.sources = ["own.c", "/usr/include/compiled.c"]
    assert command.get_source_files() == ["own.c"]
