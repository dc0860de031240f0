"""What a program waits for, and the memory it has taken, before it can begin; each in a process of its own."""

from __future__ import annotations


class Imports:
    """Import alone, with the engine, and up to the first output."""

    def timeraw_import(self) -> str:
        return "import seqkit"

    def timeraw_import_engine(self) -> str:
        return "import seqkit; seqkit.LSTM"

    def timeraw_first_output(self) -> str:
        return "import numpy, seqkit; seqkit.LSTM(8)(numpy.ones((1, 5, 3), 'float32'))"

    def peakmem_import_engine(self) -> None:
        """Of asv, Python, NumPy and seqkit: what every other peak contains."""
        import seqkit

        _ = seqkit.LSTM
