"""``seqkit plugins new``: packages that are whole, install, and pass their own tests; names that cannot be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import Result

from seqkit import discovery, registry, scaffold
from seqkit.errors import ConfigError
from seqkit.scaffold import KINDS, write_package
from seqkit.testing import check_layer

Run = Callable[..., Result]
ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers and imports is gone after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    for name in [name for name in sys.modules if name.startswith("demo_")]:
        monkeypatch.delitem(sys.modules, name)


# ---- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_whole(kind: str, tmp_path: Path) -> None:
    package = write_package("demo_thing", kind, tmp_path)
    assert package == tmp_path / "demo-thing"
    assert list(tmp_path.iterdir()) == [package]
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    part = KINDS[kind]["part"]
    code = {"demo_thing/__init__.py", f"demo_thing/{part}.py", "tests/test_demo_thing.py"}
    assert code | {".gitignore", "README.md", "pyproject.toml"} <= files
    for name in files:
        text = (package / name).read_text()
        assert text.endswith("\n")
        assert not re.search(r"\$\w|\$\{", text), f"{name} holds a word that was not replaced"
        if name.endswith(".py"):
            compile(text, name, "exec")
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "demo-thing"
    assert project["entry-points"][discovery.GROUP] == {"demo_thing": "demo_thing:DemoThing"}
    assert project["dependencies"] == ["seqkit"]


@pytest.mark.parametrize("kind", ["cell", "wrapper"])
def test_the_layer_conforms(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All checks of the kit on what was written, without installing it."""
    name = f"demo_{kind}"
    monkeypatch.syspath_prepend(write_package(name, kind, tmp_path))
    layer = getattr(import_module(name), f"Demo{kind.title()}")
    registry.register(name)(layer)
    report = check_layer(name)
    assert report.passed, str(report)


@pytest.mark.parametrize("kind", KINDS)
def test_code_is_as_tidy_as_ours(kind: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if ruff is None:
        pytest.skip("ruff is not installed")
    package = write_package("demo_thing", kind, tmp_path)
    rules = ["--select", ",".join(PROJECT["ruff"]["lint"]["select"])]
    for command in (["check", *rules], ["format", "--diff"]):
        length = ["--line-length", str(PROJECT["ruff"]["line-length"])]
        done = subprocess.run([ruff, *command, "--isolated", *length, "."], cwd=package, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_writes_into_this_folder(run: Run) -> None:
    found = run("plugins", "new", "demo_cell")
    assert "pip install -e 'demo-cell[test]'" in found.output
    assert Path("demo-cell/demo_cell/cell.py").is_file()


def test_the_command_takes_kind_and_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    run("plugins", "new", "demo_block", "--wrapper", "--path", "there")
    assert Path("there/demo-block/demo_block/layer.py").is_file()


WRONG_NAMES = {
    "my-cell": "such as 'my_cell'",
    "MyCell": "small letters, digits and _",
    "2fast": "such as 'fast'",
    "a b": "such as 'a_b'",
    "": "such as 'my_cell'",
    "été": "small letters",
    "_cell": "such as 'cell'",
    "cell_": "such as 'cell'",
    "lambda": "'lambda' cannot be the name of a plugin: it is a keyword of Python",
    "lstm": "seqkit has a layer of this name",
    "numpy": "a module of this name is installed",
    "json": "a module of this name is installed",
    "seqkit": "a module of this name is installed",
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_names_that_cannot_be(name: str, run: Run) -> None:
    found = run("plugins", "new", "--", name, code=1)
    assert WRONG_NAMES[name] in found.output
    assert not list(Path().iterdir())


def test_nothing_is_overwritten(run: Run) -> None:
    Path("demo-cell").mkdir()
    assert "demo-cell exists and is left as it is" in run("plugins", "new", "demo_cell", code=1).output
    assert not list(Path("demo-cell").iterdir())
    Path("demo-link").symlink_to("nowhere")
    assert "demo-link exists" in run("plugins", "new", "demo_link", code=1).output


def test_no_folder_to_write_into(run: Run) -> None:
    assert "there is no folder missing" in run("plugins", "new", "demo_cell", "--path", "missing", code=1).output


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_half_written(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = Path.write_text, []

    def fail_at_the_third(path: Path, *arguments: str) -> int:
        written.append(path)
        if len(written) == 3:
            raise error
        return write(path, *arguments)

    monkeypatch.setattr(Path, "write_text", fail_at_the_third)
    with pytest.raises(type(error)):
        write_package("demo_cell", folder=tmp_path)
    assert len(written) == 3
    assert not list(tmp_path.iterdir())


def test_unknown_kind() -> None:
    with pytest.raises(ConfigError, match="no kind of plugin named 'cel'; did you mean 'cell'"):
        write_package("demo_cell", "cel")


def test_templates_are_shipped() -> None:
    """The patterns of the package data find every file of the templates."""
    patterns, package = PROJECT["setuptools"]["package-data"]["seqkit"], ROOT / "seqkit"
    found = {path for pattern in patterns for path in package.glob(pattern) if path.is_file()}
    files = {path for path in (package / "templates").rglob("*") if path.is_file()}
    assert files <= found
    assert {path.suffix for path in files} == {".in"}
    assert {path.name for path in (package / "templates").iterdir()} == {"common", *KINDS}
    assert scaffold.TEMPLATES.is_dir()
