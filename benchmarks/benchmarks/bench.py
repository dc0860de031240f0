"""``seqkit.bench`` of this checkout, on top of the seqkit that is installed and measured.

What is called, with what data, and how time is taken is then the same for every version, and
the same as in `seqkit bench`; only the engine is another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "seqkit" / "bench"

spec = spec_from_file_location("seqkit.bench", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
assert spec is not None
sys.modules["seqkit.bench"] = module_from_spec(spec)

from seqkit.bench.cases import Case  # noqa: E402
from seqkit.bench.timing import take_turn  # noqa: E402
from seqkit.bench.workload import Workload  # noqa: E402

__all__ = ["known", "make", "take_turn"]


@contextmanager
def known() -> Iterator[None]:
    """Inside, a layer that a version does not have yet is left out, and is no failure."""
    from seqkit.errors import UnknownLayerError

    try:
        yield
    except UnknownLayerError as error:
        raise NotImplementedError(str(error)) from None


def make(cell: str, mode: str, shape: str) -> Workload:
    """A case made ready, of a shape such as "B32 T100 H64"."""
    batch, time, units = (int(part[1:]) for part in shape.split())
    return Workload(Case(cell, mode, batch, time, features=units, units=units))
