"""The options of ``seqkit bench``: several values at once, and files that are looked at before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click

from seqkit import registry
from seqkit.bench.cases import MODES, PRECISIONS
from seqkit.bench.peers import WORKERS
from seqkit.bench.ragged import PROFILES
from seqkit.cli import complete, options
from seqkit.cli.options import POSITIVE, RATE, THREADS, layer_name

F = TypeVar("F", bound=Callable[..., Any])


class Several(click.ParamType):
    """Values of another type, separated by commas."""

    def __init__(self, kind: click.ParamType) -> None:
        self.kind, self.name = kind, kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        return tuple(self.kind.convert(part.strip(), param, ctx) for part in value.split(","))


class CellName(click.ParamType):
    """A registered cell; anything else is wrong usage."""

    name = "cell"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(layer_name(ctx, param, value))
        if not registry.is_cell(name):
            self.fail(f"{name!r} is not a recurrent cell; choose one such as lstm or gru.", param, ctx)
        return name


def flat(ctx: click.Context, param: click.Parameter, values: Sequence[Sequence[Any]]) -> list[Any]:
    """All values, each once."""
    return list(dict.fromkeys(chain(*values)))


def peer_names(ctx: click.Context, param: click.Parameter, values: Sequence[Sequence[str]]) -> list[str]:
    """Names of peers; "auto" is all of them, "none" is none."""
    names = flat(ctx, param, values)
    if len(names) > 1 and {"auto", "none"} & set(names):
        raise click.BadParameter("auto and none cannot be combined with others.")
    return list(WORKERS) if names == ["auto"] else [name for name in names if name != "none"]


def drawable(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """A file to draw to, if there is matplotlib to draw with."""
    return None if path is None else options.drawable(str(path), needed=True)


def writable(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """A file to write, in a folder that exists."""
    return None if path is None else options.writable(str(path))


def axes(command: F) -> F:
    """Options of what is measured; all combinations of their values are."""
    for option in reversed(
        [
            _several(
                "--cell",
                CellName(),
                "cells",
                metavar="NAME",
                shell_complete=complete.cells,
                help="Cells to measure.  [default: all]",
            ),
            _words("--mode", MODES, "modes", default=MODES, help="What to time."),
            _several("--batch", POSITIVE, metavar="N", help="Sequences of a call, B."),
            _several("--time", POSITIVE, metavar="N", help="Steps of a sequence, T."),
            _several("--features", POSITIVE, metavar="N", help="Input features, I.  [default: as many as units]"),
            _several("--units", POSITIVE, metavar="N", help="Units, H."),
            _several("--directions", click.IntRange(1, 2), default=["1"], help="2: sequences are read from both ends."),
            _words("--ragged", list(PROFILES), default=["none"], help="How lengths differ."),
            _words("--precision", list(PRECISIONS), default=["float32"], help="Of products; low ones for inference."),
            _several("--threads", THREADS, metavar="N", help="Threads of everybody.  [default: all processors]"),
        ]
    ):
        command = option(command)
    return command


def outputs(command: F) -> F:
    """Options of what is done with the figures."""
    file = click.Path(path_type=Path, dir_okay=False)
    existing = click.Path(path_type=Path, dir_okay=False, exists=True)
    for option in reversed(
        [
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
            click.option("--save", metavar="FILE", type=file, callback=writable, help="Save the run, for --compare."),
            click.option("--compare", "old", metavar="FILE", type=existing, help="Compare with a saved run."),
            click.option("--fail-above", metavar="X", type=RATE, help="Exit with 3 if a case takes X times as long."),
            click.option("--plot", metavar="FILE", type=file, callback=drawable, help="Draw roofline and latency."),
        ]
    ):
        command = option(command)
    return command


def against(command: F) -> F:
    """The option of whom to measure beside seqkit."""
    words = [*WORKERS, "auto", "none"]
    option = _words("--against", words, default=["auto"], callback=peer_names, help="Other libraries; auto: all.")
    return option(command)


def _several(name: str, kind: click.ParamType, *more: str, **facts: Any) -> Callable[[F], F]:
    """An option that may be repeated, and whose values may be separated by commas."""
    return click.option(name, *more, type=Several(kind), multiple=True, **{"callback": flat, **facts})


def _words(name: str, words: Sequence[str], *more: str, **facts: Any) -> Callable[[F], F]:
    """Several of a few words."""
    return _several(name, click.Choice(words), *more, metavar=f"[{'|'.join(words)}]", show_default=True, **facts)
