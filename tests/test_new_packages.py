"""New packages from the command to their use, offline: written, installed, checked, tested, trained, measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seqkit
from seqkit.scaffold import KINDS

pytestmark = pytest.mark.slow

Call = Callable[..., str]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Run a module of Python in an empty folder; packages are installed into a folder beside it."""
    (tmp_path / "here").mkdir()
    paths = [str(tmp_path / "installed"), str(Path(seqkit.__file__).parent.parent)]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *arguments],
            cwd=tmp_path / "here",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def install(call: Call, package: str) -> None:
    """As ``pip install`` does it, without an index."""
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    call("pip", "install", *offline, "--target", "../installed", package)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package(kind: str, call: Call) -> None:
    call("seqkit", "plugins", "new", "demo_plugin", *([] if kind == "cell" else [f"--{kind}"]))
    install(call, "./demo-plugin")
    assert "demo_plugin" in call("seqkit", "plugins", "list")
    assert "failed" not in call("seqkit", "plugins", "check", "demo_plugin")
    passed = call("pytest", "-q", "-rs", "-p", "no:cacheprovider", "demo-plugin")
    assert "no compiled kernels" not in passed


def test_a_new_cell_is_trained_and_measured(call: Call) -> None:
    call("seqkit", "plugins", "new", "demo_cell")
    install(call, "./demo-cell")
    assert "n[t] = tanh(W_n x[t] + b_n + U_n (f[t] * h[t-1]))" in call("seqkit", "layers", "demo_cell")
    facts = json.loads(call("seqkit", "fit", "sunspots", "--cell", "demo_cell", "--epochs", "30", "--json"))
    assert facts["rmse"] < facts["persistence_rmse"]
    rows = json.loads(call("seqkit", "bench", "--cell", "demo_cell", "--quick", "--json"))["results"]
    assert {row["cell"] for row in rows} == {"demo_cell"}
