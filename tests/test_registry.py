"""Layers by name: built in, registered, and from installed packages, good and broken."""

from __future__ import annotations

import copy
import sys
import tomllib
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks import CHECKS
from packages import CELL, Site

import seqkit
from seqkit import catalog, discovery, registry
from seqkit.equations import Cell, tanh
from seqkit.errors import ConfigError, PluginError, UnknownLayerError
from seqkit.layer import Layer
from seqkit.recurrent import Recurrent
from seqkit.testing.data import fill

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
pytestmark = pytest.mark.usefixtures("forget")

# ---- built in ------------------------------------------------------------------------------------


def test_the_table_says_what_the_metadata_says() -> None:
    assert PROJECT["entry-points"][discovery.GROUP] == registry.BUILT_IN
    try:
        points = distribution("seqkit").entry_points.select(group=discovery.GROUP)
    except PackageNotFoundError:
        return
    assert {point.name: point.value for point in points} == registry.BUILT_IN


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_built_in_names(name: str) -> None:
    """A name leads to the class of the table, which is also on the roof and knows its name."""
    module, _, attribute = registry.BUILT_IN[name].partition(":")
    target = registry.get(name)
    assert target is getattr(import_module(module), attribute) is getattr(seqkit, attribute)
    assert module.rpartition(".")[2] == name
    assert issubclass(target, Layer)


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_configurations_come_back(name: str) -> None:
    inner = seqkit.GRU(3, reset_after=False)
    arguments: dict[str, Any] = {
        "activation": ["tanh"],
        **dict.fromkeys(["add", "average", "concatenate", "multiply"], ()),
        "branch": [[inner, seqkit.LSTM(2)], "concat"],
        "encoder_decoder": [[inner], [seqkit.LSTM(2)]],
        "graph": [{"h": inner, "y": (seqkit.Add(), "h", "z")}, ["x", "z"]],
        "bidirectional": [inner],
        "dropout": [0.5],
        "embedding": [7, 3],
        **dict.fromkeys(["last_step", "max_pool", "mean_pool"], ()),
        "attention": ["sqrt"],
        "multi_head_attention": [2, 3],
        "masked": [[inner], -1.0],
        "residual": [seqkit.Dense(2)],
        "time_distributed": [seqkit.Dense(2)],
        "layer_norm": [1e-4],
        "prelu": [],
    }
    layer = registry.create(name, *arguments.get(name, [3]))
    described = registry.spec(layer)
    again = registry.from_spec(described)
    assert type(again) is type(layer)
    assert again.config() == layer.config()
    assert registry.spec(again) == described
    assert not again.built


# ---- registered by the program -------------------------------------------------------------------


def test_register_a_cell() -> None:
    @registry.register("here")
    class Here(Cell):
        gates, states = ("n",), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            return {"h": tanh(x.n - U.n @ s.h)}

    layer = registry.create("here", 4, return_sequences=True)
    assert isinstance(layer, Recurrent)
    assert registry.from_spec(registry.spec(layer)).config() == layer.config()
    assert "here" in registry.names()
    entry = next(entry for entry in catalog.entries() if entry.name == "here")
    assert (entry.package, entry.error) == ("this program", None)
    assert entry.target.endswith("Here")


def test_register_a_layer() -> None:
    @registry.register("twice")
    class Twice(Layer):
        def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
            return 2 * x, None

        def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> Any:
            return 2 * dy, ()

    assert registry.create("twice")(np.ones((1, 2, 3)))[0, 0, 0] == 2.0
    package = __name__.partition(".")[0]
    assert registry.spec(Twice()) == {"layer": "twice", "package": package, "version": None, "config": {}}
    assert not registry.is_cell("twice")


def test_a_taken_name() -> None:
    @registry.register("taken")
    class First(Cell):
        gates, states = ("n",), ("h",)

    registry.register("taken")(First)  # the same class again, as in a notebook
    with pytest.raises(PluginError, match=r"layer name 'taken' is taken by .*First; choose another.* for .*Second"):

        @registry.register("taken")
        class Second(Cell):
            gates, states = ("n",), ("h",)

    assert registry.get("taken") is First


def test_a_built_in_name_cannot_be_taken() -> None:
    with pytest.raises(PluginError, match=r"layer name 'lstm' is (built in|taken by seqkit).*; choose another"):

        @registry.register("lstm")
        class Mine(Cell):
            gates, states = ("n",), ("h",)

    assert registry.get("lstm") is seqkit.LSTM


def test_only_layers_and_cells_are_registered() -> None:
    with pytest.raises(ConfigError, match=r"Other must be a subclass of seqkit.Cell or seqkit.Layer"):

        @registry.register("other")
        class Other:
            pass

    assert "other" not in registry.names()


def test_an_unknown_name() -> None:
    with pytest.raises(
        UnknownLayerError, match=r"no layer named 'lsmt'; did you mean 'lstm'\? Installed: .*gru.*simple_rnn"
    ):
        registry.create("lsmt", 4)
    with pytest.raises(LookupError):
        registry.get("")


def test_a_layer_that_is_not_registered_has_no_description() -> None:
    class Loner(Layer):
        name = "loner"

        def forward(self, *args: Any, **options: Any) -> Any: ...

        def backward(self, *args: Any, **options: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"is not registered; decorate its class with @seqkit.register"):
        registry.spec(Loner())
    with pytest.raises(ConfigError, match=r"Gru.* is not registered"):
        registry.spec(type("Gru", (seqkit.GRU,), {})(3))


def test_a_cell_that_was_made_before_its_layer_keeps_its_options() -> None:
    @registry.register("floored")
    class Floored(Cell):
        gates, states = ("n",), ("h",)

        def __init__(self, floor: float = 0.0, slope: float = 1.0, **options: Any) -> None:
            super().__init__(**options)
            self.floor, self.slope = floor, slope

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            return {"h": self.floor + self.slope * self.activation(x.n)}

    cell = Floored(0.5, slope=2.0, use_bias=False, activation="softsign")
    given = {"floor": 0.5, "slope": 2.0, "activation": "softsign"}
    for layer in (Recurrent(cell, 4), Recurrent(Floored, 4, use_bias=False, **given)):
        both: Any = seqkit.Bidirectional(layer)
        again = registry.from_spec(registry.spec(both)).backward_layer
        assert {name: again.config()[name] for name in given} == given
        assert (again.cell.floor, again.cell.slope, again.use_bias) == (0.5, 2.0, False)
        assert again.config() == both.backward_layer.config()
        assert "bias" not in again.build(2).params
    assert type(copy.deepcopy(cell)) is Floored
    assert copy.deepcopy(cell).arguments == cell.arguments


# ---- from other packages -------------------------------------------------------------------------


def test_a_plugin_works_like_a_built_in_cell(install: Site) -> None:
    install("mgupack", CELL, mgu="mgupack:MGU")

    def make(dtype: str, **options: Any) -> Any:
        options = {"return_sequences": True, **options}
        return fill(registry.create("mgu", 6, **options).build(3, seed=0, dtype=dtype))

    for name, check in CHECKS.items():
        if name != "check_threads":
            check(make)
    layer = registry.create("mgu", 6)
    assert layer.name == "mgu"
    assert registry.from_spec(registry.spec(layer)).config() == layer.config()
    entry = next(entry for entry in catalog.entries() if entry.name == "mgu")
    assert entry == catalog.Entry("mgu", "mgupack:MGU", "mgupack", "1.0")


def test_a_plugin_is_imported_when_it_is_asked_for(install: Site) -> None:
    install("quiet", CELL, whisper="quiet:MGU")
    assert "whisper" in registry.names()
    registry.create("lstm", 3)
    with pytest.raises(UnknownLayerError):
        registry.get("whimper")
    assert "quiet" not in sys.modules
    registry.get("whisper")
    assert "quiet" in sys.modules


BROKEN = {
    "an import that fails": (
        "import nothing_of_this_name",
        "broken:MGU",
        "ModuleNotFoundError: No module named 'nothing",
    ),
    "an error while it loads": ("1 / 0", "broken:MGU", "ZeroDivisionError: division by zero"),
    "an exit while it loads": ("import sys; sys.exit(3)", "broken:MGU", "SystemExit: 3"),
    "a syntax error": ("def", "broken:MGU", "SyntaxError"),
    "no such class": (CELL, "broken:Other", "AttributeError: module 'broken' has no attribute 'Other'"),
    "no such module": (CELL, "broken_elsewhere:MGU", "ModuleNotFoundError"),
    "not a class": ("MGU = 3", "broken:MGU", "is not a seqkit.Cell or seqkit.Layer class"),
    "another class": ("class MGU: pass", "broken:MGU", "is not a seqkit.Cell or seqkit.Layer class"),
    "a module without a class": (CELL, "broken", "broken"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_harms_only_those_who_ask_for_it(install: Site, fault: str) -> None:
    source, target, message = BROKEN[fault]
    install("broken", source, version="2.5", mgu=target)
    install("whole", CELL, other="whole:MGU")
    with pytest.raises(PluginError, match=rf"layer 'mgu' of broken 2.5 \({target}\)") as caught:
        registry.create("mgu", 4)
    assert message in str(caught.value)
    assert registry.create("other", 4).name == "other"
    by_name = {entry.name: entry for entry in catalog.entries()}
    assert message in str(by_name["mgu"].error)
    assert (by_name["mgu"].package, by_name["mgu"].version) == ("broken", "2.5")
    assert all(by_name[name].error is None for name in registry.BUILT_IN)
    with pytest.raises(PluginError):  # the second time as the first
        registry.create("mgu", 4)


def test_two_packages_with_one_name_are_both_named(install: Site) -> None:
    install("first", CELL, version="1.1", mgu="first:MGU")
    install("second", CELL, version="2.2", mgu="second:MGU")
    with pytest.raises(PluginError) as caught:
        registry.get("mgu")
    rivals = "first 1.1 (first:MGU) and second 2.2 (second:MGU)"
    assert str(caught.value) == f"layer name 'mgu' is claimed by {rivals}; say 'first:mgu' or 'second:mgu'."
    assert {"first", "second"}.isdisjoint(sys.modules)
    assert "mgu" not in registry.names()
    for package in ("first", "second"):
        layer = registry.create(f"{package}:mgu", 4)
        assert type(layer.cell) is sys.modules[package].MGU
        assert registry.spec(layer)["package"] == package
        assert type(registry.from_spec(registry.spec(layer)).cell) is type(layer.cell)
    entries = {entry.name: entry for entry in catalog.entries()}
    assert "mgu" not in entries
    assert entries["first:mgu"].error is None
    assert entries["first:mgu"].remark == "'mgu' alone could also be that of second 2.2"


def test_a_plugin_cannot_replace_a_built_in_layer(install: Site) -> None:
    install("usurper", CELL, lstm="usurper:MGU")
    assert registry.get("lstm") is seqkit.LSTM
    assert "usurper" not in sys.modules
    entries = {entry.name: entry for entry in catalog.entries()}
    assert entries["lstm"] == catalog.Entry("lstm", "seqkit.cells.lstm:LSTM", "seqkit", seqkit.__version__)
    assert entries["usurper:lstm"].remark == "'lstm' alone is the built-in layer"
    layer = registry.create("usurper:lstm", 3)
    assert registry.spec(layer)["package"] == "usurper"
    assert type(registry.from_spec(registry.spec(layer)).cell) is sys.modules["usurper"].MGU
    assert registry.spec(seqkit.LSTM(3))["package"] == "seqkit"
    elsewhere = {**registry.spec(layer), "package": "usurper-of-old"}
    with pytest.raises(UnknownLayerError, match=r"layer 'lstm' is provided by usurper-of-old 1.0, which is not loaded"):
        registry.from_spec(elsewhere)
