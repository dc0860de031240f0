"""Working memory of layers, kept from call to call."""

from __future__ import annotations

from seqkit import _core


class ArenaPool:
    """Working memory that outlives a call, so that the next one of its size finds its pages in place.

    Memory of one purpose has one size from call to call; at most two blocks of each are kept.
    """

    def __init__(self) -> None:
        self._idle: dict[str, list[_core.Arena]] = {}

    def take(self, purpose: str) -> _core.Arena:
        """A block, the last one given back if there is one."""
        try:
            return self._idle[purpose].pop()
        except (KeyError, IndexError):
            return _core.Arena()

    def give_back(self, purpose: str, arena: _core.Arena) -> None:
        """Offer a block for the next call."""
        idle = self._idle.setdefault(purpose, [])
        if len(idle) < 2:
            idle.append(arena)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept for the next calls."""
        return sum(arena.capacity for idle in self._idle.values() for arena in idle)

    def release(self) -> None:
        """Free what is kept."""
        self._idle = {}
