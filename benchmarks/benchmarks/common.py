"""What the benchmarks measure.

Everything here is a literal: asv runs this file against old and new versions, and a table that
came from the installed version would compare different things.  ``tests/test_bench.py`` fails
when a built-in cell is not in the list.  Append; what is changed loses its history.

Legend: B batch, T time, H units, of which there are as many as input features.
"""

CELLS = ["simple_rnn", "lstm", "gru", "peephole"]
SEQUENCES = ["B1 T100 H128", "B32 T100 H64", "B32 T100 H256"]
STREAMS = ["B1 H128", "B32 H128"]


def sizes(shape):
    """The numbers of a shape, "B32 T100 H64" -> [32, 100, 64]."""
    return [int(part[1:]) for part in shape.split()]
