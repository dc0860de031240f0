"""What a model file says of a layer's class: its name, and the package and version it came from.

A file never causes an import.  A class of a package is taken if the package has been imported,
or if SEQKIT_PLUGINS names it; else the error says what to do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from seqkit import discovery
from seqkit.discovery import VARIABLE, Offer
from seqkit.errors import ConfigError
from seqkit.importing import present

PROGRAM = "__main__"
"""What stands for the package of a class that the saving program defined itself."""

WORD = re.compile(r"[\w.+!-]{1,100}")


@dataclass(frozen=True)
class Record:
    """Name, package and version; files of early versions have the name alone."""

    name: str
    package: str | None = None
    version: str | None = None

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """The record in the description of a layer.

        Raises
        ------
        ConfigError
            If it cannot be one.
        """
        record = cls(description["layer"], description.get("package"), description.get("version"))
        others = [word for word in (record.package, record.version) if word is not None]
        if not isinstance(record.name, str) or not all(
            isinstance(word, str) and WORD.fullmatch(word) for word in others
        ):
            raise ConfigError(f"a layer cannot have name, package and version {tuple(vars(record).values())!r:.200}.")
        return record

    @property
    def home(self) -> str | None:
        """The package to look in; None is any."""
        return None if self.package == PROGRAM else self.package

    @property
    def provider(self) -> str:
        """Package and version in words."""
        return f"{self.package} {self.version or ''}".rstrip()

    def spec(self) -> dict[str, Any]:
        """What :meth:`of` reads."""
        return {"layer": self.name, "package": self.package, "version": self.version}

    def usable(self) -> list[Offer]:
        """The offers that are meant and may be taken: they are imported, or SEQKIT_PLUGINS names their package."""
        named = discovery.selection().named
        offers = discovery.find(self.name, self.home)
        return [offer for offer in offers if present(offer) is not None or offer.package in named]

    def compare(self, loaded: Record) -> None:
        """Warn if the class that was found is of another package or version."""
        if self.home is not None and (self.package, self.version) != (loaded.package, loaded.version):
            origins = f"saved with {self.provider} and is now of {loaded.provider}"
            warnings.warn(f"layer {self.name!r} was {origins}; results may differ.", stacklevel=2)

    def missing(self) -> str:
        """Why there is no class, and what to do."""
        if self.package == PROGRAM:
            return (
                f"layer {self.name!r} was defined in the program that saved the model (__main__); define it in this "
                f"one, too, decorated with @seqkit.register({self.name!r})."
            )
        if offers := discovery.find(self.name, self.home):
            package = offers[0].package
            return (
                f"layer {self.name!r} is provided by {offers[0].provider}, which is installed but not loaded, and a "
                f"model file imports nothing; call seqkit.load_plugin({package!r}) first (--plugin {package} on the "
                f"command line)."
            )
        if self.package is None:
            return (
                f"no layer named {self.name!r} is known. Install the package that provides it, or register its class."
            )
        return f"layer {self.name!r} is provided by {self.provider}, {self._absent()}"

    def _absent(self) -> str:
        package = discovery.normalized(str(self.package))
        if not discovery.selection().allows(package):
            return f"which {VARIABLE}={discovery.selection().text!r} excludes."
        versions = [offer.version for offer in discovery.installed().offers if offer.package == package]
        if versions:
            return f"but version {versions[0]}, which is installed, has no layer of this name; install that version."
        return "which is not loaded; install it if you trust it, or import the module that registers the class."
