"""Writes a recurrent layer as a loop, Scan, over its equations.

What all steps have in common is computed before the loop: the input's part of all gates, for all steps at once.

A step that is not read keeps the states.  Past the end of its sequence it gives 0, so that a loop from the last step
of the array to the first begins, for every sequence, at its own end; inside, where it is masked, it gives the output
before it.

Legend: T time, B batch, F features, S numbers of a state, N numbers of a gate.
"""

from __future__ import annotations

import numpy as np

from seqkit.interop.onnx.export.builder import Builder
from seqkit.interop.onnx.export.graph import ModelGraph
from seqkit.interop.onnx.export.step import Step
from seqkit.interop.onnx.export.times import MaskedTimes, Times
from seqkit.interop.onnx.export.ways import Outcome, Way
from seqkit.interop.onnx.messages import Graph, Node, Value


def run_scan(graph: ModelGraph, x: str, times: Times, way: Way, steps: bool) -> Outcome:
    """A Scan over sequences x (T, B, F); `steps` says whether outputs of every step are asked for."""
    layer = way.layer
    states = way.initial(graph) or [graph.zero_rows(size) for size in layer.state_sizes]
    read = _read(graph, x, way)
    if times.read:
        read["inside"] = times.read
    masked = isinstance(times, MaskedTimes)
    body = _body(graph, way, list(read), steps, masked)
    names = graph.ops(
        "Scan",
        *states,
        *read.values(),
        outputs=len(states) + steps,
        body=body,
        num_scan_inputs=len(read),
        scan_input_directions=[int(way.reverse)] * len(read),
        **({"scan_output_directions": [int(way.reverse)]} if steps else {}),
    )
    y = names[len(states)] if steps else ""
    return Outcome(times.zeroed(y) if steps and masked else y, names[: len(states)])


def _read(graph: ModelGraph, x: str, way: Way) -> dict[str, str]:
    """What a step reads of the input: "gates", the input's part of all gates, and raw inputs by name."""
    shapes, params = way.layer.execution.shapes, way.layer.params.reading()
    read = {f"raw_{name}": graph.slice(x, 2, at, at + size) for name, (at, size) in shapes.inputs.items()}
    if shapes.input_gates:
        features = graph.slice(x, 2, 0, shapes.features) if read else x
        weight = graph.parameter(params["weight_ih"].T, way.parameter("weight_ih"))
        read["gates"] = graph.op("MatMul", features, weight)
    if shapes.biases:
        bias = np.zeros(len(params["weight_ih"]), graph.dtype)
        for gate, rows in shapes.biases.items():
            bias[shapes.input_gates[gate]] = params["bias"][rows]
        read["gates"] = graph.op("Add", read["gates"], graph.parameter(bias, way.parameter("bias")))
    return read


def _body(graph: ModelGraph, way: Way, read: list[str], steps: bool, masked: bool) -> Graph:
    """One step: old states and what is read to new states and, with `steps`, the output."""
    layer, builder = way.layer, graph.body()
    names, sizes = layer.cell.states, layer.state_sizes
    old = {name: builder.name(f"old_{name}") for name in names}
    now = {name: builder.name(name) for name in read}
    step = Step(builder, way, old, now)
    new = step.new_states()
    output = new[names[0]]
    if "inside" in now:
        other = old[names[0]] if masked else builder.number(0.0)
        output = builder.op("Where", now["inside"], output, other)
        new = {name: builder.op("Where", now["inside"], new[name], old[name]) for name in names}
    inputs = [Value(old[name], graph.dtype, ("batch", size)) for name, size in zip(names, sizes, strict=True)]
    inputs += [Value(now[name], np.dtype(bool) if name == "inside" else graph.dtype, ("batch", None)) for name in read]
    ends = [(new[name], size) for name, size in zip(names, sizes, strict=True)] + [(output, sizes[0])] * steps
    outputs = [Value(_out(builder, value), graph.dtype, ("batch", size)) for value, size in ends]
    return builder.graph(f"step of {way.scope}", inputs, outputs)


def _out(builder: Builder, value: str) -> str:
    """A name of its own for an output: two may be one value, or one that the step was given."""
    name = builder.name("out")
    builder.nodes.append(Node("Identity", [value], [name]))
    return name
