"""What installed packages offer: the entry points of the group ``seqkit.layers``.

Only metadata are read here, once and when they are first asked for; nothing is imported.  Each
distribution is read by itself, so that one with damaged metadata hides no other, and what is
wrong with an entry point is kept beside it.

``SEQKIT_PLUGINS`` selects: "none" takes no package, "seqkit-zoo,other" takes these alone,
"-seqkit-zoo" takes all but this one.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqkit.errors import PluginError, words

if TYPE_CHECKING:
    from importlib.metadata import Distribution

GROUP = "seqkit.layers"
VARIABLE = "SEQKIT_PLUGINS"
TARGET = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<attribute>\w+(\.\w+)*)(\s*\[.*\])?")


@dataclass(eq=False)
class Offer:
    """A layer of some package.

    Attributes
    ----------
    name, target : str
        What it is called, and where it is: "module:Class".
    package, version : str
        The distribution, its name normalised, that it belongs to.
    fault : str or None
        Why it cannot be used, where the entry point itself is to blame.
    declared : bool
        Whether an entry point says so; else a module of the package registered it when it was imported.
    loaded : type or None
        The class, once it has been imported and found good.
    seconds : float
        How long the import took.
    """

    name: str
    target: str
    package: str
    version: str
    fault: str | None = None
    declared: bool = True
    loaded: Any = None
    seconds: float = 0.0

    @property
    def qualified(self) -> str:
        """The name that no other package can claim."""
        return f"{self.package}:{self.name}"

    @property
    def provider(self) -> str:
        """Name and version of the package."""
        return f"{self.package} {self.version}".rstrip()

    def __str__(self) -> str:
        return f"layer {self.name!r} of {self.provider} ({self.target})"


@dataclass
class Installed:
    """What the metadata of all packages say, and which of them cannot be read."""

    offers: list[Offer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Selection:
    """The packages that SEQKIT_PLUGINS names, and those that it names with a minus."""

    text: str
    named: frozenset[str]
    without: frozenset[str]

    def allows(self, package: str) -> bool:
        """Whether layers of a package may be imported; seqkit's own always may."""
        if "none" in self.named or package in self.without or (self.named and package not in self.named):
            return package == "seqkit"
        return True


_installed: Installed | None = None


def installed() -> Installed:
    """All offers but seqkit's own; the metadata are read at the first call."""
    global _installed
    if _installed is None:
        _installed = _read_all()
    return _installed


def selection() -> Selection:
    """What SEQKIT_PLUGINS says now."""
    text = os.environ.get(VARIABLE, "")
    parts = [part.strip() for part in text.split(",") if part.strip()]
    without = frozenset(normalized(part[1:]) for part in parts if part.startswith("-"))
    return Selection(text, frozenset(normalized(part) for part in parts if not part.startswith("-")), without)


def allowed() -> list[Offer]:
    """The offers of packages that SEQKIT_PLUGINS allows."""
    chosen = selection()
    return [offer for offer in installed().offers if chosen.allows(offer.package)]


def find(name: str, package: str | None = None) -> list[Offer]:
    """The offers that a name means: those without a fault, and the declared ones, come before others.

    `name` may be qualified, as in "seqkit-zoo:mgu", or `package` given.
    """
    if package is None and ":" in name:
        package, _, name = name.rpartition(":")
    wanted = None if package is None else normalized(package)
    found = [offer for offer in allowed() if offer.name == name and wanted in (None, offer.package)]
    found = [offer for offer in found if offer.fault is None] or found
    return [offer for offer in found if offer.declared] or found


def of_package(package: str) -> list[Offer]:
    """All offers of an installed package.

    Raises
    ------
    PluginError
        If there are none.
    """
    wanted, everything = normalized(package), installed().offers
    found = [offer for offer in everything if offer.package == wanted]
    if not found:
        known = ", ".join(sorted({offer.package for offer in everything})) or "none"
        raise PluginError(f"no package {package!r} with layers is installed; packages with layers: {known}.")
    return found


def add(offer: Offer) -> None:
    """Remember a layer that was registered while its package was imported."""
    known = installed().offers
    if all(other.qualified != offer.qualified for other in known):
        known.append(offer)


def normalized(package: str) -> str:
    """The name of a distribution as PEP 503 writes it.

    Examples
    --------
    >>> normalized("Seqkit_Zoo")
    'seqkit-zoo'
    """
    return re.sub(r"[-_.]+", "-", package).lower()


def is_name(name: str) -> bool:
    """Whether a layer may be called so: an identifier of ASCII letters, so that no two names look alike."""
    return name.isascii() and name.isidentifier()


def _read_all() -> Installed:
    from importlib.metadata import distributions  # 10 ms: not before it is needed

    found = Installed()
    seen = {"seqkit"}  # its own layers are in the table of the registry
    for distribution in distributions():
        try:
            folder = Path(str(getattr(distribution, "_path", "")))  # not public, but what pip reads as well
            package = _package(distribution, folder)
            if package not in seen:  # the first on the path is the one that is imported
                seen.add(package)
                found.offers += _read(distribution, package, folder)
        except Exception as error:
            found.problems.append(f"{folder}: entry points cannot be read ({words(error)}); reinstall the package.")
    return found


def _package(distribution: Distribution, folder: Path) -> str:
    """The name, taken from that of the metadata's folder (PEP 427), which is there even where the metadata are not."""
    if folder.suffix in (".dist-info", ".egg-info"):
        return normalized(folder.stem.partition("-")[0])
    return normalized(distribution.metadata["Name"])


def _read(distribution: Distribution, package: str, folder: Path) -> Iterator[Offer]:
    if GROUP not in (distribution.read_text("entry_points.txt") or ""):
        return
    version = "".join(folder.stem.split("-")[1:2]) or _version(distribution)
    points = [(point.name, point.value) for point in distribution.entry_points.select(group=GROUP)]
    times = Counter(name for name, _ in points)
    for name, value in points:
        yield Offer(name, value, package, version, _fault(name, value, times[name]))


def _version(distribution: Distribution) -> str:
    try:
        return distribution.version or ""
    except Exception:  # no metadata; which one it is depends on the version of Python
        return ""


def _fault(name: str, value: str, times: int) -> str | None:
    if not is_name(name):
        return "its name must be an identifier of ASCII letters, digits and underscores"
    if not TARGET.fullmatch(value):
        return "its entry point must read module:Class"
    return "its package gives this name to more than one class" if times > 1 else None
