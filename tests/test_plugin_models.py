"""Models with layers of other packages: what their files record, and that a file imports nothing by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from packages import CELL, Site

import seqkit
from seqkit import catalog, checkpoint, discovery, registry
from seqkit.errors import ConfigError, LoadError, PluginError, PluginWarning, UnknownLayerError
from seqkit.testing.runner import run_check
from seqkit.testing.subject import Subject

X = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(install: Site, path: Path) -> np.ndarray:
    """A model with a layer of seqkit-demo 1.0 inside a bidirectional one, saved; the package is then not loaded.
    Its predictions."""
    install("seqkit-demo", CELL, mgu="seqkit_demo:MGU")
    inner = seqkit.create("mgu", 4, return_sequences=True)
    model = seqkit.Sequential([seqkit.Bidirectional(inner), seqkit.LSTM(3), seqkit.Dense(1)], seed=0).build(2)
    model.save(path)
    unload(install)
    return model.predict(X)


def unload(install: Site) -> None:
    """Forget that the package was imported."""
    sys.modules.pop("seqkit_demo", None)
    install.reread()


def upgrade(install: Site, version: str, **layers: str) -> None:
    """Another version in the place of the one that is installed."""
    for file in (install.folder / "seqkit_demo-1.0.dist-info").iterdir():
        file.unlink()
    (install.folder / "seqkit_demo-1.0.dist-info").rmdir()
    install("seqkit-demo", CELL, version, **layers)


def specs(path: Path) -> list[dict[str, Any]]:
    """The descriptions of the layers in a file, nested ones included."""
    layers = checkpoint.read(path)[0]["layers"]
    return [*layers, layers[0]["config"]["layer"], layers[0]["config"]["backward_layer"]]


def test_a_file_records_packages_and_versions(saved: np.ndarray, path: Path) -> None:
    own = seqkit.__version__
    found = [(spec["layer"], spec["package"], spec["version"], spec["config"].get("units")) for spec in specs(path)]
    expected = [("bidirectional", None), ("lstm", 3), ("dense", 1)]
    assert found[:3] == [(name, "seqkit", own, units) for name, units in expected]
    assert found[3:] == [("mgu", "seqkit-demo", "1.0", 4)] * 2


def test_training_is_known_again_by_what_does_not_change_with_versions(saved: np.ndarray) -> None:
    """Fingerprints of training hold the text of layers."""
    text = repr(seqkit.Bidirectional(seqkit.create("mgu", 4)))
    assert text.startswith("Bidirectional(Recurrent(units=4, ")
    assert "version" not in text


def test_a_file_imports_nothing(saved: np.ndarray, path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        seqkit.load(path)
    assert str(caught.value) == (
        f"{path}: layer 'mgu' is provided by seqkit-demo 1.0, which is installed but not loaded, and a model file "
        f"imports nothing; call seqkit.load_plugin('seqkit-demo') first (--plugin seqkit-demo on the command line)."
    )
    assert "seqkit_demo" not in sys.modules


LOADERS: dict[str, Callable[[], Any]] = {
    "load_plugin": lambda: seqkit.load_plugin("seqkit_demo"),
    "a name that was asked for": lambda: seqkit.create("mgu", 1),
    "an import": lambda: __import__("seqkit_demo"),
    "SEQKIT_PLUGINS": lambda: os.environ.update(SEQKIT_PLUGINS="other,Seqkit.Demo"),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_a_package_that_is_loaded(saved: np.ndarray, path: Path, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQKIT_PLUGINS", "")
    LOADERS[loader]()
    model = seqkit.load(path)
    np.testing.assert_array_equal(model.predict(X), saved)
    again = path.with_name("again.safetensors")
    model.save(again)
    assert specs(again) == specs(path)


def test_packages_that_are_excluded_or_not_installed(
    install: Site, saved: np.ndarray, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQKIT_PLUGINS", "-seqkit-demo")
    with pytest.raises(
        LoadError, match=r"'mgu' is provided by seqkit-demo 1.0, which SEQKIT_PLUGINS='-seqkit-demo' excl"
    ):
        seqkit.load(path)
    monkeypatch.delenv("SEQKIT_PLUGINS")
    upgrade(install, "2.0", other="seqkit_demo:MGU")
    with pytest.raises(LoadError, match=r"1.0, but version 2.0, which is installed, has no layer of this name"):
        seqkit.load(path)
    monkeypatch.setattr(discovery, "_installed", discovery.Installed())
    with pytest.raises(LoadError, match=r"by seqkit-demo 1.0, which is not loaded; install it if you trust it, or imp"):
        seqkit.load(path)


def test_another_version_is_warned_about(install: Site, saved: np.ndarray, path: Path) -> None:
    upgrade(install, "2.0", mgu="seqkit_demo:MGU")
    seqkit.load_plugin("seqkit-demo")
    with pytest.warns(UserWarning, match=r"'mgu' was saved with seqkit-demo 1.0 and is now of seqkit-demo 2.0; res"):
        model = seqkit.load(path)
    np.testing.assert_array_equal(model.predict(X), saved)


def test_the_package_of_the_file_is_taken_where_others_have_the_name(
    install: Site, saved: np.ndarray, path: Path
) -> None:
    install("another", CELL, mgu="another:MGU")
    seqkit.load_plugin("another")
    with pytest.raises(LoadError, match=r"provided by seqkit-demo 1.0, which is installed but not loaded"):
        seqkit.load(path)
    seqkit.load_plugin("seqkit-demo")
    bidirectional: Any = seqkit.load(path).layers[0]
    assert type(bidirectional.forward_layer.cell) is sys.modules["seqkit_demo"].MGU


def test_a_class_that_the_program_registers_takes_the_place_of_a_package(
    saved: np.ndarray, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, namespace)
    seqkit.register("mgu")(namespace["MGU"])
    with pytest.warns(UserWarning, match="'mgu' was saved with seqkit-demo 1.0 and is now of __main__; results may"):
        model = seqkit.load(path)
    np.testing.assert_array_equal(model.predict(X), saved)


def test_classes_of_the_program(path: Path, forget: None, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, namespace)
    seqkit.register("mine")(namespace["MGU"])
    model = seqkit.Sequential([seqkit.create("mine", 3)], seed=0).build(2)
    model.save(path)
    assert checkpoint.read(path)[0]["layers"][0]["package"] == "__main__"
    np.testing.assert_array_equal(seqkit.load(path).predict(X), model.predict(X))
    monkeypatch.delitem(registry._registered, "mine")
    with pytest.raises(LoadError, match=r"'mine' was defined in the program that saved the model \(__main__\); define"):
        seqkit.load(path)


def test_files_of_early_versions(install: Site, saved: np.ndarray, path: Path) -> None:
    """They have names alone."""
    description, arrays = checkpoint.read(path)
    both = description["layers"][0]["config"]
    for spec in [*description["layers"], both["layer"], both["backward_layer"]]:
        del spec["package"], spec["version"]
    checkpoint.write(path, description, arrays)
    with pytest.raises(LoadError, match=r"provided by seqkit-demo 1.0, which is installed but not loaded"):
        seqkit.load(path)
    seqkit.load_plugin("seqkit-demo")
    np.testing.assert_array_equal(seqkit.load(path).predict(X), saved)
    install("another", CELL, mgu="another:MGU")
    seqkit.load_plugin("seqkit-demo")
    np.testing.assert_array_equal(seqkit.load(path).predict(X), saved)
    seqkit.load_plugin("another")
    with pytest.raises(LoadError, match=r"'mgu' is claimed by another 1.0 .* and seqkit-demo 1.0"):
        seqkit.load(path)


@pytest.mark.parametrize(
    ("package", "version"),
    [(3, None), ("", "1"), ("a b", "1"), ("x\x1b[31m", "1"), ("a" * 101, "1"), ("a", 1.0), ("a", "1\n"), (["a"], "1")],
)
def test_records_that_are_none(saved: np.ndarray, package: Any, version: Any) -> None:
    with pytest.raises(ConfigError, match="a layer cannot have name, package and version"):
        registry.from_spec({"layer": "mgu", "package": package, "version": version, "config": {}})


def test_a_constructor_that_raises(install: Site) -> None:
    install(
        "seqkit-demo", f"{CELL}\n    def __init__(self, **options): raise RuntimeError('no')", mgu="seqkit_demo:MGU"
    )
    seqkit.load_plugin("seqkit-demo")
    spec = {"layer": "mgu", "package": "seqkit-demo", "version": "1.0", "config": {"units": 3}}
    with pytest.raises(ConfigError, match="layer 'mgu' cannot be made: RuntimeError: no"):
        registry.from_spec(spec)


# ---- load_plugin and SEQKIT_PLUGINS --------------------------------------------------------------


def test_load_plugin(install: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    install("seqkit-demo", CELL, mgu="seqkit_demo:MGU", other="seqkit_demo:Other")
    install("broken", "1 / 0", bad="broken:Bad")
    with pytest.warns(UserWarning, match=r"layer 'other' of seqkit-demo 1.0 .* has no attribute 'Other'"):
        assert seqkit.load_plugin("Seqkit_Demo") == ["seqkit-demo:mgu"]
    with pytest.raises(PluginError, match=r"layer 'bad' of broken 1.0 .* ZeroDivisionError"):
        seqkit.load_plugin("broken")
    with pytest.raises(
        PluginError, match="'nothing' with layers is installed; packages with layers: broken, seqkit-demo"
    ):
        seqkit.load_plugin("nothing")
    unload(install)
    monkeypatch.setenv("SEQKIT_PLUGINS", "none")
    with pytest.raises(PluginError, match=r"layer 'mgu' of .* is excluded by SEQKIT_PLUGINS='none'"):
        seqkit.load_plugin("seqkit-demo")
    assert "seqkit_demo" not in sys.modules


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "ab"),
        (" , ", "ab"),
        ("none", ""),
        ("first", "a"),
        ("First,second", "ab"),
        ("-first", "b"),
        ("-first, -Second", ""),
        ("first,-second", "a"),
        ("unknown", ""),
        ("-unknown", "ab"),
    ],
)
def test_seqkit_plugins_selects(install: Site, value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install("first", CELL, a="first:MGU")
    install("second", CELL, b="second:MGU")
    monkeypatch.setenv("SEQKIT_PLUGINS", value)
    assert [name for name in registry.names() if name not in registry.BUILT_IN] == list(expected)
    for name in "ab":
        if name in expected:
            assert seqkit.create(name, 3).name == name
        else:
            with pytest.raises(UnknownLayerError, match=f"no layer named '{name}'"):
                seqkit.create(name, 3)
    assert seqkit.create("gru", 3).name == "gru"


def test_excluded_packages_are_listed(
    run: Callable[..., Result], install: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("first", CELL, a="first:MGU")
    install("second", "1 / 0", b="second:MGU")
    monkeypatch.setenv("SEQKIT_PLUGINS", "first,-unknown,forgotten")
    result = run("plugins", "list", "--json")
    first, second = json.loads(result.stdout)
    assert (first["name"], first["error"], first["version"]) == ("a", None, "1.0")
    assert second["error"].endswith("is excluded by SEQKIT_PLUGINS='first,-unknown,forgotten'.")
    assert sorted(result.stderr.splitlines()) == [
        f"SEQKIT_PLUGINS names '{name}', which is not installed or has no layers." for name in ("forgotten", "unknown")
    ]
    assert {entry.name for entry in catalog.entries()} == {"a", *registry.BUILT_IN}
    assert "second" not in sys.modules


def test_names_that_play_tricks_on_a_terminal_are_written_out(run: Callable[..., Result], install: Site) -> None:
    install("first", CELL, text="l\u0455tm\x1b[2J = first:MGU")
    assert "'first:l\\u0455tm\\x1b[2J'" in run("plugins", "list").stdout


# ---- the command line ----------------------------------------------------------------------------


def test_layers_of_packages_on_the_command_line(run: Callable[..., Result], install: Site) -> None:
    install("seqkit-demo", CELL, mgu="seqkit_demo:MGU")
    install("another", "1 / 0", other="another:MGU")
    fast = ["--units", "3", "--epochs", "1", "--threads", "1", "--quiet"]
    for name in ("mgu", "seqkit-demo:mgu", "Seqkit_Demo:mgu"):
        run("fit", "sunspots", "--cell", name, *fast)
        assert "h[t] = (1 - f[t]) * h[t-1] + f[t] * n[t]" in run("layers", name).stdout
    assert "did you mean 'seqkit-demo:mgu'" not in run("fit", "sunspots", "--cell", "mug", *fast, code=2).stderr
    assert "did you mean 'mgu'?" in run("fit", "sunspots", "--cell", "mug", *fast, code=2).stderr
    assert "cannot be imported" in run("fit", "sunspots", "--cell", "other", *fast, code=1).stderr
    (row,) = [line for line in run("plugins", "list").stdout.splitlines() if line.startswith("mgu")]
    assert row.split() == ["mgu", "seqkit_demo:MGU", "seqkit-demo", "1.0"]
    unload(install)
    message = run("predict", "sunspots.safetensors", "sunspots", code=1).stderr
    assert "--plugin seqkit-demo on the command line" in message
    rows = run("predict", "sunspots.safetensors", "sunspots", "--plugin", "seqkit-demo").stdout
    assert rows == run("predict", "sunspots.safetensors", "sunspots").stdout
    assert (
        "no package 'nothing'"
        in run("predict", "sunspots.safetensors", "sunspots", "--plugin", "nothing", code=1).stderr
    )


def test_bench_of_a_qualified_name(run: Callable[..., Result], install: Site) -> None:
    install("first", CELL, mgu="first:MGU")
    install("second", CELL, mgu="second:MGU")
    sizes = ["--batch", "1", "--time", "3", "--units", "4", "--mode", "infer", "--threads", "1", "--against", "none"]
    names = ["first:mgu", "second:mgu"]
    document = json.loads(run("bench", "--cell", ",".join(names), *sizes, "--quick", "--json").stdout)
    assert [row["cell"] for row in document["results"]] == names
    assert "say 'first:mgu' or 'second:mgu'" in run("bench", "--cell", "mgu", *sizes, code=1).stderr


def test_a_program_of_its_own(install: Site, tmp_path: Path) -> None:
    """What is defined in a script is of __main__, also where it is a real one."""
    (tmp_path / "script.py").write_text(
        f"{CELL}\nimport seqkit\nseqkit.register('mine')(MGU)\n"
        "seqkit.Sequential([seqkit.create('mine', 3)]).build(2).save('a.safetensors')"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
    subprocess.run([sys.executable, "script.py"], env=environment, cwd=tmp_path, check=True, timeout=60)
    with pytest.raises(LoadError, match="defined in the program that saved the model"):
        seqkit.load(tmp_path / "a.safetensors")


def test_the_kit_checks_one_of_two_packages_with_a_name(install: Site) -> None:
    install("first", CELL, mgu="first:MGU")
    install("second", CELL, mgu="second:MGU")
    subject = Subject("second:mgu")
    assert [run_check(name, subject).outcome for name in ("check_registration", "check_saving")] == ["passed"] * 2


def test_kernels_that_are_not_there_are_remarked_on(install: Site) -> None:
    install("first", CELL.replace("gates,", "kernels = 'first_kernels'\n    gates,"), mgu="first:MGU")
    with pytest.warns(PluginWarning, match="first_kernels cannot be imported"):
        (entry,) = [entry for entry in catalog.entries() if entry.package == "first"]
    assert entry.error is None
    assert "the compiled kernels first_kernels cannot be imported" in str(entry.remark)
