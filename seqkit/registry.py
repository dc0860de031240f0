"""Layers by name.

A name leads to a class: a :class:`~seqkit.layer.Layer`, or a
:class:`~seqkit.equations.Cell`, which is made into a layer when it is created.  Names come
from three places, asked in this order: ``@register`` in the running program, the built-in
table below, and the entry points of installed packages (group ``seqkit.layers``), which are
read at the first name that the other two don't know.  Nothing is imported before its name is
asked for, so a broken plugin harms only those who ask for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from seqkit.equations import Cell
from seqkit.errors import ConfigError, PluginError, UnknownLayerError
from seqkit.layer import Layer
from seqkit.recurrent import Recurrent

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "seqkit.layers"

# The entry points of seqkit's own distribution say the same (a test compares them); the table
# also serves where no metadata is installed.
BUILT_IN = {
    "simple_rnn": "seqkit.cells.simple_rnn:SimpleRNN",
    "lstm": "seqkit.cells.lstm:LSTM",
    "peephole": "seqkit.cells.peephole:PeepholeLSTM",
    "gru": "seqkit.cells.gru:GRU",
    "bidirectional": "seqkit.layers.bidirectional:Bidirectional",
    "dense": "seqkit.layers.dense:Dense",
    "dropout": "seqkit.layers.dropout:Dropout",
    "embedding": "seqkit.layers.embedding:Embedding",
    "last_step": "seqkit.layers.last_step:LastStep",
}

Target = type[Layer] | type[Cell]
T = TypeVar("T", bound=type)

_registered: dict[str, Target] = {}
_discovered: dict[str, list[EntryPoint]] | None = None


@dataclass(frozen=True)
class Entry:
    """One registered name: what it leads to, who provides it, and what is wrong with it."""

    name: str
    target: str
    package: str
    error: str | None = None


def register(name: str) -> Callable[[T], T]:
    """Class decorator: make a Layer or Cell class available under `name`.

    Raises
    ------
    PluginError
        If the name is taken.

    Examples
    --------
    >>> import seqkit
    >>> @seqkit.register("doc_identity")
    ... class Identity(seqkit.Cell):
    ...     gates, states = ("n",), ("h",)
    ...     def step(self, x, U, s, p):
    ...         return {"h": x.n + U.n @ s.h}
    >>> seqkit.create("doc_identity", 4).name
    'doc_identity'
    """

    def add(cls: T) -> T:
        if not issubclass(cls, (Layer, Cell)):
            raise ConfigError(f"register({name!r}): {cls.__name__} must be a subclass of seqkit.Cell or seqkit.Layer.")
        path = f"{cls.__module__}:{cls.__qualname__}"
        known = _registered.get(name)
        if known is not None and f"{known.__module__}:{known.__qualname__}" != path:
            raise PluginError(
                f"layer name {name!r} is taken by {known.__module__}:{known.__qualname__}; choose another for {path}."
            )
        if BUILT_IN.get(name, path) != path:
            raise PluginError(f"layer name {name!r} is built in and cannot be replaced by {path}; choose another name.")
        cls.name = name
        _registered[name] = cls
        return cls

    return add


def get(name: str) -> Target:
    """The class registered under `name`.

    Raises
    ------
    UnknownLayerError
        If there is none; the message lists what there is.
    PluginError
        If its import fails or two packages claim the name.
    """
    if name in _registered:
        return _registered[name]
    if name in BUILT_IN:
        return _import(name, BUILT_IN[name], "seqkit")
    points = _entry_points().get(name, [])
    if not points:
        known = names()
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" did you mean {close[0]!r}?" if close else ""
        raise UnknownLayerError(f"no layer named {name!r};{hint} Installed: {', '.join(known)}.")
    if len(points) > 1:
        rivals = " and ".join(f"{_package(point)} ({point.value})" for point in points)
        raise PluginError(f"layer name {name!r} is claimed by {rivals}; uninstall one of them.")
    return _import(name, points[0].value, _package(points[0]))


def create(name: str, *args: Any, **options: Any) -> Layer:
    """A new layer by name; the arguments are those of its class (units first, for a cell).

    Examples
    --------
    >>> import seqkit
    >>> seqkit.create("gru", 8).name
    'gru'
    """
    target = get(name)
    return Recurrent(target, *args, **options) if issubclass(target, Cell) else target(*args, **options)


def spec(layer: Layer) -> dict[str, Any]:
    """Name and configuration of a layer as plain values, for a file."""
    try:
        known = get(layer.name)
    except UnknownLayerError:
        raise ConfigError(
            f"{layer!r} is not registered; decorate its class with @seqkit.register to save it."
        ) from None
    expected = Recurrent if issubclass(known, Cell) else known
    if type(layer) is not expected:
        raise ConfigError(f"{type(layer).__name__} says its name is {layer.name!r}, which leads to {known.__name__}.")
    return {"layer": layer.name, "config": layer.config()}


def from_spec(description: dict[str, Any]) -> Layer:
    """An unbuilt layer from what :func:`spec` gave."""
    target = get(description["layer"])
    config = dict(description["config"])
    return Recurrent(target, **config) if issubclass(target, Cell) else target.from_config(config)


def is_cell(name: str) -> bool:
    """Whether a name leads to a recurrent layer made of equations."""
    return issubclass(get(name), (Cell, Recurrent))


def cell_of(name: str) -> Cell:
    """The equations of a registered recurrent layer, with its default options.

    Raises
    ------
    ConfigError
        If the layer is not made of equations.
    """
    layer = create(name, 1) if is_cell(name) else None
    if not isinstance(layer, Recurrent):
        raise ConfigError(f"layer {name!r} has no equations; choose a recurrent one such as 'lstm'.")
    return layer.cell


def names() -> list[str]:
    """Every registered name, sorted; imports nothing."""
    return sorted({*_registered, *BUILT_IN, *_entry_points()})


def entries() -> list[Entry]:
    """Every registered name with its provider; imports each once to see whether it works."""
    return [_entry(name) for name in names()]


def _entry(name: str) -> Entry:
    points = _entry_points().get(name, [])
    package = "seqkit" if name in BUILT_IN else ", ".join(_package(point) for point in points) or "this program"
    target = BUILT_IN.get(name) or ", ".join(point.value for point in points)
    try:
        cls = get(name)
    except (PluginError, UnknownLayerError) as error:
        return Entry(name, target, package, str(error))
    return Entry(name, f"{cls.__module__}:{cls.__qualname__}", package)


def _import(name: str, path: str, package: str) -> Target:
    module, _, attribute = path.partition(":")
    try:
        cls = getattr(import_module(module), attribute)
        valid = isinstance(cls, type) and issubclass(cls, (Layer, Cell))
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"layer {name!r} of {package} ({path}) cannot be imported: {type(error).__name__}: {error}. "
            f"Update or uninstall {package}."
        ) from error
    if not valid:
        raise PluginError(f"layer {name!r} of {package} ({path}) is not a seqkit.Cell or seqkit.Layer class.")
    cls.name = name
    _registered[name] = cls
    return cls


def _entry_points() -> dict[str, list[EntryPoint]]:
    """Entry points of other packages by name; the metadata is read once."""
    global _discovered
    if _discovered is None:
        from importlib.metadata import entry_points  # 10 ms: not before it is needed

        _discovered = {}
        for point in entry_points(group=GROUP):
            if point.value not in BUILT_IN.values():
                _discovered.setdefault(point.name, []).append(point)
    return _discovered


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
