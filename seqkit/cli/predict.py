"""``seqkit predict``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

import click

from seqkit._core import threads as using_threads
from seqkit.cli import complete
from seqkit.cli.console import whole_file
from seqkit.cli.named import measured_file
from seqkit.cli.options import THREADS, reading_options, writable
from seqkit.errors import LoadError
from seqkit.importing import load_plugin
from seqkit.model import Sequential
from seqkit.options import LOW_PRECISIONS
from seqkit.tasks import classify, forecast, outputs, regress
from seqkit.tasks.saved import understand

ROWS = {"forecast": forecast.rows, "classify": classify.rows, "regress": regress.rows, "outputs": outputs.rows}


@click.command()
@click.argument("model", shell_complete=complete.files)
@click.argument("data", shell_complete=complete.data)
@click.option("--out", default="-", metavar="FILE", help="Where to write.  [default: standard output]")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document instead of CSV.")
@reading_options
@click.option("--precision", type=click.Choice(("float32", *LOW_PRECISIONS)), help="Precision of products.")
@click.option("--plugin", "plugins", metavar="NAME", multiple=True, help="Package whose layers MODEL may use.")
@click.option("--threads", type=THREADS, help="Threads to use.  [default: all processors]")
def predict(
    model: str, data: str, out: str, as_json: bool, precision: str | None, plugins: Sequence[str],
    threads: int | None, id_column: str | None, ignore: Sequence[str],
) -> None:  # fmt: skip
    """Apply MODEL to DATA.

    \b
    MODEL is a file saved by `seqkit fit`, by a SequenceClassifier or SequenceRegressor,
    or by Sequential.save; the last one takes the numbers of DATA and gives its
    outputs as they are.  Models that do not know columns read .npz and .ts
    files, and tables with --id.

    \b
    Forecasts have one row per point in time that can be forecast, the last ones
    beyond the end of DATA; sequences have one row each.  True values stand beside
    the predictions where DATA has them.

    MODEL imports no package by itself: --plugin names one whose layers it may use; it may
    be repeated.

    \b
    Examples (after `seqkit fit sunspots`):
      seqkit predict sunspots.safetensors sunspots
      seqkit predict sunspots.safetensors sunspots --out forecast.csv
      seqkit predict sunspots.safetensors sunspots --json | tail -n 3
    """
    for package in plugins:
        load_plugin(package)
    output = click.open_file("-", "w", encoding="utf-8") if out == "-" else whole_file(writable(out))
    loaded = Sequential.load(model)
    understand(loaded, model, id_column, ignore)
    task = loaded.metadata.get("task")
    if task not in ROWS:
        raise LoadError(f"{model}: the model is for {task or 'text'!r:.40}, which this command cannot predict.")
    if precision:
        loaded = loaded.quantize(precision)
    with using_threads(threads), output as file:
        (write_json if as_json else write_csv)(file, ROWS[task](loaded, measured_file(data)))


def write_csv(out: IO[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as they come; what is unknown stays empty."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


def write_json(out: IO[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as they come, as one list of objects."""
    separator = "[\n"
    for row in rows:
        out.write(separator + json.dumps(row, allow_nan=False))
        separator = ",\n"
    out.write("\n]\n")
