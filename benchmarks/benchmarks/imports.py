"""How long a program waits before it can begin, each time in a process of its own."""


class Imports:
    """Import alone, with the engine, and up to the first output."""

    def timeraw_import(self):
        return "import seqkit"

    def timeraw_import_engine(self):
        return "import seqkit; seqkit.LSTM"

    def timeraw_first_output(self):
        return "import numpy, seqkit; seqkit.LSTM(8)(numpy.ones((1, 5, 3), 'float32'))"
