"""All formats by name."""

from hostile.native import NATIVE

FORMATS = {kind.name: kind for kind in (NATIVE,)}
