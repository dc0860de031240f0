"""Run by test_memory_budget.py: what a process grows by, in MiB, while it trains within a budget."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import seqkit

MODELS = {
    "last": lambda units: [seqkit.LSTM(units), seqkit.Dense(1)],
    "steps": lambda units: [seqkit.GRU(units, return_sequences=True), seqkit.Dense(1)],
    "both": lambda units: [seqkit.Bidirectional(seqkit.LSTM(units, return_sequences=True)), seqkit.LSTM(units)],
}


def resident(name: str) -> float:
    """MiB: VmRSS now, VmHWM at the highest point."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) / 1024


def train(kind: str, units: int, batch: int, time: int, memory: str | None) -> float:
    """Peak above the start, which is after the model and the data were made."""
    model = seqkit.Sequential(MODELS[kind](units), seed=0).build(4)
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((batch, time, 4), dtype=np.float32)
    y = np.zeros((batch, time, 1) if kind == "steps" else (batch, model.layers[-1].output_size), np.float32)
    before = resident("VmRSS")
    model.fit(x, y, batch_size=batch, epochs=2, memory=memory)
    return resident("VmHWM") - before


if __name__ == "__main__":
    kind, units, batch, time, memory = sys.argv[1:]
    train(kind, 4, 2, 3, None)  # code that is loaded only once
    print(train(kind, int(units), int(batch), int(time), memory if memory != "-" else None))
