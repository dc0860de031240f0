"""What the examples share: their command line, data sets, training on a stream of new samples."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import seqkit
from seqkit.data.synthetic import Synthetic

CHUNK = 2000  # sequences; the criteria of Hochreiter and Schmidhuber look at the last 2,000


def parser(text: str | None) -> argparse.ArgumentParser:
    """A command line with --seed and --quick."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--seed", type=int, default=0, help="of the weights, the data and their order (default 0)")
    made.add_argument("--quick", action="store_true", help="some seconds that show that it runs; solves nothing")
    return made


def load(name: str) -> Any:
    """A data set of seqkit.datasets; ends the program, saying so, where it cannot be had."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    if beside.exists():
        os.environ.setdefault("SEQKIT_DATA", str(beside))
    try:
        return seqkit.datasets.load(name)
    except seqkit.SeqkitError as error:
        sys.exit(f"skipped: {error}")


def train_on_stream(
    model: seqkit.Sequential,
    draw: Callable[[int, np.random.Generator], Synthetic],
    solved: Callable[[dict[str, float]], bool],
    most: int,
    seed: int,
    batch_size: int = 32,
) -> int:
    """Train on chunks of 2,000 new sequences until the means over one, as it was trained on, are `solved`.

    Returns the number of sequences seen, or 0 if `most` did not suffice.
    """
    rng = np.random.default_rng([seed, 1])
    for seen in range(CHUNK, most + 1, CHUNK):
        data = draw(CHUNK, rng)
        history = model.fit(data.x, data.y, batch_size=batch_size, lengths=data.lengths, shuffle=False).history
        logs = {name: values[-1] for name, values in history.items()}
        print(f"{seen:8d} sequences  " + "  ".join(f"{name} {value:.4f}" for name, value in logs.items()), flush=True)
        if solved(logs):
            return seen
    return 0


def remember(layer: seqkit.Recurrent, steps: int, seed: int) -> None:
    """Set the gate biases of an LSTM so that its units forget over 1 to `steps` steps.

    ``b_f = log u, b_i = -b_f`` with u uniform in 1 to `steps - 1`: the chrono initialization of
    Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    """
    spans = np.random.default_rng([seed, 3]).uniform(1, steps - 1, size=layer.units)
    bias = layer.params["bias"].reshape(4, layer.units).copy()
    bias[1] = np.log(spans)
    bias[0] = -bias[1]
    layer.params["bias"] = bias.reshape(-1)
