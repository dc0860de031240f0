"""``seqkit convert``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from seqkit.cli import complete
from seqkit.cli.console import print_json, print_table
from seqkit.cli.options import POSITIVE, Number, writable
from seqkit.errors import CheckError
from seqkit.importing import load_plugin
from seqkit.interop import formats
from seqkit.interop.convert import convert as run
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.proof import Proof

CASES = 16
"""Inputs that a model is proven with."""


def format_name(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """A known format; anything else is wrong usage."""
    names = [format.name for format in formats.FORMATS]
    if name is not None and name not in names:
        raise click.BadParameter(f"there is no format {name!r}; choose one of {', '.join(names)}.")
    return name


def format_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Formats that begin so."""
    return complete.beginning([format.name for format in formats.FORMATS], incomplete)


@click.command()
@click.argument("source", shell_complete=complete.files)
@click.argument("out", shell_complete=complete.files)
@click.option(
    "--from",
    "format",
    callback=format_name,
    shell_complete=format_names,
    metavar="NAME",
    help="Format of SOURCE.  [default: found]",
)
@click.option("--mapping", metavar="FILE", help="Which tensors of a PyTorch file make which layers.")
@click.option("--prefix", metavar="TEXT", help="Beginning of the names of the tensors of a PyTorch file to read.")
@click.option("--key", metavar="TEXT", help="Name of the state dict in a PyTorch checkpoint.  [default: found]")
@click.option("--nonlinearity", type=click.Choice(["tanh", "relu"]), help="Of an nn.RNN, whose tensors do not tell it.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), help="To widen a PyTorch file of half precision to."
)
@click.option("--opset", type=POSITIVE, metavar="N", help="Version of the ONNX operators to write.")
@click.option("--tolerance", type=Number(0), metavar="X", help="Largest error.  [default: 1e-05 for float32]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Source of the inputs.")
@click.option("--no-proof", is_flag=True, help="Convert without running the models.")
@click.option("--plugin", "plugins", metavar="NAME", multiple=True, help="Package whose layers SOURCE may use.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def convert(
    source: str, out: str, format: str | None, tolerance: float | None, seed: int, no_proof: bool,
    plugins: Sequence[str], as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make the model file OUT of the model file SOURCE, and prove that it is the same model.

    \b
    SOURCE is told by its content:
      a PyTorch state dict (.pt, .pth, .safetensors), a Keras model (.keras, .h5),
      an ONNX model, an RTNeural model (.json), a seqkit model
    OUT is written by its ending:
      .safetensors  a seqkit model, for `seqkit predict` and seqkit.load
      .onnx         an ONNX model
      .json         an RTNeural model

    Both files are run on the same random inputs by seqkit and by the other library, where it is installed, else by its
    equations in float64.  Where the largest error is too large, or something cannot be represented exactly, nothing is
    written and the exit code is 1.

    \b
    Examples (after `seqkit fit sunspots`):
      seqkit convert sunspots.safetensors sunspots.onnx
      seqkit convert sunspots.onnx again.safetensors --json
      seqkit convert model.pt model.safetensors --prefix lstm
    """
    for package in plugins:
        load_plugin(package)
    given = {name: value for name, value in options.items() if value is not None}
    proofs: list[dict[str, Any]] = []
    facts: dict[str, Any] = {"source": source, "out": None, "model": None, "proofs": proofs}
    failure = None
    try:
        model = run(
            source,
            writable(out),
            format,
            cases=0 if no_proof else CASES,
            seed=seed,
            tolerance=tolerance,
            reading={name: value for name, value in given.items() if name != "opset"},
            writing={name: value for name, value in given.items() if name == "opset"},
            told=lambda file, title, proof: proofs.append(proof_facts(file, title, proof)),
        )
        facts |= {"out": out, "model": model_facts(model)}
    except CheckError as error:
        failure = error
    (print_json if as_json else print_facts)(facts)
    if failure is not None:
        raise failure


def proof_facts(file: str, title: str, proof: Proof) -> dict[str, Any]:
    """What a proof has shown, as plain values."""
    return {"file": file, "format": title, "holds": proof.holds, **proof.facts()}


def model_facts(model: Any) -> list[dict[str, Any]]:
    """The layers of a model, or its graph as one, as plain values."""
    if isinstance(model, GraphModel):
        graph = model.model.graph
        title, arrays = f"graph of {len(graph.nodes)} operators", graph.initializers.values()
        return [{"layer": title, "units": None, "parameters": sum(array.size for array in arrays)}]
    return [
        {
            "layer": layer.name,
            "units": layer.output_size,
            "parameters": sum(array.size for array in layer.params.values()),
        }
        for layer in model.layers
    ]


def print_facts(facts: dict[str, Any]) -> None:
    """Two tables: the model, and the proofs."""
    if facts["model"] is not None:
        print_table([("layer", "units", "parameters"), *map(_part, facts["model"])])
        click.echo()
    if facts["proofs"]:
        heads = ("file", "format", "compared with", "inputs", "largest error", "allowed")
        print_table([heads, *_rows(facts["proofs"])])
    for proof in facts["proofs"]:
        if proof["remark"]:
            click.echo(proof["remark"])


def _part(part: dict[str, Any]) -> tuple[str, ...]:
    return part["layer"], _number(part["units"]), _number(part["parameters"])


def _rows(proofs: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for proof in proofs:
        for output in proof["outputs"]:
            error = "other shape or NaN" if output["error"] is None else f"{output['error']:.2g} ({output['output']})"
            where = (proof["file"], proof["format"], proof["compared_with"], str(proof["inputs"]))
            rows.append((*where, error, f"{output['tolerance']:.2g}"))
    return rows


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
