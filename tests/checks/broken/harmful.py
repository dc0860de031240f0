"""Layers that harm the process: only for a child."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

from checks.broken.right import Scale


class Crashes(Scale):
    """Reads where there is no memory if there are 64 sequences."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        return ctypes.string_at(0) if len(x) == 64 else super().forward(x, *arguments, **options)


class NeverEnds(Scale):
    """Waits for ever where there are 64 sequences."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        while len(x) == 64:
            time.sleep(0.01)
        return super().forward(x, *arguments, **options)


class Leaves(Scale):
    """Ends the process."""

    def release_memory(self) -> None:
        os._exit(3)


class Exits(Scale):
    """Raises what ends a program."""

    def release_memory(self) -> None:
        raise SystemExit("good bye")


class CrashesAtOnce(Scale):
    """Cannot even be built."""

    def _build(self, rng: Any) -> Any:
        ctypes.string_at(0)


HARMFUL = {
    Crashes: ("check_batch", "its process was killed by SIGSEGV, in string_at "),
    NeverEnds: ("check_batch", "takes more than 2 s, in forward "),
    Leaves: ("check_release_memory", "its process ended with exit code 3"),
    Exits: ("check_release_memory", "SystemExit: good bye"),
    CrashesAtOnce: ("check_build", "its process was killed by SIGSEGV"),
}
"""The check that each one fails, and what is said."""
