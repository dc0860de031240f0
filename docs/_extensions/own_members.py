"""Classes are shown with the members that seqkit gives them, not with those of base classes of other libraries."""

from __future__ import annotations

from typing import Any


def is_foreign(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Whether a member comes from elsewhere; None leaves the choice to autodoc."""
    function = thing.fget if isinstance(thing, property) else thing
    module = getattr(function, "__module__", None) or "seqkit"
    return True if callable(function) and not module.startswith("seqkit") else None


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", is_foreign)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
