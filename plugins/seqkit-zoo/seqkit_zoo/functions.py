"""Functions that several cells of this package use."""

from __future__ import annotations

from typing import Any

from seqkit.equations import mean, sigmoid, sqrt, where


def positive(x: Any) -> Any:
    """x + 1/2 where x >= 0, else sigmoid(x): continuous, growing and above 0 (Feng et al., 2024, appendix B)."""
    return where(x >= 0, x + 0.5, sigmoid(x))


def joint_layer_norm(parts: list[Any], epsilon: float = 1e-5) -> list[Any]:
    """The parts of one long vector, normalised together to mean 0 and variance 1 (Ba et al., 2016)."""
    count = len(parts)
    level = mean(sum(parts[1:], parts[0])) / count
    centred = [part - level for part in parts]
    squares = [part * part for part in centred]
    deviation = sqrt(mean(sum(squares[1:], squares[0])) / count + epsilon)
    return [part / deviation for part in centred]
