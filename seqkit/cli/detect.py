"""``seqkit detect``."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

from seqkit._core import threads as using_threads
from seqkit.cli import complete
from seqkit.cli.console import Console, print_json, print_table, whole_file
from seqkit.cli.named import training_file
from seqkit.cli.options import POSITIVE, RATE, SHARE, THREADS, drawable, writable
from seqkit.data.dataset import Series
from seqkit.data.files import read_series
from seqkit.errors import DataError
from seqkit.tasks.picture import draw_alarms

SEASONS = ("auto", "none")
TRAINING = ("train", "season", "method", "window", "smoothing", "threshold", "seed", "save")
LEAST_TRAINING = 20


class SeasonType(click.ParamType):
    """A number of values, "auto" or "none"."""

    name = "season"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        return str(value) if value in SEASONS else int(POSITIVE.convert(value, param, ctx))


@click.command()
@click.argument("data", shell_complete=complete.data)
@click.option("--column", metavar="NAME", help="Column to watch.")
@click.option("--train", type=SHARE, default=0.15, metavar="X", show_default=True, help="First share, known normal.")
@click.option("--season", type=SeasonType(), default="auto", metavar="N", show_default=True, help="Period, or none.")
@click.option("--method", type=click.Choice(("forecast", "reconstruct")), default="forecast", help="What is learned.")
@click.option("--window", type=POSITIVE, default=48, metavar="N", show_default=True, help="Values trained on at once.")
@click.option("--smoothing", type=POSITIVE, default=48, metavar="N", show_default=True, help="Errors in the mean.")
@click.option("--threshold", type=RATE, default=3.0, metavar="X", show_default=True, help="Score of an alarm.")
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Source of all randomness.")
@click.option("--model", metavar="FILE", help="Detector that --save wrote, instead of training one.")
@click.option("--save", metavar="FILE", help="Where to save the detector.")
@click.option("--out", metavar="FILE", help="Where to write time, value, score and alarm as CSV.")
@click.option("--plot", metavar="FILE", help="Where to draw values, scores and alarms.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="Print only the results.")
@click.option("--threads", type=THREADS, metavar="N", help="Threads to use.  [default: all processors]")
@click.pass_context
def detect(ctx: click.Context, data: str, **options: Any) -> None:
    """Find what is not normal in a series.

    A network is trained on the first part of the series in DATA, a table (.csv .tsv .txt .parquet) or
    the name of a data set.  Then every value has a score: 1 is what one value in a hundred of that
    part exceeds.  Where scores are above the threshold there is an alarm.

    \b
    Examples:
      seqkit detect sensor.csv --column temperature --plot alarms.png
      seqkit detect sensor.csv --train 0.5 --save detector.safetensors
      seqkit detect new.csv --model detector.safetensors --json
    """
    _check_usage(ctx, options)
    console, began = Console(options["quiet"]), time.perf_counter()
    checks = {"save": writable, "out": writable, "plot": drawable}
    files = {name: options[name] and check(options[name]) for name, check in checks.items()}
    series = read_series(training_file(data), options["column"])
    console.remark(series.describe())
    with using_threads(options["threads"]):
        detector = _loaded(options) if options["model"] else _trained(series, options, console)
        scores = detector.score_steps(series.values)[0]
    alarms = detector.alarms_of(scores)
    if files["save"]:
        detector.save(files["save"])
    if files["out"]:
        _write(files["out"], series, scores, alarms)
    if files["plot"] and not _drawn(files["plot"], series, scores, detector.threshold_, alarms, console):
        files["plot"] = None
    facts = {"column": series.column, "season": detector.season_ or None, "threshold": detector.threshold_}
    written = {"model" if name == "save" else name: str(path) for name, path in files.items() if path}
    facts |= {"alarms": len(alarms), "seconds": round(time.perf_counter() - began, 3), **written}
    rows = [_row(series, alarm) for alarm in alarms]
    if options["as_json"]:
        print_json(facts | {"alarms": rows})
    else:
        print_table([(name, str(value)) for name, value in facts.items() if value is not None])
        if rows:
            print_table([tuple(rows[0]), *(tuple(map(str, row.values())) for row in rows)])


def _check_usage(ctx: click.Context, options: dict[str, Any]) -> None:
    given = [name for name in TRAINING if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE]
    if options["model"] and given:
        raise click.UsageError(f"--{given[0]} is for training, and --model names a detector that is trained.")


def _trained(series: Series, options: dict[str, Any], console: Console) -> Any:
    from seqkit.estimators import SequenceAnomalyDetector

    count = int(options["train"] * len(series.values))
    if count < LEAST_TRAINING:
        raise DataError(
            f"{series.name}: {count} values are too few to learn what is normal, at least {LEAST_TRAINING} are needed; "
            "raise --train."
        )
    season = None if options["season"] == "none" else options["season"]
    names = ("method", "window", "smoothing", "threshold")
    detector = SequenceAnomalyDetector(
        **{name: options[name] for name in names}, season=season, warmup=count, random_state=options["seed"]
    )
    console.remark(f"training on {series.index[0]} to {series.index[count - 1]} ({count} values)")
    return detector.fit(series.values[:count])


def _loaded(options: dict[str, Any]) -> Any:
    from seqkit.estimators import SequenceAnomalyDetector

    return SequenceAnomalyDetector.load(options["model"]).set_params(warmup=0)


def _row(series: Series, alarm: Any) -> dict[str, Any]:
    first, last, peak = (series.index[step] for step in (alarm.start, alarm.end - 1, alarm.peak))
    return {"first": first, "last": last, "peak": peak, "score": round(alarm.score, 3)}


def _write(path: Path, series: Series, scores: np.ndarray, alarms: list[Any]) -> None:
    """One row for every value."""
    inside = np.zeros(len(scores), dtype=int)
    for alarm in alarms:
        inside[alarm.start : alarm.end] = 1
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("time", series.column, "score", "alarm"))
        writer.writerows(zip(series.index, series.values.tolist(), scores.tolist(), inside.tolist(), strict=True))


def _drawn(
    path: Path, series: Series, scores: np.ndarray, threshold: float, alarms: list[Any], console: Console
) -> bool:
    """Draw if matplotlib is installed; say so if not."""
    try:
        draw_alarms(path, series, scores, threshold, [(alarm.start, alarm.end) for alarm in alarms])
    except ImportError:
        console.remark("no picture was drawn: matplotlib is missing; install it with: pip install matplotlib")
        return False
    return True
