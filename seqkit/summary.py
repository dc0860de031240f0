"""A model as a table of its layers."""

from __future__ import annotations

from seqkit.stack import Stack


def table(model: Stack) -> str:
    """One line per layer: number and name, shape of the output, number of parameters."""
    model.require_built()
    rows = [("layer", "output", "parameters")]
    leading, total = _input_axes(model), 0
    for number, layer in enumerate(model.layers):
        leading = leading if layer.returns_sequences else "batch"
        count = sum(array.size for array in layer.params.values())
        total += count
        rows.append((f"{number} {layer.name}", f"({leading}, {layer.output_size})", f"{count:,}"))
    rows.append(("total", "", f"{total:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{name:<{widths[0]}}   {output:<{widths[1]}}   {count:>{widths[2]}}" for name, output, count in rows
    )


def _input_axes(model: Stack) -> str:
    """The axes before the features; "..." where the layers take sequences and vectors alike."""
    shape = model.layers[0].input_shape
    if shape is not None:
        return "batch, time" if len(shape) == 2 else "batch"
    return "batch, time" if model.accepts_ids or not model.returns_sequences else "batch, ..."
