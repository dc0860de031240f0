"""Models with layers of steps, windows and attention, to be written as ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import seqkit

CASES: dict[str, Callable[[], list[Any]]] = {
    "mean": lambda: [seqkit.GRU(5, return_sequences=True), seqkit.MeanPool()],
    "largest": lambda: [seqkit.MaxPool(), seqkit.Dense(2)],
    "convolution": lambda: [seqkit.Conv1D(5, 3, activation="relu")],
    "same": lambda: [seqkit.Conv1D(5, 4, padding="same", dilation_rate=2), seqkit.MaxPool()],
    "causal": lambda: [seqkit.Conv1D(4, 3, padding="causal", use_bias=False), seqkit.LSTM(3)],
    "strides": lambda: [seqkit.Conv1D(4, 2, 2), seqkit.MeanPool()],
    "causal strides": lambda: [seqkit.Conv1D(4, 3, 2, "causal"), seqkit.GRU(3)],
    "products": lambda: [seqkit.Attention("sqrt"), seqkit.LastStep()],
    "trained, causal": lambda: [seqkit.Attention("trained", causal=True)],
    "network": lambda: [seqkit.AdditiveAttention(6), seqkit.MeanPool()],
    "network, causal": lambda: [seqkit.AdditiveAttention(6, causal=True)],
    "heads": lambda: [seqkit.Dense(6), seqkit.MultiHeadAttention(2, 3), seqkit.MaxPool()],
    "heads, causal": lambda: [seqkit.MultiHeadAttention(3, 2, causal=True, use_bias=False)],
    "norm": lambda: [
        seqkit.LayerNorm(),
        seqkit.LayerNorm(0.1, scale=False),
        seqkit.LayerNorm(center=False),
        seqkit.GRU(2),
    ],
    "residual": lambda: [seqkit.Residual(seqkit.GRU(3, return_sequences=True)), seqkit.Residual(seqkit.Dense(3))],
    "every step": lambda: [seqkit.TimeDistributed(seqkit.Dense(4, activation="softmax")), seqkit.MeanPool()],
    "block": lambda: [
        seqkit.Residual(seqkit.MultiHeadAttention(1, 4)),
        seqkit.LayerNorm(),
        seqkit.Residual(seqkit.Conv1D(3, 3, padding="same")),
        seqkit.MaxPool(),
    ],
}


def model(name: str, dtype: str = "float32") -> seqkit.Sequential:
    """One of them, built for 3 features."""
    return seqkit.Sequential(CASES[name](), seed=0, dtype=dtype).build(3)
