"""A model made of the graph of an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np

from seqkit.arrays import as_array
from seqkit.errors import ConfigError, ConvertError, DTypeError, LoadError, ShapeError
from seqkit.interop.imported import Imported, Oracle
from seqkit.interop.onnx.drawing import draw
from seqkit.interop.onnx.messages import Model, Value, decode, encode
from seqkit.interop.onnx.names import require_known
from seqkit.interop.onnx.operators.table import OPERATORS
from seqkit.interop.onnx.program import Operators, Program
from seqkit.interop.onnx.runtime import runtime

OLDEST, NEWEST = 7, 28
"""Versions of ONNX' operators that are read."""
GRAPH = "graph"
INITIALIZER = "initializer/"


class GraphModel:
    """The graph of an ONNX model, run by seqkit.

    Parameters
    ----------
    model : Model
        What :func:`seqkit.interop.onnx.messages.decode` gives.
    operators : mapping, optional
        Operators by name, others than those of seqkit.

    Attributes
    ----------
    inputs : tuple of Value
        Name, type and shape of each input; a str is a size of one's choice, the same wherever it stands.
    outputs : tuple of Value

    Raises
    ------
    ConvertError
        If there are operators, attributes or versions that are not known here; the message names them.
    LoadError
        If the graph is none: values without origin, names given twice, weights of wrong shapes.

    Notes
    -----
    A result does not depend on the number of threads and, where the graph treats samples apart, not on the
    other samples of the batch.  A model can be run by several threads at once.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.interop.onnx.messages import Graph, Node
    >>> x, y = (Value(name, np.dtype("float32"), ("batch", 2)) for name in "xy")
    >>> w = np.array([[1, 2], [3, 4]], np.float32)
    >>> graph = Graph("g", [Node("MatMul", ["x", "w"], ["y"])], [x], [y], {"w": w})
    >>> GraphModel(Model(graph, {"": 22}, 10)).predict([[1, 0], [1, 1]]).tolist()
    [[1.0, 2.0], [4.0, 6.0]]
    """

    name = "graph_model"

    def __init__(self, model: Model, operators: Operators = OPERATORS) -> None:
        self.model, graph = model, model.graph
        require_known(graph, operators)
        opset = model.opsets.get("", 0)
        if not OLDEST <= opset <= NEWEST:
            raise ConvertError(f"the ONNX model is of opset {opset or 'none'}, read are {OLDEST} to {NEWEST}.")
        if model.ir_version < 4:  # all initializers had to be inputs, too
            graph = replace(graph, inputs=[value for value in graph.inputs if value.name not in graph.initializers])
        self.inputs, self.outputs = tuple(graph.inputs), tuple(graph.outputs)
        self._names = {value.name for value in self.inputs}
        self._defaults = {name: graph.initializers[name] for name in self._names & set(graph.initializers)}
        self._program = Program(graph, operators, opset)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Outputs by name, for inputs by name.

        Parameters
        ----------
        feeds : mapping of str to array_like
            An array for each input; one that the model has a value for may be left out.

        Raises
        ------
        ConfigError
            If an input is missing or unknown.
        ShapeError
            If a size is not that of the model, or one of its free sizes differs between inputs; also if an
            operator cannot be applied to what it gets, with the name of its node.
        DTypeError
            If an array cannot be converted to the type of the input.
        """
        if feeds.keys() != self._names:
            self._check_feeds(feeds)
        sizes: dict[str, int] = {}
        arrays = [self._fed(value, feeds, sizes) for value in self.inputs]
        results = self._program.run(arrays)
        return {value.name: _own(result, arrays) for value, result in zip(self.outputs, results, strict=True)}

    def predict(self, x: Any) -> Any:
        """What the model makes of its only input that is not optional, or of a mapping of inputs.

        Returns
        -------
        ndarray or tuple of ndarray
            The output, a tuple where there are several.

        Raises
        ------
        ConfigError
            If there are several inputs and `x` is one array; otherwise as :meth:`run`.
        """
        if not isinstance(x, Mapping):
            needed = [value.name for value in self.inputs if value.name not in self._defaults]
            if len(needed) != 1:
                raise ConfigError(f"{self.name}: the inputs are {needed!r:.200}; give a mapping from names to arrays.")
            x = {needed[0]: x}
        results = tuple(self.run(x).values())
        return results[0] if len(results) == 1 else results

    def _check_feeds(self, feeds: Mapping[str, Any]) -> None:
        names = self._names
        missing, unknown = names - set(self._defaults) - set(feeds), set(feeds) - names
        if missing or unknown:
            what = f"has no input {sorted(unknown)!r:.200}" if unknown else f"needs the inputs {sorted(missing)!r:.200}"
            raise ConfigError(f"{self.name}: {what}; its inputs are {sorted(names)!r:.200}.")

    def _fed(self, value: Value, feeds: Mapping[str, Any], sizes: dict[str, int]) -> np.ndarray:
        """The array of an input, checked; `sizes` are those that names stand for so far."""
        if value.name not in feeds:
            return self._defaults[value.name]
        array = _converted(feeds[value.name], value, f"{self.name}: input {value.name!r}")
        if value.shape is None:
            return array
        fits = len(value.shape) == array.ndim
        for size, got in zip(value.shape, array.shape, strict=False):
            if size is not None and got != (sizes.setdefault(size, got) if isinstance(size, str) else size):
                fits = False
        if not fits:
            known = {name: size for name, size in sizes.items() if name in value.shape}
            raise ShapeError(
                f"{self.name}: input {value.name!r} has shape {array.shape}, expected {value.shape}"
                f"{f' with {known}' if known else ''}."
            )
        return array

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The graph as plain values and arrays: ONNX' own bytes without the constants, and these by name."""
        graph = replace(self.model.graph, initializers={})
        arrays = {GRAPH: np.frombuffer(encode(replace(self.model, graph=graph)), np.uint8)}
        arrays |= {INITIALIZER + name: array for name, array in self.model.graph.initializers.items()}
        return {"opset": self.model.opsets[""], "producer": self.model.producer}, arrays

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The model that :meth:`describe` described.

        Raises
        ------
        LoadError
            If there is no graph among the arrays.
        """
        graph = arrays.get(GRAPH)
        if graph is None or graph.dtype != np.uint8:
            raise LoadError("the file has no graph of an ONNX model; it is damaged.")
        model = decode(graph.tobytes())
        constants = {name.removeprefix(INITIALIZER): a for name, a in arrays.items() if name.startswith(INITIALIZER)}
        return cls(replace(model, graph=replace(model.graph, initializers={**model.graph.initializers, **constants})))

    def imported(self, source: str, file: str | None = None) -> Imported:
        """The model with what proves it: drawn inputs, ONNX' operators in float64, and ONNX Runtime if it is there.

        Parameters
        ----------
        source : str
            What the model was, for people.
        file : str, optional
            The ONNX file for ONNX Runtime, without which it gets the graph as it is written here.
        """

        def reference() -> Oracle:
            from seqkit.interop.onnx.widened import REFERENCE, widened

            exact = GraphModel(widened(self.model), REFERENCE)
            return Oracle("float64 reference of ONNX' operators", exact.run)

        return Imported(
            model=self,
            source=source,
            run=self.run,
            draw=lambda rng: draw(self.model.graph, self.inputs, self.run, rng),
            reference=reference,
            peer=lambda: runtime(encode(self.model) if file is None else file),
        )

    def __reduce__(self) -> Any:
        return type(self), (self.model,)

    def __repr__(self) -> str:
        ends = (", ".join(value.name for value in values) for values in (self.inputs, self.outputs))
        return f"<GraphModel {' -> '.join(ends)}, {len(self.model.graph.nodes)} nodes>"


def _converted(given: Any, value: Value, owner: str) -> np.ndarray:
    """An array of the input's type; numbers of another kind, and integers that do not fit, are refused."""
    array = as_array(given, owner, "the array")
    if value.dtype is None or array.dtype == value.dtype:
        return array
    if value.dtype.kind == "f" and array.dtype.kind in "fiu":
        return array.astype(value.dtype)
    if value.dtype.kind in "iu" and array.dtype.kind in "iu":
        found = array.astype(value.dtype)
        if np.array_equal(found, array):
            return found
    raise DTypeError(f"{owner} is {array.dtype}, expected {value.dtype}.")


def _own(result: Any, feeds: list[np.ndarray]) -> np.ndarray:
    """The result as an array that neither an input nor a constant shares, nor is written to by a caller for both."""
    array = np.asarray(result)
    shared = not array.flags.writeable or any(np.may_share_memory(array, feed) for feed in feeds)
    return array.copy() if shared else array
