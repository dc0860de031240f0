"""The batches and comparisons of the public kit, for tests."""

from seqkit.testing.data import Data, Make, assert_close, assert_same_bits, fill, named, run

__all__ = ["Data", "Make", "assert_close", "assert_same_bits", "fill", "named", "run"]
