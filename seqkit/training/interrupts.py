"""Ctrl-C that waits while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self


class Interrupts:
    """Holds Ctrl-C back between `hold` and `release` and acts on it right after.

    Elsewhere Ctrl-C acts at once, as it did before.  Only the main thread receives it; in
    another thread, or where Ctrl-C is ignored, nothing is changed.

    Examples
    --------
    >>> import signal
    >>> with Interrupts() as interrupts:
    ...     interrupts.hold()
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("goes on")
    ...     try:
    ...         interrupts.release()
    ...     except KeyboardInterrupt:
    ...         print("stops")
    goes on
    stops
    """

    def __init__(self) -> None:
        self._act: Callable[[int, FrameType | None], Any] | None = None
        self._held = self._waiting = False

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if callable(before) and threading.current_thread() is threading.main_thread():
            self._act = before
            signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._act is not None:
            signal.signal(signal.SIGINT, self._act)

    def hold(self) -> None:
        """Let Ctrl-C wait from now on."""
        self._held = True

    def release(self) -> None:
        """Act on a Ctrl-C that came, and on later ones at once."""
        self._held = False
        if self._waiting and self._act is not None:
            self._waiting = False
            self._act(signal.SIGINT, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._waiting = True
        elif self._act is not None:
            self._act(number, frame)
