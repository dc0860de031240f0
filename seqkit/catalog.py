"""Every layer there is, with its provider, for lists: what works, what does not, and why."""

from __future__ import annotations

from dataclasses import dataclass

from seqkit import discovery, registry
from seqkit.discovery import Offer
from seqkit.equations import Cell
from seqkit.errors import PluginError
from seqkit.importing import blamed, load
from seqkit.native import kernels_of
from seqkit.recurrent import Recurrent

SLOW = 2.0
"""Seconds that an import may take before it is remarked on."""


@dataclass(frozen=True)
class Entry:
    """A name that can be created, or could be but for an error.

    Attributes
    ----------
    name, target : str
        What to pass to :func:`seqkit.create`, and the class that it leads to.
    package, version : str
        Who provides it.
    error : str or None
        Why it cannot be used.
    remark : str or None
        What those who use it may want to know.
    """

    name: str
    target: str
    package: str
    version: str
    error: str | None = None
    remark: str | None = None


def entries(excluded: bool = False) -> list[Entry]:
    """Every layer, sorted by name; each is imported once to see whether it works.

    Parameters
    ----------
    excluded : bool
        Also those of packages that SEQKIT_PLUGINS excludes; they are not imported, and their error says so.
    """
    own = [registry.find(name) for name in registry.names() if ":" not in name]
    others = discovery.installed().offers if excluded else discovery.allowed()
    return sorted(map(_entry, dict.fromkeys([*own, *others])), key=lambda entry: entry.name)


def _entry(offer: Offer) -> Entry:
    """An offer, tried."""
    target, error, remark = offer.target, None, None
    try:
        cls = load(offer)
        target = f"{cls.__module__}:{cls.__qualname__}"
        if issubclass(cls, Cell):
            with blamed(f"{offer} cannot be made"):
                Recurrent(cls, 1)
            remark = kernels_of(cls).problem or None
    except PluginError as caught:
        error = str(caught)
    rival = registry.rival(offer)
    slow = f"its import took {offer.seconds:.1f} s" if offer.seconds > SLOW else None
    name = offer.qualified if rival or not discovery.is_name(offer.name) else offer.name
    return Entry(name, target, offer.package, offer.version, error, rival or remark or slow)
