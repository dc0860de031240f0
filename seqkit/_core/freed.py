"""What becomes of memory that is freed."""

from __future__ import annotations

import numpy as np

LARGEST_NOTICED = 31 * 2**20
"""Bytes; glibc notices blocks of up to 32 MiB."""


def keep_freed_memory() -> None:
    """Let the process keep memory that arrays leave, for the next ones.

    glibc takes large blocks from the system and gives them back when they are freed, so that every new array is
    filled with zeros by the system, page by page, until a block as large has been freed once (mallopt(3), dynamic
    threshold).  Layers that give new arrays in every batch would pay for that.  So one is freed here that was never
    written to.  Other allocators do not mind, and settings in the environment of the process stay as they are.
    """
    np.empty(LARGEST_NOTICED, np.uint8)
