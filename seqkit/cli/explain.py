"""``seqkit explain``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from seqkit._core import threads as using_threads
from seqkit.cli import complete
from seqkit.cli.console import print_json
from seqkit.cli.named import measured_file
from seqkit.cli.options import POSITIVE, THREADS, drawable, place, reading_options, writable
from seqkit.data.dataset import shortened
from seqkit.errors import ConfigError
from seqkit.explain.chosen import Attribution
from seqkit.explain.figures import figure
from seqkit.explain.findings import Summary
from seqkit.explain.page_data import METHODS
from seqkit.explain.pages import page
from seqkit.explain.recording import tape
from seqkit.explain.summaries import summary
from seqkit.importing import load_plugin
from seqkit.model import Sequential
from seqkit.tasks.samples import Samples, samples
from seqkit.tasks.saved import understand

SHOWN_STEPS = 5


@click.command(
    epilog="""\b
    Examples:
      seqkit explain sunspots.safetensors sunspots
      seqkit explain sunspots.safetensors sunspots --out inside.html --plot gates.png
      seqkit explain model.safetensors X_TEST.ts --sequence 3 --target walking --json
    """
)
@click.argument("model", shell_complete=complete.files)
@click.argument("data", shell_complete=complete.data)
@click.option("--sequence", metavar="NAME", help="Name or number of the sequence to look at.  ")
@click.option("--out", metavar="FILE", help="HTML page to write: move along the sequence and see gates and saliency.")
@click.option("--plot", metavar="FILE", help="Figure to write, .png, .svg or .pdf.")
@click.option("--tape", metavar="DIR", help="Folder to write the values of all steps of all sequences to.")
@click.option("--layer", metavar="NAME", help="Layer of the figure, as 0.forward.  [default: the first]")
@click.option("--names", metavar="NAMES", help="Values of the figure and the tape, as f,c.  [default: all]")
@click.option("--target", metavar="NAME", help="Output to explain, its name or number.  [default: the largest]")
@click.option("--method", type=click.Choice(list(METHODS)), default="integrated_gradients", help="Of saliency.")
@click.option("--most", type=POSITIVE, default=200, show_default=True, metavar="N", help="Sequences to look at.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plugin", "plugins", metavar="NAME", multiple=True, help="Package whose layers MODEL may use.")
@click.option("--threads", type=THREADS, help="Threads to use.  [default: all processors]")
def explain(
    model: str, data: str, plugins: Sequence[str], threads: int | None, id_column: str | None, ignore: Sequence[str],
    **options: Any,
) -> None:  # fmt: skip
    """Look inside MODEL while it reads DATA.

    \b
    MODEL is a file as for `seqkit predict`, DATA one like that it was
    trained on; or MODEL is one of text that has its vocabulary in its
    metadata, and DATA a text.  Printed are, for every recurrent layer, how long its units
    remember, how its gates are used and what its units follow; how far back
    the model looks; and the steps that the output of one sequence depends on,
    which is the first one or, of a forecast, the window at the end of DATA.
    """
    for package in plugins:
        load_plugin(package)
    if options["out"]:
        writable(options["out"])
    if options["plot"]:
        drawable(options["plot"], needed=True)
    loaded, path = Sequential.load(model), measured_file(data)
    understand(loaded, model, id_column, ignore)
    with using_threads(threads):
        found = samples(loaded, path, options["most"])
        row, target = _row(found, options["sequence"], loaded), _target(found, options["target"])
        told = summary(loaded, found.x, target=found.targets, features=found.features, target_names=found.target_names)
        why = METHODS[options["method"]](loaded, found.x[row : row + 1], target)
        _write(loaded, found, row, target, told, {"model": model, **options})
    sequence = _sequence(found, row, why)
    if options["as_json"]:
        print_json(told.to_dict() | {"sequence": sequence})
    else:
        click.echo(f"{told}\n{_words(sequence)}")


def _row(found: Samples, name: str | None, model: Sequential) -> int:
    """The number of the sequence that is looked at."""
    if name is None:
        return len(found.x) - 1 if model.metadata.get("task") == "forecast" else 0
    row = place(found.ids, name)
    if row is None:
        known, last = shortened(found.ids), len(found.x) - 1
        raise ConfigError(f"--sequence {name}: no such name, and no number up to {last}; names are {known}.")
    return row


def _target(found: Samples, name: str | None) -> int | None:
    """The number of the output that is explained."""
    if name is None:
        return None
    quoted = repr(name)  # as symbols of texts stand
    number = place(found.outputs, quoted if quoted in found.outputs and name not in found.outputs else name)
    if number is None:
        raise ConfigError(f"--target {name}: no such output; there are {shortened(found.outputs)}.")
    return number


def _write(
    model: Sequential, found: Samples, row: int, target: int | None, told: Summary, options: dict[str, Any]
) -> None:
    """The page, the figure and the tape that were asked for."""
    names = options["names"].split(",") if options["names"] else None
    shown: dict[str, Any] = {
        "sequence": row,
        "features": found.features,
        "inputs": found.values[row] if found.values else None,
        "text": found.texts[row] if found.texts else None,
        "target": target,
        "found": told,
    }
    if options["out"]:
        title = f"{Path(options['model']).name}: {found.ids[row]}"
        page(model, found.x, options["out"], outputs=found.outputs, method=options["method"], title=title, **shown)
    if options["plot"]:
        figure(model, found.x, options["plot"], layer=options["layer"], names=names, **shown)
    if options["tape"]:
        tape(model, found.x, names, options["tape"])


def _sequence(found: Samples, row: int, why: Attribution) -> dict[str, Any]:
    """What the output of one sequence depends on."""
    by_step = why.by_step[0]
    steps = abs(by_step).argsort()[::-1][:SHOWN_STEPS]
    return {
        "id": found.ids[row],
        "steps": len(found.x[row]),
        "target": found.outputs[int(why.target[0])],
        "output": float(why.output[0]),
        "baseline_output": None if why.baseline_output is None else float(why.baseline_output[0]),
        "saliency": by_step.tolist(),
        "largest": [{"step": int(step), "saliency": float(by_step[step])} for step in steps],
    }


def _words(sequence: dict[str, Any]) -> str:
    largest = ", ".join(f"{one['step']} ({one['saliency']:+.3g})" for one in sequence["largest"])
    name, steps = sequence["id"], sequence["steps"]
    return (
        f"sequence {name}, {steps} steps: output {sequence['target']} is {sequence['output']:.4g}\n"
        f"  depends most on steps {largest}"
    )
