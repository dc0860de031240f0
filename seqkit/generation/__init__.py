"""Sequences that a model writes itself: sampling from language models, and the search of decoders."""

from __future__ import annotations

from seqkit.generation.filters import probabilities
from seqkit.generation.language_model import generate

__all__ = ["generate", "probabilities"]
