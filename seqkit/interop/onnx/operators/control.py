"""Operators with graphs inside: a loop over time, and a choice.

What an inner graph reads of the graph around, other than constants, comes after the inputs of the node; the attribute
`captured`, which :class:`~seqkit.interop.onnx.program.Program` adds, has the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, ShapeError
from seqkit.interop.onnx.messages import Graph, Node, Value
from seqkit.interop.onnx.names import free_names
from seqkit.interop.onnx.operators.binding import CAPTURED, Arrays, Bind, Constants, Function, label, many, options
from seqkit.interop.onnx.program import Program

OF_SCAN = ("scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions")
NO_NAMES: tuple[str, Any] = ("texts", [])


def control(operators: Mapping[str, Bind]) -> dict[str, Bind]:
    """Scan and If over graphs of these operators."""

    def scan(node: Node, constants: Constants, opset: int) -> Function:
        """A body over the steps of its last inputs, which hands the first ones on from step to step."""
        if opset < 9:
            raise ConvertError(f"{label(node)}: its form of opset 8 is not known here; export it for 9 or later.")
        known: dict[str, tuple[str, Any]] = dict.fromkeys(OF_SCAN, ("ints", None))
        known |= {"body": ("graph", None), "num_scan_inputs": ("int", 0), CAPTURED: NO_NAMES}
        given = vars(options(node, many(node.inputs), many(node.outputs), **known))
        body, read = given["body"], given["num_scan_inputs"]
        states = len(node.inputs) - len(given[CAPTURED]) - read
        if body is None or read < 1 or states < 0 or len(body.inputs) != states + read:
            raise LoadError(f"{label(node)}: its body does not have the inputs of the node.")
        if not states <= len(node.outputs) == len(body.outputs):
            raise LoadError(f"{label(node)}: its body does not have the outputs of the node.")
        program = _inner(body, given[CAPTURED], operators, constants, opset)
        return lambda inputs: _scan(program, inputs, states, read, given)

    def if_(node: Node, constants: Constants, opset: int) -> Function:
        graphs = {"then_branch": ("graph", None), "else_branch": ("graph", None)}
        given = vars(options(node, many(node.inputs), many(node.outputs), **graphs, **{CAPTURED: NO_NAMES}))
        branches = [given["else_branch"], given["then_branch"]]
        if any(each is None or each.inputs or len(each.outputs) != len(node.outputs) for each in branches):
            raise LoadError(f"{label(node)}: its branches do not have the outputs of the node.")
        programs = [_inner(branch, given[CAPTURED], operators, constants, opset) for branch in branches]
        return lambda inputs: programs[bool(inputs[0].item())].run(inputs[1:])

    return {"If": if_, "Scan": scan}


def _inner(
    graph: Graph, captured: list[str], operators: Mapping[str, Bind], constants: Constants, opset: int
) -> Program:
    """An inner graph, whose inputs are its own and what it captures."""
    outer = {name: constants[name] for name in free_names(graph) - {*captured} if name in constants}
    inputs = [*graph.inputs, *(Value(name, None, None) for name in captured)]
    return Program(replace(graph, inputs=inputs), operators, opset, outer)


def _scan(program: Program, inputs: Arrays, states: int, read: int, given: Mapping[str, Any]) -> Arrays:
    """Final states, and what every step gives, stacked."""
    state, captured = inputs[:states], inputs[states + read :]
    scanned = _steps_first(inputs[states : states + read], given["scan_input_axes"], given["scan_input_directions"])
    lengths = {len(array) for array in scanned}
    if len(lengths) > 1:
        raise ShapeError(f"sequences of {sorted(lengths)} steps, expected as many in all")
    collected: list[Arrays] = []
    for step in zip(*scanned, strict=True):
        results = program.run([*state, *step, *captured])
        state = results[:states]
        collected.append(results[states:])
    if not collected:  # no steps, of the shape that one would have
        like = program.run([*state, *(np.zeros(each.shape[1:], each.dtype) for each in scanned), *captured])
        stacked = [np.zeros((0, *np.shape(each)), np.asarray(each).dtype) for each in like[states:]]
    else:
        stacked = [np.stack(each) for each in zip(*collected, strict=True)]
    return [*state, *_steps_back(stacked, given["scan_output_axes"], given["scan_output_directions"])]


def _steps_first(arrays: Arrays, axes: list[int] | None, turned: list[int] | None) -> Arrays:
    """Views with the axis of the steps first, in the order in which they are read."""
    moved = [np.moveaxis(each, axis, 0) for each, axis in _each(arrays, axes)]
    return [each[::-1] if turn else each for each, turn in _each(moved, turned)]


def _steps_back(arrays: Arrays, axes: list[int] | None, turned: list[int] | None) -> Arrays:
    moved = [each[::-1] if turn else each for each, turn in _each(arrays, turned)]
    return [np.moveaxis(each, 0, axis) for each, axis in _each(moved, axes)]


def _each(arrays: Arrays, numbers: list[int] | None) -> list[tuple[Any, int]]:
    return list(zip(arrays, numbers or [0] * len(arrays), strict=True))
