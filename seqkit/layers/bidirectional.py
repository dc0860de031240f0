"""Two directions of a sequence in one call.

Legend: B batch, T time, H units of a direction.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqkit import _core, generators
from seqkit.errors import ConfigError, ShapeError
from seqkit.layer import State
from seqkit.parameters import JoinedParameters
from seqkit.pools import Pool
from seqkit.recurrent import Cache, Recurrent
from seqkit.registry import from_spec, spec
from seqkit.rows import Rows
from seqkit.segments import Direction, run_backward, run_forward
from seqkit.sequence_layer import SequenceLayer, TapeBytes, arrays_of

MERGES = ("concat", "sum", "mul", "ave", None)
NO_STREAM = "bidirectional: a stream has no end to start the backward direction from; use a one-directional layer."


@dataclass
class BothCaches:
    """The caches of the directions, and their outputs where the merge needs them."""

    forward: Cache
    backward: Cache
    outputs: tuple[np.ndarray, np.ndarray] | None

    @property
    def state(self) -> State:
        """Final states of the forward direction, then of the backward one."""
        return self.forward.state + self.backward.state


class Bidirectional(SequenceLayer):
    r"""Runs one layer from the start of each sequence and one from its end, and merges them.

    Both directions are one call of the engine, each on its own threads; the backward one starts
    at the true end of each sequence and its outputs stay at the time of their input.

    Parameters
    ----------
    layer : Recurrent
        The forward direction.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        How the outputs :math:`\overrightarrow{y}, \overleftarrow{y}` become one: side by side,
        their sum, product or mean; None gives both as a tuple.
    backward_layer : Recurrent, optional
        The backward direction, of any cell; by default like `layer`.

    References
    ----------
    Schuster and Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing, 1997.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.Bidirectional(seqkit.GRU(4, return_sequences=True))
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    name = "bidirectional"
    directions = 2

    def __init__(
        self, layer: Recurrent, merge_mode: str | None = "concat", backward_layer: Recurrent | None = None
    ) -> None:
        if merge_mode not in MERGES:
            raise ConfigError(
                f"bidirectional: merge_mode is {merge_mode!r}, expected one of {', '.join(map(str, MERGES))}."
            )
        layer = _direction(layer)
        backward_layer = _direction(from_spec(spec(layer)) if backward_layer is None else backward_layer)
        if backward_layer is layer:
            raise ConfigError("bidirectional: one layer cannot be both directions; give a second one, or none.")
        both = [(one.return_sequences, one.checkpoint) for one in (layer, backward_layer)]
        if layer.go_backwards or both[0] != both[1]:
            raise ConfigError(
                "bidirectional: the forward layer must not go backwards, and return_sequences must be equal in both; "
                "so must checkpoint."
            )
        if merge_mode not in ("concat", None) and layer.output_size != backward_layer.output_size:
            raise ConfigError(
                f"bidirectional: {merge_mode!r} needs equal units, got {layer.output_size} and "
                f"{backward_layer.output_size}."
            )
        backward_layer.go_backwards = True
        self.forward_layer, self.backward_layer, self.merge_mode = layer, backward_layer, merge_mode
        self.input_shape = layer.input_shape
        self.return_state = layer.return_state

    def config(self) -> dict[str, Any]:
        """Both directions by name and configuration."""
        return {
            "layer": spec(self.forward_layer),
            "merge_mode": self.merge_mode,
            "backward_layer": spec(self.backward_layer),
        }

    def __repr__(self) -> str:
        directions = f"{self.forward_layer!r}, merge_mode={self.merge_mode!r}, backward_layer={self.backward_layer!r}"
        return f"Bidirectional({directions})"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Bidirectional:
        """An unbuilt layer with this configuration."""
        layers = {key: from_spec(config[key]) for key in ("layer", "backward_layer")}
        return cls(**(config | layers))

    @property
    def output_size(self) -> int:
        """Number of output features."""
        size = self.forward_layer.output_size
        return size + self.backward_layer.output_size if self.merge_mode == "concat" else size

    @property
    def returns_sequences(self) -> bool:
        """As both directions do."""
        return self.forward_layer.return_sequences

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        for layer in (self.forward_layer, self.backward_layer):
            layer.build(self.input_size, rng, self.dtype.name)
        return {}

    def _set_params(self, arrays: dict[str, np.ndarray]) -> None:
        layers = {"forward": self.forward_layer, "backward": self.backward_layer}
        self.params = JoinedParameters({name: layer.params for name, layer in layers.items()})
        self.grads = {f"{name}.{key}": grad for name, layer in layers.items() for key, grad in layer.grads.items()}

    @property
    def precision(self) -> str:
        """What products are computed in, as in the forward direction."""
        return self.forward_layer.precision

    def _quantized(self, precision: str | None) -> Self:
        layer = copy.copy(self)
        layer.forward_layer = self.forward_layer._quantized(precision)
        layer.backward_layer = self.backward_layer._quantized(precision)
        layer._set_params({})
        return layer

    @property
    def checkpoint(self) -> int | None:  # type: ignore[override]
        """Steps of a segment in training, as both directions have it."""
        return self.forward_layer.checkpoint

    def tape_bytes(self, batch: int) -> TapeBytes:
        """What a training pass on `batch` sequences takes: what both directions do."""
        parts = self.forward_layer.tape_bytes(batch), self.backward_layer.tape_bytes(batch)
        return TapeBytes(*map(sum, zip(*parts, strict=True)))

    def cut(self, steps: int | None) -> None:
        """Train both directions in segments of `steps` steps."""
        self.forward_layer.cut(steps)
        self.backward_layer.cut(steps)

    def random_state(self) -> dict[str, int]:
        """Where both directions' sources of random numbers stand."""
        layers = {"forward": self.forward_layer, "backward": self.backward_layer}
        return generators.join({name: layer.random_state() for name, layer in layers.items()})

    def restore_random_state(self, state: Mapping[str, int]) -> None:
        """Go on drawing from where :meth:`random_state` was asked."""
        for name, layer in (("forward", self.forward_layer), ("backward", self.backward_layer)):
            layer.restore_random_state(generators.part(state, name))

    # ---- forward ----------------------------------------------------------------------------

    def release_memory(self) -> None:
        """Free the working memory of both directions."""
        self.forward_layer.release_memory()
        self.backward_layer.release_memory()

    def run(self, rows: Rows, state: State | None, training: bool) -> tuple[Any, BothCaches]:
        """Run both directions over rows."""
        whole, halves = self._outputs(rows)
        passes = self._bind(rows, halves, state, training)
        run_forward(passes)
        first, second = self.forward_layer.finish(passes[0]), self.backward_layer.finish(passes[1])
        merged = whole if self.merge_mode == "concat" else self._merge(*halves)
        return merged, BothCaches(
            first, second, arrays_of(tuple(halves)) if training and self.merge_mode == "mul" else None
        )

    def _bind(self, rows: Rows, halves: list[Any], state: State | None, training: bool) -> list[Direction]:
        layers, states = (self.forward_layer, self.backward_layer), self._split_state(state)
        return [
            layer.bind_forward(rows, y, part, training, aligned=True)
            for layer, y, part in zip(layers, halves, states, strict=True)
        ]

    def _calls(self, rows: Rows, training: bool) -> list[_core.Call]:
        return [one.forward.call for one in self._bind(rows, self._outputs(rows)[1], None, training)]

    def _outputs(self, rows: Rows) -> tuple[Any, list[Any]]:
        """Where the directions write: halves of one array, or an array each."""
        sizes = [self.forward_layer.output_size, self.backward_layer.output_size]
        if self.merge_mode == "concat":
            whole = self._room(rows, sum(sizes))
            if isinstance(whole, Rows):
                return whole, [whole.columns(0, sizes[0]), whole.columns(sizes[0], sum(sizes))]
            return whole, [whole[:, : sizes[0]], whole[:, sizes[0] :]]
        return None, [self._room(rows, size) for size in sizes]

    def _room(self, rows: Rows, features: int) -> Any:
        return rows.new(features) if self.returns_sequences else rows.last(features)

    def _merge(self, a: Any, b: Any) -> Any:
        if self.merge_mode is None:
            return a, b
        u, v = arrays_of((a, b))
        merged = u * v if self.merge_mode == "mul" else (u + v) / (2 if self.merge_mode == "ave" else 1)
        return replace(a, array=merged) if isinstance(a, Rows) else merged

    def _split_state(self, state: State | None) -> tuple[State | None, State | None]:
        count = len(self.forward_layer.cell.states)
        if state is None:
            return None, None
        if len(state) != count + len(self.backward_layer.cell.states):
            raise ShapeError(
                f"bidirectional: state must hold the {count} states of the forward layer, then those of the backward; "
                f"got {len(state)} arrays."
            )
        return tuple(state[:count]), tuple(state[count:])

    # ---- backward ---------------------------------------------------------------------------

    def backward(
        self, dy: Any, cache: BothCaches, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of both initial states; adds to `grads`."""
        layers = (self.forward_layer, self.backward_layer)
        parts = zip(
            layers, self._split_dy(dy, cache), (cache.forward, cache.backward), self._split_state(dstate), strict=True
        )
        passes = [layer.bind_backward(layer.take_tape(one), half, part, input_grad) for layer, half, one, part in parts]
        dinitial = run_backward(passes)
        dx = [one.dx.array for one in passes if one.dx is not None]
        return (np.add(dx[0], dx[1], out=dx[0]) if dx else None), dinitial

    def _split_dy(self, dy: Any, cache: BothCaches) -> tuple[Any, Any]:
        """The gradient of each direction's output."""
        if dy is None:
            return None, None
        if self.merge_mode is None:
            return tuple(dy)
        dy = np.asarray(dy)
        if dy.shape[-1:] != (self.output_size,):
            raise ShapeError(f"bidirectional: dy has shape {dy.shape}, expected {self.output_size} features.")
        if self.merge_mode == "concat":
            size = self.forward_layer.output_size
            return dy[..., :size], dy[..., size:]
        if self.merge_mode == "mul":
            assert cache.outputs is not None
            return dy * cache.outputs[1], dy * cache.outputs[0]
        share = dy / 2 if self.merge_mode == "ave" else dy
        return share, share

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """Not possible: the backward direction starts at the end of a sequence."""
        raise ConfigError(NO_STREAM)

    def state_pool(self, rows: int) -> Pool:
        """Not possible, like `step`."""
        raise ConfigError(NO_STREAM)


def _direction(layer: Any) -> Recurrent:
    if not isinstance(layer, Recurrent):
        raise ConfigError(f"bidirectional: each direction must be a recurrent layer such as LSTM(64), got {layer!r}.")
    if layer.built or layer.stateful:
        raise ConfigError("bidirectional: directions must be new and not stateful; a stream has no end to start from.")
    return layer
