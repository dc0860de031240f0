"""Layers that read each other in any way that has no circle.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.composite import Composite, first_row
from seqkit.errors import ConfigError, SeqkitError
from seqkit.inputs import Inputs
from seqkit.layer import Layer, State, final_state, lengths_after
from seqkit.registry import from_spec, spec
from seqkit.wiring import Node, Wiring


@dataclass(frozen=True)
class Caches:
    """What all layers have done, by the names of their nodes, and whether one array was every input."""

    nodes: Mapping[str, Any]
    alone: bool

    @property
    def state(self) -> State:
        """The final states of all layers, one behind the other."""
        return tuple(array for cache in self.nodes.values() for array in final_state(cache))


class Graph(Composite):
    r"""Layers with names, of which each reads inputs of the graph or other layers.

    .. math:: v_n = f_n(v_{s_1(n)}, v_{s_2(n)}, \dots), \qquad y = v_{output}

    where the :math:`s_i(n)` are the sources of node n.  A graph is a layer: it stands in a model, in another graph or
    in a wrapper, and is trained, saved and run step by step as its layers are.

    Parameters
    ----------
    nodes : mapping of str to Layer or (Layer, str, ...)
        The layer of every node and the names of what it reads, inputs or nodes, in the order of the layer's inputs.
        A layer alone reads the node that stands before it, the first one the (first) input.
    inputs : str or sequence of str
        Names of the inputs; with more than one, calls take a tuple of arrays.
    output : str, optional
        Name of the node that is the output, by default the last one.

    Attributes
    ----------
    nodes : mapping of str to Node
        Layer and sources of every node.
    order : sequence of str
        Names of the nodes in an order in which they can run.
    params : JoinedParameters
        Parameters of all layers, called ``node.name``.

    Raises
    ------
    ConfigError
        If a name is wrong, unknown or unused, a layer is in two nodes, or nodes read each other in a circle.

    Notes
    -----
    What comes out of a layer of several inputs has the lengths of its first one.  The state of a graph is that of all
    its layers, in the order in which they were given.

    Examples
    --------
    A layer beside which its input goes on:

    >>> import numpy as np
    >>> import seqkit
    >>> graph = seqkit.Graph({
    ...     "h": seqkit.GRU(3, return_sequences=True),
    ...     "sum": (seqkit.Add(), "h", "x"),
    ...     "y": seqkit.Dense(1),
    ... })
    >>> graph(np.ones((2, 5, 3))).shape
    (2, 5, 1)
    >>> list(graph.params)
    ['h.weight_ih', 'h.weight_hh', 'h.bias', 'h.bias_hn', 'y.weight', 'y.bias']
    """

    name = "graph"

    def __init__(
        self,
        nodes: Mapping[str, Layer | tuple[Any, ...]],
        inputs: str | Sequence[str] = "x",
        output: str | None = None,
    ) -> None:
        self.inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        if not self.inputs or not nodes:
            raise ConfigError(f"{self.name}: there must be an input and a node; got {self.inputs!r} and {nodes!r}.")
        self._wire(Wiring.of(nodes, self.inputs, output, self.name))
        self.accepts_ids = all(self._wiring.ids)
        self.stateful = any(layer.stateful for layer in self.inner())

    def _wire(self, wiring: Wiring) -> None:
        self._wiring, self.nodes, self.order, self.output = wiring, wiring.nodes, wiring.order, wiring.output

    def config(self) -> dict[str, Any]:
        """Every node with its layer by name and configuration."""
        nodes = [[name, spec(node.layer), *node.sources] for name, node in self.nodes.items()]
        return {"nodes": nodes, "inputs": list(self.inputs), "output": self.output}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Graph:
        """An unbuilt graph with this configuration."""
        nodes = {name: (from_spec(layer), *sources) for name, layer, *sources in config["nodes"]}
        return cls(**(config | {"nodes": nodes}))

    def __repr__(self) -> str:
        nodes = {name: (node.layer, *node.sources) for name, node in self.nodes.items()}
        return f"Graph({nodes!r}, inputs={self.inputs!r}, output={self.output!r})"

    @property
    def named(self) -> Mapping[str, Layer]:
        """The layers by the names of their nodes."""
        return {name: node.layer for name, node in self.nodes.items()}

    def _exchange(self, layers: Mapping[str, Layer]) -> None:
        nodes = {name: node._replace(layer=layers[name]) for name, node in self.nodes.items()}
        self._wire(self._wiring._replace(nodes=nodes))

    @property
    def ids_of_inputs(self) -> tuple[bool, ...]:
        """Which inputs are ids."""
        return self._wiring.ids

    @property
    def output_size(self) -> int:
        """Number of features of the output node."""
        self._require_built()
        return self.nodes[self.output].layer.output_size

    @property
    def returns_sequences(self) -> bool:
        """Whether the output has the steps of an input: those on the way to it give sequences."""
        return all(node.layer.returns_sequences for node in self._way())

    def _way(self) -> list[Node]:
        """The nodes from the output back to an input, along what each reads first."""
        way, name = [], self.output
        while name in self.nodes:
            way.append(self.nodes[name])
            name = way[-1].sources[0]
        return way

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """Lengths of the output for inputs of these lengths."""
        ends: dict[str, Any] = dict(
            zip(self.inputs, Inputs.of(lengths, None, self.inputs, self.name).arrays, strict=True)
        )
        for name in self.order:
            node = self.nodes[name]
            ends[name] = lengths_after(node.layer, node.of(ends))
        return ends[self.output]

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        sizes = dict(zip(self.inputs, self.input_sizes, strict=True))
        for name in self.order:
            node = self.nodes[name]
            try:
                sizes[name] = node.layer.build(node.of(sizes), rng, self.dtype.name).output_size
            except SeqkitError as error:
                raise type(error)(f"{self.name}: node {name!r}: {error}") from error
        return {}

    def forward(
        self, x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Caches]:
        """Output of a batch, and a cache whose `state` holds the final states of all layers."""
        values, caches = self._run(x, lengths, state, training)
        return values[self.output], caches

    def outputs(self, x: Any, lengths: Any = None, state: State | None = None) -> dict[str, np.ndarray]:
        """What inputs and nodes give, by name, outside training."""
        return self._run(x, lengths, state, training=False)[0]

    def _run(self, x: Any, lengths: Any, state: State | None, training: bool) -> tuple[dict[str, Any], Caches]:
        self._require_built()
        given = Inputs.of(x, lengths, self.inputs, self.name)
        values: dict[str, Any] = dict(zip(self.inputs, given.arrays, strict=True))
        ends: dict[str, Any] = dict(zip(self.inputs, given.lengths, strict=True))
        shares = self._shares(state, lambda: self._run(first_row(x), first_row(lengths), None, training=False))
        caches = {}
        for name in self.order:
            node = self.nodes[name]
            values[name], caches[name] = node.layer.forward(node.of(values), node.of(ends), shares[name], training)
            ends[name] = None if values[name].ndim == 2 else lengths_after(node.layer, node.of(ends))
        self._learn(caches)
        return values, Caches({name: caches[name] for name in self.nodes}, given.alone)

    def backward(
        self, dy: np.ndarray, cache: Caches, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[Any, State]:
        """Gradients of the input, a tuple where several were given, and of all initial states; adds to `grads`."""
        shares, initial = self._shares(dstate), {}
        grads: dict[str, Any] = {self.output: dy}
        for name in reversed(self.order):
            layer, sources = self.nodes[name]
            wanted = input_grad or any(source in self.nodes for source in sources)
            dx, initial[name] = layer.backward(grads.pop(name), cache.nodes[name], shares[name], wanted)
            parts: Any = dx if len(sources) > 1 else (dx,)
            for source, part in zip(sources, parts or (), strict=False):
                if part is not None:
                    grads[source] = grads[source] + part if source in grads else part
        dinitial = tuple(array for name in self.nodes for array in initial[name])
        if not input_grad:
            return None, dinitial
        given = Inputs(self.inputs, (), cache.alone)  # type: ignore[arg-type]
        return given.gradient([grads.get(name) for name in self.inputs]), dinitial

    def step(self, x_t: Any, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream through all layers; of several inputs, a tuple.

        Raises
        ------
        ConfigError
            If a layer cannot run step by step.
        """
        self._require_built()
        given = Inputs.of(x_t, None, self.inputs, self.name)
        values = dict(zip(self.inputs, given.arrays, strict=True))
        shares, states = self._shares(state, lambda: self.step(first_row(x_t))), {}
        for name in self.order:
            node = self.nodes[name]
            values[name], states[name] = node.layer.step(node.of(values), shares[name])
        self._counts = {name: len(after) for name, after in states.items()}
        return values[self.output], tuple(array for name in self.nodes for array in states[name])
