"""Models of PyTorch: state dicts and modules in, state dicts out; PyTorch is needed only for modules."""

from __future__ import annotations

from seqkit.interop.torch.export import mapping, state_dict
from seqkit.interop.torch.reader import from_torch, read

__all__ = ["from_torch", "mapping", "read", "state_dict"]
