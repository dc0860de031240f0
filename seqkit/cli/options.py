"""Options of the commands, most of them those of ``seqkit fit``."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from seqkit import registry
from seqkit.cli import complete
from seqkit.data.files import is_table
from seqkit.errors import ConfigError, UnknownLayerError
from seqkit.tasks.settings import Settings, is_recurrent

F = TypeVar("F", bound=Callable[..., Any])


class Size(click.IntRange):
    """A number of things, at least 1, that some machine may hold: what is larger is a slip, and overflows."""

    LARGEST = 2**40

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = int(super().convert(value, param, ctx))
        if number > self.LARGEST:
            self.fail(f"{number} is more than any machine holds.", param, ctx)
        return number


class Number(click.FloatRange):
    """A finite number: what is none lies in no range, and compares with nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


POSITIVE = Size()
THREADS = click.IntRange(1, 1024)
SHARE = Number(0, 1, max_open=True)
RATE = Number(0, min_open=True)

TABLE_ONLY = ("id_column", "label", "target")
FORECAST_ONLY = ("window", "horizon", "season", "holdout", "plot", "patience")
SEQUENCES_ONLY = ("label", "test", "ignore")


def layer_name(ctx: click.Context | None, param: click.Parameter | None, name: str | None) -> str | None:
    """A name that leads to a layer; anything else is wrong usage."""
    try:
        if name is not None:
            registry.find(name)
    except UnknownLayerError as error:
        raise click.BadParameter(str(error)) from None
    return name


def recurrent_name(ctx: click.Context, param: click.Parameter, name: str) -> str:
    """A registered recurrent layer."""
    if not is_recurrent(str(layer_name(ctx, param, name))):
        raise click.BadParameter(f"{name!r} is not a recurrent layer; choose one such as lstm or gru.")
    return name


def network_options(command: F) -> F:
    """Options of the network and of its training; None means the task's default."""
    return _all(
        command,
        _name(
            "--cell",
            default=Settings.cell,
            callback=recurrent_name,
            shell_complete=complete.cells,
            help="Recurrent layer, see `seqkit layers`.",
        ),
        _option("--units", type=POSITIVE, default=Settings.units, help="Units of each layer."),
        _option("--layers", type=POSITIVE, default=Settings.layers, help="Layers on top of each other."),
        _option("--bidirectional", is_flag=True, help="Also read sequences from their end."),
        _option("--dropout", type=SHARE, help="Share of outputs dropped in training.  [default: 0; 0.5 to classify]"),
        _option("--epochs", type=POSITIVE, help="Times that all data are seen.  [default: 60; to forecast, up to 300]"),
        _option("--batch-size", type=POSITIVE, default=Settings.batch_size, help="Samples between two updates."),
        _option("--learning-rate", type=RATE, default=Settings.learning_rate, help="Of Adam, at the start."),
        _option("--clipnorm", type=RATE, default=Settings.clipnorm, help="Largest norm of a gradient."),
        _option("--patience", type=POSITIVE, help="Epochs without a better forecast to stop after.  [default: 30]"),
        _folder("--checkpoint", help="Folder to save training in, and to go on from after a crash."),
        _option("--seed", type=click.IntRange(min=0), default=Settings.seed, help="Source of all randomness."),
        _option("--threads", type=THREADS, help="Threads to use.  [default: all processors]"),
    )


def data_options(command: F) -> F:
    """Options that say what the data are."""
    return _all(
        command,
        _name("--target", "--column", "target", help="Column to forecast or, with --id, to predict per sequence."),
        _option("--window", type=POSITIVE, help="Past values to forecast from.  [default: two seasons, or up to 24]"),
        _option("--horizon", type=POSITIVE, help="Steps ahead to forecast.  [default: 1]"),
        _option("--season", type=POSITIVE, help="Period of the seasonal naive forecast."),
        _option("--holdout", type=POSITIVE, help="Last values, held out to measure.  [default: a fifth]"),
        _name("--id", "id_column", help="Column that groups rows into sequences, in the order of the file."),
        _name("--label", help="Column with the class of each sequence."),
        _name("--ignore", multiple=True, help="Column of numbers, as of times, that is no feature; may be repeated."),
        _file("--test", help="Test set.  [default: X_TEST beside X_TRAIN, or a fifth of DATA]"),
    )


def output_options(command: F) -> F:
    """Options that say what is written."""
    return _all(
        command,
        _file("--out", help="Where to save the model.  [default: <DATA>.safetensors]"),
        _file("--plot", help="Where to draw a forecast.  [default: <DATA>.png]"),
        _option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        _option("--quiet", is_flag=True, help="Print only the results."),
    )


def reading_options(command: F) -> F:
    """Options that say what the columns of a table are to a model that does not know it."""
    return _all(
        command,
        _name("--id", "id_column", help="Column that groups rows into sequences, if MODEL does not say it."),
        _name("--ignore", multiple=True, help="Column that is no feature, likewise; may be repeated."),
    )


def check_usage(path: Path, given: dict[str, Any]) -> None:
    """Raise UsageError for options that don't go together or with this kind of file."""
    table, grouped = is_table(path), given["id_column"] is not None
    if not table:
        _forbid(given, TABLE_ONLY, f"is for tables; {path.suffix} files say themselves what is what")
    elif grouped and (given["label"] is None) == (given["target"] is None):
        raise click.UsageError("--id needs either --label (to classify) or --target (to predict a number).")
    if table and not grouped:
        _forbid(given, SEQUENCES_ONLY, "is for sequences; group the rows of the table with --id")
    else:
        _forbid(given, FORECAST_ONLY, "is for forecasts, and these are sequences")


def writable(name: str) -> Path:
    """A path in a folder that can be written to; asked before the work, not after it.

    Raises
    ------
    ConfigError
        If it is a folder, or its folder does not exist or cannot be written to.
    """
    path = Path(name)
    if path.is_dir():
        raise ConfigError(f"{name} cannot be written: it is a folder; name a file in it.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{name} cannot be written: {path.parent} must be a folder that exists and is writable.")
    return path


def drawable(name: str, needed: bool = False) -> Path:
    """A :func:`writable` path for a picture, whose ending says of what kind.

    Raises
    ------
    ConfigError
        If there is no such kind of picture; or, where it is needed, no matplotlib to draw it.
    """
    path = writable(name)
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        if needed:
            raise ConfigError("--plot needs matplotlib, which is missing; pip install 'seqkit[plot]'.") from None
        return path
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in kinds:
        raise ConfigError(f"{name}: no picture has the ending {path.suffix!r}; choose .png, .svg or .pdf.")
    return path


def place(names: Sequence[str], name: str) -> int | None:
    """Where a name stands, or the number that it is, if there are so many."""
    if name in names:
        return names.index(name)
    return int(name) if name in map(str, range(len(names))) else None


def _forbid(given: dict[str, Any], names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if given[name]:
            raise click.UsageError(f"--{name.removesuffix('_column')} {reason}.")


def _all(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def _option(*names: str, **facts: Any) -> Callable[[F], F]:
    kinds: dict[Any, str] = {Size: "N", click.IntRange: "N", Number: "X"}
    metavar = kinds.get(type(facts.get("type")))
    return click.option(*names, metavar=metavar, show_default=True, **facts)


def _name(*names: str, **facts: Any) -> Callable[[F], F]:
    return click.option(*names, metavar="NAME", show_default=True, **facts)


def _folder(*names: str, **facts: Any) -> Callable[[F], F]:
    return click.option(*names, metavar="DIR", shell_complete=complete.folders, **facts)


def _file(*names: str, **facts: Any) -> Callable[[F], F]:
    return click.option(*names, metavar="FILE", shell_complete=complete.files, **facts)
