"""RTNeural's JSON files, in and out (https://github.com/jatinchowdhury18/RTNeural)."""

from __future__ import annotations

from seqkit.interop.rtneural.read import from_rtneural, read
from seqkit.interop.rtneural.write import to_rtneural

__all__ = ["from_rtneural", "read", "to_rtneural"]
