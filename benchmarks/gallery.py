"""The gallery of cells, docs/gallery.md: ``python benchmarks/gallery.py [--speed] [--task] [NAME ...]``.

Every registered cell with its equations, printed from its program; its parameters; the time of a
pass beside the LSTM's, in turns (--speed); and the error of its forecast of the sunspots (--task).
What was measured is kept in gallery.json beside this file, so that cells can be measured one by
one; without --speed or --task the page is only written anew.  Install the plugins first.

Legend: B batch, T time, H units, I input features.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import seqkit
from raw_inputs import of_a_series
from seqkit import registry
from seqkit.data.files import EMBEDDED, locate, read_series
from seqkit.equations import describe_equations
from seqkit.tasks import forecast

FIGURES = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[1] / "docs" / "gallery.md"
BATCH, TIME, UNITS = 32, 100, 128
TURNS, LEAST = 15, 0.01  # of each layer, and seconds of one
SEEDS = range(5)

HEAD = f"""# Gallery

Every registered cell, with what its program prints.
Written by `benchmarks/gallery.py`, with the plugins of this repository installed.

- *parameters*: for each unit of a layer of H units whose W reads H features.
- *train*, *infer*: time of the LSTM over that of the cell, so 2 is twice as fast: B{BATCH} T{TIME}, H and I {UNITS},
  float32, one thread, in turns in one process (AVX-512).
  The pointwise part of the built-in cells and of `indrnn_native` is compiled, that of the others interpreted.
- *sunspots*: RMSE of `seqkit fit sunspots --cell NAME --seed 0` to 4 (yearly sunspot numbers, the next year, the last
  60 years held out), mean and standard deviation; the same settings for all, chosen for none.
  The forecast that nothing changes has 32.9. Cells that read more than values are told that all have full attention,
  follow each other in steps of 1, and that none is missing.

In the equations `x[t]` is the input, `[t-1]` the step before, `W x + b` what a gate takes from the input, `U` a
recurrent matrix, `*` the product unit by unit.
"""


def cells() -> list[str]:
    """Names of all layers that are made of equations, the built-in ones first."""
    return sorted(
        filter(registry.is_cell, (name for name in registry.names() if name != "bidirectional")),
        key=lambda name: (name not in registry.BUILT_IN, name),
    )


def built(name: str, units: int) -> Any:
    """A layer whose W reads as many features as there are units; raw inputs come on top."""
    layer = seqkit.create(name, units, return_sequences=True)
    raw = layer.cell.inputs.values()
    own = sum(units if size == "features" else size for size in raw)
    return layer.build(own if "features" in raw else units + own, seed=0)


def parameters(name: str) -> str:
    """Parameters per unit as a formula, from the counts of three sizes."""
    sizes = np.array([32, 64, 128])
    counts = [sum(array.size for array in built(name, int(units)).params.values()) for units in sizes]
    square, linear, rest = (round(c) for c in np.linalg.solve(np.vander(sizes, 3), counts))
    terms = [f"{square} H".removeprefix("1 ") * bool(square), f"{linear}" * bool(linear), f"{rest} / H" * bool(rest)]
    return " + ".join(filter(None, terms))


def passes(name: str) -> dict[str, Callable[[], object]]:
    """A training pass and one of inference."""
    layer, rng = built(name, UNITS), np.random.default_rng(0)
    x = rng.standard_normal((BATCH, TIME, layer.input_size), dtype=np.float32)
    dy = rng.standard_normal((BATCH, TIME, layer.output_size), dtype=np.float32)

    def train() -> None:
        layer.zero_grads()
        layer.backward(dy, layer.forward(x)[1])

    return {"train": train, "infer": lambda: layer.forward(x, training=False)}


def seconds(run: Callable[[], object]) -> float:
    """Seconds of one pass, of as many as make a turn."""
    count, began = 0, time.perf_counter()
    while not count or time.perf_counter() - began < LEAST:
        run()
        count += 1
    return (time.perf_counter() - began) / count


def speed(name: str) -> dict[str, float]:
    """Time of the LSTM over that of the cell, in turns."""
    ratios = {}
    with seqkit.threads(1):
        own, other = passes(name), passes("lstm")
        for mode in own:
            taken = [(seconds(other[mode]), seconds(own[mode])) for _ in range(TURNS + 1)][1:]
            lstm, cell = (statistics.median(times) for times in zip(*taken, strict=True))
            ratios[mode] = lstm / cell
    return ratios


def task(name: str) -> dict[str, list[float]]:
    """Errors of the forecasts of the sunspots, one for every seed."""
    name = of_a_series(name) if registry.cell_of(name).inputs else name
    series, usual = read_series(locate("sunspots"), None), EMBEDDED["sunspots"]
    plan = forecast.Plan.of(series, None, 1, usual.holdout, usual.season)
    settings = [replace(forecast.DEFAULTS, cell=name, seed=seed) for seed in SEEDS]
    return {"rmse": [forecast.report(forecast.fit(series, plan, one), series)["rmse"] for one in settings]}


def sections(figures: dict[str, Any]) -> Iterator[str]:
    """The page, piece by piece: a table of all cells, then each by itself."""
    yield HEAD
    yield "| cell | parameters | train | infer | sunspots |\n|---|---|---|---|---|"
    for name in cells():
        known = figures.get(name, {})
        ratios = [f"{known[mode]:.2f}" if mode in known else "" for mode in ("train", "infer")]
        errors = known.get("rmse")
        error = f"{statistics.mean(errors):.1f} ± {statistics.stdev(errors):.1f}" if errors else ""
        yield f"| [`{name}`](#{name}) | {parameters(name)} | {' | '.join(ratios)} | {error} |"
    for name in cells():
        cell = registry.cell_of(name)
        summary = (inspect.getdoc(cell) or "").split("\n\n")[0].replace("\n", " ")
        yield f"\n## {name}\n\n{summary}\n\n```\n{describe_equations(cell)}\n```"


def main() -> None:
    """Measure what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cells to measure (default: all)")
    parser.add_argument("--speed", action="store_true", help="measure the time of passes")
    parser.add_argument("--task", action="store_true", help="forecast the sunspots")
    options = parser.parse_args()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in options.names or cells():
        own = figures.setdefault(name, {})
        own |= (speed(name) if options.speed else {}) | (task(name) if options.task else {})
        if own:
            print(name, own, flush=True)
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    PAGE.write_text("\n".join(sections(figures)) + "\n")


if __name__ == "__main__":
    main()
