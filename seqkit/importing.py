"""Importing other people's classes without letting them do harm.

An import may print, change warnings, replace modules that others use, exit, or raise anything:
results on standard output stay whole, warnings and modules are put back, and whatever it raises
becomes a PluginError that names the layer and its package.  Ctrl-C is not held up.  A process
that is ended from inside (``os._exit``, a crash) cannot be helped.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from functools import reduce
from importlib import import_module
from inspect import isabstract
from typing import Any

from seqkit import discovery
from seqkit.discovery import TARGET, Offer
from seqkit.equations import Cell
from seqkit.errors import PluginError, SeqkitError, words
from seqkit.layer import Layer

Target = type[Layer] | type[Cell]

API_VERSION = Cell.api_version
"""Version of the contracts of Cell and Layer; a class says by its `api_version` which one it was written for."""

# Modules that nobody may replace.  distutils is replaced by setuptools, lawfully.
PROTECTED = sys.stdlib_module_names - {"distutils"} | {"seqkit", "numpy", "safetensors", "click"}

owner: ContextVar[Offer | None] = ContextVar("owner", default=None)
"""The offer that is being imported: what is registered meanwhile belongs to its package."""


def load(offer: Offer) -> Target:
    """The class that an offer leads to; from now on it has the offer's name.

    Raises
    ------
    PluginError
        If it cannot be imported or is not what a layer has to be.
    """
    if offer.loaded is None:
        _refuse(offer, offer.fault)
        if not discovery.selection().allows(offer.package):
            raise PluginError(f"{offer} is excluded by {discovery.VARIABLE}={discovery.selection().text!r}.")
        began, token = time.perf_counter(), owner.set(offer)
        try:
            offer.loaded = _import(offer)
        finally:
            owner.reset(token)
            offer.seconds = time.perf_counter() - began
    loaded: Target = offer.loaded
    return loaded


def load_plugin(package: str) -> list[str]:
    """Import all layers of an installed package, so that models which contain them can be loaded.

    One that cannot be imported is warned about.

    Parameters
    ----------
    package : str
        Name of the distribution, as in ``pip install``.

    Returns
    -------
    list of str
        The qualified names of its layers.

    Raises
    ------
    PluginError
        If it is not installed, ``SEQKIT_PLUGINS`` excludes it, or none of its layers can be imported.

    Examples
    --------
    >>> load_plugin("no-such-plugin")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    seqkit.errors.PluginError: no package 'no-such-plugin' with layers is installed; packages with layers: ...
    """
    loaded, errors = [], []
    for offer in discovery.of_package(package):
        try:
            load(offer)
        except PluginError as error:
            errors.append(error)
        else:
            loaded.append(offer.qualified)
    if not loaded:
        raise errors[0]
    for failure in errors:
        warnings.warn(str(failure), stacklevel=2)
    return loaded


def present(offer: Offer) -> Target | None:
    """The class that an offer leads to, if its module has been imported; imports nothing."""
    if offer.loaded is None and TARGET.fullmatch(offer.target) is not None:
        try:
            return _resolve(offer, sys.modules.__getitem__)
        except Exception:
            return None
    return offer.loaded


@contextmanager
def blamed(
    what: str, advice: str = "", kind: type[SeqkitError] = PluginError, passing: type[BaseException] = KeyboardInterrupt
) -> Iterator[None]:
    """Turn what somebody else's code raises into an error of this `kind` that begins with `what`."""
    try:
        yield
    except (KeyboardInterrupt, passing):
        raise
    except BaseException as error:
        raise kind(f"{what}: {words(error)}. {advice}".rstrip()) from error


@contextmanager
def undisturbed() -> Iterator[list[str]]:
    """Send what is printed to standard error; put warnings and modules back, and name these at the end."""
    names: list[str] = []
    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in PROTECTED}
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        try:
            yield names
        finally:
            replaced = {name: module for name, module in modules.items() if sys.modules.get(name) is not module}
            sys.modules.update(replaced)
            names.extend(replaced)


def _import(offer: Offer) -> Target:
    """Import and name a class."""
    with blamed(f"{offer} cannot be imported", f"Update or uninstall {offer.package}."), undisturbed() as replaced:
        cls = _resolve(offer, import_module)
        fault = _fault(cls, offer)
        if fault is None:
            cls.name = offer.name
    if replaced:  # a second import would not do it again, and not be found out
        offer.fault = f"its import replaces the modules {', '.join(replaced)}"
    _refuse(offer, offer.fault or fault)
    return cls


def _refuse(offer: Offer, fault: str | None) -> None:
    if fault is not None:
        raise PluginError(f"{offer} cannot be used: {fault}.")


def _resolve(offer: Offer, module_of: Any) -> Any:
    module, _, attributes = offer.target.partition("[")[0].strip().partition(":")
    return reduce(getattr, attributes.split("."), module_of(module))


def _fault(cls: Any, offer: Offer) -> str | None:
    """What is wrong with a class, in words that complete "cannot be used:"."""
    if not (isinstance(cls, type) and issubclass(cls, (Layer, Cell))):
        return "it is not a seqkit.Cell or seqkit.Layer class"
    if cls.__module__.partition(".")[0] == "seqkit" and offer.package != "seqkit":
        return "it is a class of seqkit itself; make a subclass"
    version = cls.api_version
    if version != API_VERSION:
        older = isinstance(version, int) and version < API_VERSION
        return (
            f"it is written for version {version!r} of the interface of cells and layers, and this seqkit has version "
            f"{API_VERSION}; update {offer.package if older else 'seqkit'}"
        )
    if issubclass(cls, Cell) and cls.step is Cell.step:
        return "it does not define step(self, x, U, s, p)"
    if isabstract(cls):
        return f"it does not define {', '.join(sorted(getattr(cls, '__abstractmethods__', ())))}"
    name = vars(cls).get("name", offer.name)
    return None if name == offer.name else f"the class calls itself {name!r}; it and the entry point must agree"
