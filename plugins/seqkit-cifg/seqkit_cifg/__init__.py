"""The LSTM with coupled input and forget gates, which seqkit finds by the name "cifg"."""

from seqkit_cifg.cifg import CIFG

__all__ = ["CIFG"]
