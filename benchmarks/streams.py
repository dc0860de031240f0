"""Steps of one stream; and 10,000 open streams, ticks of random subsets: time, throughput, bits of some streams.

python benchmarks/streams.py [threads]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import seqkit

STREAMS, FEATURES, TICKS, SAMPLE = 10_000, 64, 100, 50


def step_time(units: int, rounds: int = 100) -> float:
    """Seconds of a step of one row, the Python call included: the best of some rounds."""
    layer = seqkit.LSTM(units).build(units, seed=0)
    x, state = np.random.default_rng(0).standard_normal((1, units), dtype=np.float32), None
    count, best = 100_000 // units, np.inf
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(count):
            _, state = layer.step(x, state)
        best = min(best, (time.perf_counter() - began) / count)
    return best


def models() -> dict[str, Any]:
    """What is measured; all give the output of every step."""
    lstm = seqkit.LSTM(128, return_sequences=True).build(FEATURES, seed=0)
    layers = [seqkit.LSTM(128, return_sequences=True), seqkit.Dense(10)]
    return {"LSTM 128": lstm, "LSTM 128, Dense 10": seqkit.Sequential(layers, seed=0).build(FEATURES)}


def run_ticks(model: Any, size: int) -> np.ndarray:
    """Seconds of every tick, (TICKS,); the streams that come most often are compared with one call each."""
    rng = np.random.default_rng(0)
    streams = model.streams(STREAMS)
    ids = np.array([streams.open() for _ in range(STREAMS)])
    ticks = [rng.permutation(STREAMS)[:size] for _ in range(TICKS)]
    sample = np.argsort(-np.bincount(np.concatenate(ticks), minlength=STREAMS), kind="stable")[:SAMPLE]
    steps: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {row: [] for row in sample}
    seconds = np.empty(TICKS)
    for tick, rows in enumerate(ticks):
        x = rng.standard_normal((size, FEATURES), dtype=np.float32)
        began = time.perf_counter()
        y = streams.feed(ids[rows], x)
        seconds[tick] = time.perf_counter() - began
        for place in np.flatnonzero(np.isin(rows, sample)):
            steps[rows[place]].append((x[place].copy(), y[place].copy()))
    for row, pairs in steps.items():
        x, y = map(np.stack, zip(*pairs, strict=True))
        assert (model.forward(x[None], training=False)[0][0] == y).all(), f"stream {row}: other bits than one call"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("threads", type=int, nargs="?")
    seqkit.set_num_threads(parser.parse_args().threads)
    for units in (64, 128, 256, 512):
        print(f"LSTM.step, {units} units and features: {1e6 * step_time(units):.2f} us")
    print(f"{'model':20}{'tick':>6}{'p50 ms':>9}{'p99 ms':>9}{'streams/s':>12}")
    for name, model in models().items():
        for size in (1, 100, 1000, 5000):
            seconds = run_ticks(model, size)[5:]
            p50, p99 = 1e3 * np.quantile(seconds, [0.5, 0.99])
            print(f"{name:20}{size:6}{p50:9.3f}{p99:9.3f}{size / seconds.mean():12,.0f}")
    print(f"{SAMPLE} streams of each line have the bits of one call with the whole sequence")


if __name__ == "__main__":
    main()
