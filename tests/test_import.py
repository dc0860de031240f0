"""Importing seqkit: what it loads, what it leaves alone, and what is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import seqkit

ROOT = Path(seqkit.__file__).parent.parent


def loaded_by(code: str, *before: str, path: Path | None = None) -> dict[str, Any]:
    """Modules that a piece of code loads in a new process, and what else it changes there."""
    script = f"""
        import json, os, signal, sys, threading, warnings
        {"; ".join(before)}
        def look():
            np = sys.modules.get("numpy")
            return {{
                "threads": threading.active_count(),
                "tasks": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1,
                "environment": sorted(os.environ.items()),
                "folder": os.getcwd(),
                "filters": len(warnings.filters),
                "handlers": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
                "errors": np and np.geterr(),
                "random": np and str(np.random.get_state()[1][:5]),
                "path": sys.path,
            }}
        before, known = look(), set(sys.modules)
        {code}
        changes = [key for key, value in look().items() if value != before[key]]
        print(json.dumps([sorted(set(sys.modules) - known), changes]))
    """
    folders = [str(path)] if path else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*folders, str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    modules, changes = json.loads(done.stdout)
    return {"modules": modules, "changes": changes}


HEAVY = {"scipy", "matplotlib", "sklearn", "pandas", "torch", "onnx", "onnxruntime", "tensorflow", "keras", "Cython"}


def test_the_roof_loads_nothing() -> None:
    found = loaded_by("import seqkit")
    assert [name for name in found["modules"] if name.startswith("seqkit")] == ["seqkit"]
    assert "numpy" not in found["modules"]
    assert found["changes"] == []


def test_every_public_name_can_be_loaded_and_leaves_the_process_alone() -> None:
    """No thread, no signal handler, no environment, no setting of NumPy's, no large package."""
    found = loaded_by("import seqkit; [getattr(seqkit, name) for name in seqkit.__all__]", "import numpy")
    assert found["changes"] == []
    assert HEAVY.isdisjoint(name.split(".")[0] for name in found["modules"])
    assert "importlib.metadata" not in found["modules"]


def test_a_layer_needs_neither_models_nor_the_command_line() -> None:
    found = loaded_by("import seqkit; seqkit.LSTM(3).build(2)", "import numpy")
    upper = ("seqkit.model", "seqkit.training", "seqkit.cli", "seqkit.data", "seqkit.tasks", "seqkit.registry", "click")
    assert not [name for name in found["modules"] if name.startswith(upper)]
    assert found["changes"] == []


def test_no_plugin_is_loaded(tmp_path: Path) -> None:
    info = tmp_path / "loud-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[seqkit.layers]\nloud = loud:Loud\n")
    (tmp_path / "loud.py").write_text("raise RuntimeError('loaded')")
    use = "import seqkit; [getattr(seqkit, name) for name in seqkit.__all__]; seqkit.create('lstm', 3)"
    found = loaded_by(f"{use}; from seqkit import registry; assert 'loud' in registry.names()", path=tmp_path)
    assert "loud" not in found["modules"]


def test_names_of_the_roof() -> None:
    assert set(seqkit.__all__) <= set(dir(seqkit))
    for name in seqkit.__all__:
        value = getattr(seqkit, name)
        assert name == "isa" or value.__doc__, f"seqkit.{name} has no docstring"
    with pytest.raises(AttributeError, match=r"module 'seqkit' has no attribute 'lstm'; it has .*LSTM"):
        seqkit.lstm  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'LayerNormalization'; did you mean 'LayerNorm'\?$"):
        seqkit.LayerNormalization  # noqa: B018


def test_the_version_is_that_of_the_project() -> None:
    import tomllib

    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["version"] == seqkit.__version__


def test_other_libraries_are_a_package_that_is_imported_when_it_is_used() -> None:
    assert "seqkit.interop" not in loaded_by("import seqkit; dir(seqkit)")["modules"]
    assert "seqkit.interop.formats" in loaded_by("import seqkit; seqkit.interop.load")["modules"]


def test_sources_that_are_not_compiled_say_so(tmp_path: Path) -> None:
    """Python started in a clone reads the sources there, whatever is installed."""
    copied = shutil.copytree(ROOT / "seqkit", tmp_path / "seqkit", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    done = subprocess.run(
        [sys.executable, "-c", "import seqkit; seqkit.LSTM(3)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"{copied / '_core'} is not compiled. Start Python in another folder" in done.stderr.splitlines()[-1]
