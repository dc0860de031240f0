"""Layers by name.

A name leads to a class: a :class:`~seqkit.layer.Layer`, or a
:class:`~seqkit.equations.Cell`, which is made into a layer when it is created.  Names come
from three places, asked in this order: ``@register`` in the running program, the built-in
table below, and the entry points of installed packages (:mod:`seqkit.discovery`), which are
read at the first name that the other two don't know.  Nothing is imported before its name is
asked for, so a broken plugin harms only those who ask for it.

``package:name`` is the name that no other package can claim.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from seqkit import discovery
from seqkit.discovery import Offer
from seqkit.equations import Cell
from seqkit.errors import ConfigError, PluginError, SeqkitError, UnknownLayerError
from seqkit.importing import Target, blamed, load, owner, present
from seqkit.layer import Layer
from seqkit.recorded import PROGRAM, Record
from seqkit.recurrent import Recurrent

# The entry points of seqkit's own distribution say the same (a test compares them); the table
# also serves where no metadata is installed.
BUILT_IN = {
    "simple_rnn": "seqkit.cells.simple_rnn:SimpleRNN",
    "lstm": "seqkit.cells.lstm:LSTM",
    "peephole": "seqkit.cells.peephole:PeepholeLSTM",
    "gru": "seqkit.cells.gru:GRU",
    "projected_lstm": "seqkit.cells.projected_lstm:ProjectedLSTM",
    "bidirectional": "seqkit.layers.bidirectional:Bidirectional",
    "activation": "seqkit.layers.activation:Activation",
    "additive_attention": "seqkit.layers.additive_attention:AdditiveAttention",
    "attention": "seqkit.layers.attention:Attention",
    "multi_head_attention": "seqkit.layers.multi_head_attention:MultiHeadAttention",
    "layer_norm": "seqkit.layers.layer_norm:LayerNorm",
    "residual": "seqkit.layers.residual:Residual",
    "time_distributed": "seqkit.layers.time_distributed:TimeDistributed",
    "conv1d": "seqkit.layers.conv1d:Conv1D",
    "dense": "seqkit.layers.dense:Dense",
    "dropout": "seqkit.layers.dropout:Dropout",
    "embedding": "seqkit.layers.embedding:Embedding",
    "last_step": "seqkit.layers.last_step:LastStep",
    "max_pool": "seqkit.layers.max_pool:MaxPool",
    "mean_pool": "seqkit.layers.mean_pool:MeanPool",
    "prelu": "seqkit.layers.prelu:PReLU",
    "masked": "seqkit.layers.masked:Masked",
    "repeat_vector": "seqkit.layers.repeat_vector:RepeatVector",
    "add": "seqkit.layers.add:Add",
    "average": "seqkit.layers.average:Average",
    "branch": "seqkit.layers.branch:Branch",
    "concatenate": "seqkit.layers.concatenate:Concatenate",
    "multiply": "seqkit.layers.multiply:Multiply",
    "encoder_decoder": "seqkit.layers.encoder_decoder:EncoderDecoder",
    "graph": "seqkit.graph:Graph",
}

T = TypeVar("T", bound=type)

_registered: dict[str, Target] = {}


def register(name: str) -> Callable[[T], T]:
    """Class decorator: make a Layer or Cell class available under `name`.

    A class of an installed package needs no decorator, its entry point names it.

    Parameters
    ----------
    name : str
        An identifier that is not that of a built-in layer.

    Raises
    ------
    PluginError
        If the name is taken.
    ConfigError
        If it is not an identifier.

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
    if not discovery.is_name(name):
        raise ConfigError(f"register({name!r}): a name is an identifier of ASCII letters, digits and underscores.")

    def add(cls: T) -> T:
        if not issubclass(cls, (Layer, Cell)):
            raise ConfigError(f"register({name!r}): {cls.__name__} must be a subclass of seqkit.Cell or seqkit.Layer.")
        path, importing = _path(cls), owner.get()
        if BUILT_IN.get(name, path) != path:
            raise PluginError(f"layer name {name!r} is built in and cannot be replaced by {path}; choose another name.")
        if importing is not None:  # it belongs to the package that is being imported, and takes no name from others
            discovery.add(Offer(name, path, importing.package, importing.version, declared=False))
        elif name in _registered and _path(_registered[name]) != path:
            raise PluginError(f"layer name {name!r} is taken by {_path(_registered[name])}; choose another for {path}.")
        else:
            _registered[name] = cls
        cls.name = name
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
    if name in BUILT_IN and name not in _registered:
        _registered[name] = load(find(name))
    return _registered[name] if name in _registered else load(find(name))


def find(name: str) -> Offer:
    """What a name means; imports nothing, and raises as :func:`get` does."""
    if name in BUILT_IN:
        return Offer(name, BUILT_IN[name], *_seqkit(), loaded=_registered.get(name))
    if name in _registered:
        return Offer(name, _path(_registered[name]), "this program", "", loaded=_registered[name])
    found = discovery.find(name)
    if not found:
        known = names()
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" did you mean {close[0]!r}?" if close else ""
        raise UnknownLayerError(f"no layer named {name!r};{hint} Installed: {', '.join(known)}.")
    if len(found) > 1:
        rivals = " and ".join(sorted(f"{offer.provider} ({offer.target})" for offer in found))
        choices = " or ".join(sorted(repr(offer.qualified) for offer in found))
        raise PluginError(f"layer name {name!r} is claimed by {rivals}; say {choices}.")
    return found[0]


def create(name: str, *args: Any, **options: Any) -> Layer:
    """A new layer by name.

    Parameters
    ----------
    name : str
        Name of a built-in or registered layer or cell, or of one of an installed package, also as ``package:name``.
    *args, **options
        Those of its class; of a cell the units and the options of :class:`~seqkit.Recurrent`.

    Raises
    ------
    UnknownLayerError
        If nothing has the name; the message says what is like it.
    PluginError
        If the package that has it cannot be imported.
    ConfigError
        If the options are not those of the class.

    Examples
    --------
    >>> import seqkit
    >>> seqkit.create("gru", 8).name
    'gru'
    """
    target = get(name)
    if name in _registered:
        return _make(target, *args, **options)
    with blamed(f"{find(name)} cannot be made", kind=ConfigError, passing=SeqkitError):
        return _make(target, *args, **options)


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
    """Every name that can be created, sorted; imports nothing."""
    offers = [offer for offer in discovery.allowed() if offer.fault is None]
    return sorted({*_registered, *BUILT_IN, *(offer.qualified if rival(offer) else offer.name for offer in offers)})


def rival(offer: Offer) -> str | None:
    """Why the short name of an offer does not lead to it; None if it does.

    Examples
    --------
    >>> rival(Offer("lstm", "my_package:LSTM", "my-package", "1.0"))
    "'lstm' alone is the built-in layer"
    """
    name = offer.name
    if name in BUILT_IN:
        return None if offer.target == BUILT_IN[name] else f"{name!r} alone is the built-in layer"
    if name in _registered and present(offer) is not _registered[name]:
        return f"{name!r} alone is registered by this program"
    others = [other.provider for other in discovery.find(name) if other is not offer]
    return f"{name!r} alone could also be that of {', '.join(others)}" if others else None


# ---- in files ------------------------------------------------------------------------------------


def spec(layer: Layer) -> dict[str, Any]:
    """Name, package, version and configuration of a layer as plain values, for a file."""
    record = _record(type(layer.cell) if type(layer) is Recurrent else type(layer))
    if record is None:
        raise ConfigError(f"{layer!r} is not registered; decorate its class with @seqkit.register to save it.")
    return {**record.spec(), "config": layer.config()}


def from_spec(description: Mapping[str, Any]) -> Layer:
    """An unbuilt layer from what :func:`spec` gave; no package is imported for it.

    Raises
    ------
    UnknownLayerError
        If its class is not there; the message says who provides it and what to do.
    """
    record, config = Record.of(description), dict(description["config"])
    target = _recorded(record)
    with blamed(f"layer {record.name!r} cannot be made", kind=ConfigError, passing=SeqkitError):
        return Recurrent(target, **config) if issubclass(target, Cell) else target.from_config(config)


def _recorded(record: Record) -> Target:
    """The class that a record means."""
    if record.name in BUILT_IN and record.package in (None, "seqkit"):
        return get(record.name)
    usable = record.usable()
    if len(usable) > 1:
        find(record.name)  # raises: several packages claim the name
    if usable:
        target = load(usable[0])
    elif record.name in _registered and record.name not in BUILT_IN:
        target = _registered[record.name]
    else:
        raise UnknownLayerError(record.missing())
    record.compare(_record(target) or Record(record.name, PROGRAM))
    return target


def _record(cls: type) -> Record | None:
    """What a file should say of a class; None for one that no name leads to."""
    path = _path(cls)
    for name, target in BUILT_IN.items():
        if target == path:
            return Record(name, *_seqkit())
    for offer in discovery.installed().offers:
        if present(offer) is cls:
            return Record(offer.name, offer.package, offer.version)
    for name, registered in _registered.items():
        if registered is cls:
            return Record(name, cls.__module__.partition(".")[0])
    return None


def _seqkit() -> tuple[str, str]:
    """Name and version of this package; its roof is imported when anything is."""
    return "seqkit", str(import_module("seqkit").__version__)


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _make(target: Target, *args: Any, **options: Any) -> Layer:
    return Recurrent(target, *args, **options) if issubclass(target, Cell) else target(*args, **options)
