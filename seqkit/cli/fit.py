"""``seqkit fit``."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from seqkit._core import threads as using_threads
from seqkit.cli import complete
from seqkit.cli.console import Console, print_json, print_table
from seqkit.cli.named import dataset, training_file
from seqkit.cli.options import check_usage, data_options, drawable, network_options, output_options, writable
from seqkit.data.dataset import Sequences, Series
from seqkit.data.files import Columns, companion, is_table, locate, read_sequences, read_series
from seqkit.errors import DataError
from seqkit.tasks import classify, forecast, regress
from seqkit.tasks.picture import draw_forecast
from seqkit.tasks.sequences import split
from seqkit.tasks.settings import Settings

Options = dict[str, Any]
Facts = dict[str, Any]


@click.command()
@click.argument("data", shell_complete=complete.data)
@network_options
@data_options
@output_options
def fit(data: str, **options: Any) -> None:
    """Train a model on DATA and save it.

    What is to be learned is found from the data: a table is forecast, sequences are classified,
    or numbers are predicted from them.  Nothing need be set; the last part of the data is held out,
    and the figures at the end are of that part.

    \b
    DATA is the name of a data set (sunspots, or another of `seqkit datasets`) or a file:
      .csv .tsv .txt  a table: forecast a column, or, with --id and --label or
                      --target, learn from sequences of rows
      .parquet        a table, too, if pyarrow or Polars is installed
      .npz            arrays x, y, lengths, and x_test and so on
      .ts             the format of the UCR/UEA archive

    Written are a model for `seqkit predict` and, of forecasts, a picture.  Figures go to standard
    output, progress to standard error.

    \b
    Examples:
      seqkit fit sunspots
      seqkit fit sales.csv --target units --horizon 7 --season 7
      seqkit fit walks.csv --id walk --label activity --json
    """
    path, console = training_file(data), Console(options["quiet"])
    check_usage(path, options)
    options["out"] = writable(options["out"] or f"{Path(data).stem}.safetensors")
    forecasting = is_table(path) and options["id_column"] is None
    began = time.perf_counter()
    with using_threads(options["threads"]):
        facts = (fit_forecast if forecasting else fit_sequences)(data, path, options, console)
    facts |= {"seconds": round(time.perf_counter() - began, 3), "model": str(options["out"])}
    if options["as_json"]:
        print_json(facts)
    else:
        print_table([(_named(name), _words(value)) for name, value in facts.items() if value is not None])


def fit_forecast(data: str, path: Path, options: Options, console: Console) -> Facts:
    """Forecast a column of a table."""
    plot = drawable(options["plot"] or f"{Path(data).stem}.png")
    series = read_series(path, options["target"])
    usual = dataset(data)
    season = options["season"] or (usual.season if usual else None)
    holdout = options["holdout"] or (usual.holdout if usual else None)
    plan = forecast.Plan.of(series, options["window"], options["horizon"] or 1, holdout, season)
    settings = settings_for(forecast.DEFAULTS, options)
    console.remark(f"{series.describe()}\n{plan.describe(series)}\n{settings.describe()}")
    with console.progress(settings.epochs) as callbacks:
        model = forecast.fit(series, plan, settings, callbacks)
    model.save(options["out"])  # before anything else can go wrong
    figures = forecast.report(model, series)
    drawn = draw(plot, series, forecast.held_out_forecasts(model, series), figures, console)
    return {"task": "forecast", "column": series.column, **figures, "plot": str(plot) if drawn else None}


def fit_sequences(data: str, path: Path, options: Options, console: Console) -> Facts:
    """Classify sequences, or predict numbers from them."""
    columns = Columns(options["id_column"], options["label"], options["target"], options["ignore"])
    train, test = read_sequences(path, columns)
    console.remark(train.describe())
    beside = Path(options["test"]) if options["test"] else companion(path)
    if beside is not None:
        test, _ = read_sequences(locate(str(beside)), replace(columns, features=train.features))
    if test is None:
        train, test = split(train, options["seed"])
    console.remark(f"training on {len(train)} sequences, testing on {len(test)} of {test.name}")
    task = regress if train.targets is not None else classify
    check_test(task, train, test)
    settings = settings_for(task.DEFAULTS, options)
    console.remark(settings.describe())
    with console.progress(settings.epochs) as callbacks:
        model = task.fit(train, columns, settings, callbacks)
    model.save(options["out"])
    return {"task": model.metadata["task"], **task.report(model, test)}


def check_test(task: Any, train: Sequences, test: Sequences) -> None:
    """Say before training what would be found out after it.

    Raises
    ------
    DataError
        If the test set has other features than the training set, or other answers.
    """
    found, expected = len(test.features), len(train.features)
    if found != expected:
        raise DataError(f"{test.name}: the test set has {found} features, expected {expected} as in training.")
    task.true_answers(test, task.known(train))


def settings_for(defaults: Settings, options: Options) -> Settings:
    """The task's defaults, changed by what was given."""
    names = {field.name for field in fields(Settings)}
    return replace(defaults, **{name: value for name, value in options.items() if name in names and value is not None})


def draw(path: Path, series: Series, values: np.ndarray, figures: Facts, console: Console) -> bool:
    """Draw the forecast if matplotlib is installed; say so if not."""
    errors = [f"{_named(name)} {value:.4g}" for name, value in figures.items() if value is not None]
    try:
        draw_forecast(path, series, values, f"{series.column}, held out: {', '.join(errors)}")
    except ImportError:
        console.remark("no picture was drawn: matplotlib is missing; install it with: pip install matplotlib")
        return False
    return True


def _named(name: str) -> str:
    return name.replace("_", " ").replace("rmse", "RMSE")


def _words(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
