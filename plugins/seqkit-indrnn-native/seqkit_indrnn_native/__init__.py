"""IndRNN for seqkit, with compiled kernels."""

from seqkit_indrnn_native.indrnn import IndRNN

__all__ = ["IndRNN"]
