"""Layers that skip masked steps, wherever they are.

Legend: B batch, T time, F features, V largest number of valid steps of a sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit._core import scatter_add
from seqkit.composite import Composite, first_row
from seqkit.errors import ConfigError, ShapeError
from seqkit.layer import Layer, State, final_state
from seqkit.parts import sequence_of, twice
from seqkit.registry import from_spec, spec
from seqkit.sequence_layer import SequenceLayer
from seqkit.sequences import as_lengths, as_sequences, valid_steps


class Places(NamedTuple):
    """Where the valid steps of a batch are, for one layer."""

    order: np.ndarray
    """(B, V): the places of the valid steps in time; what follows those of a sequence is not read."""
    counts: np.ndarray
    """(B,): number of valid steps."""
    last: np.ndarray
    """(B, T): at each step of the output, the number of valid steps read until then."""
    valid: np.ndarray
    """(B, T): whether a step of the output belongs to a valid step."""
    inside: np.ndarray | None
    """(B, T): whether a step is inside its sequence; None where all are."""


class Run(NamedTuple):
    """What one layer has done: its cache, where the valid steps were if it skips others, the shape of its input."""

    cache: Any
    places: Places | None
    shape: tuple[int, ...]


class Caches(NamedTuple):
    """What all layers have done, and the valid steps of the input, (B, T)."""

    layers: list[Run]
    mask: np.ndarray

    @property
    def state(self) -> State:
        """The final states of all layers, one behind the other."""
        return tuple(array for run in self.layers for array in final_state(run.cache))


class Masked(Composite):
    r"""Layers one after the other, of which the recurrent ones skip masked steps, as in Keras.

    A step is masked where the input says so: where all its features are `mask_value` or, if the first layer takes
    ids, where the id is.  Padding may be on the left, on the right, or anywhere.  A recurrent layer never sees a
    masked step: the valid steps :math:`t_1 < t_2 < \dots` are taken out, run as a sequence of their own, and

    .. math:: y_t = \tilde y_{k(t)}, \quad k(t) = \max \{k : t_k \le t\}

    puts its outputs back: a masked step repeats the output before it, which at first is 0, or the state that the
    call was given.  Under two directions its output is 0, and a layer that gives one vector gives that of the last
    valid step.  Other layers see all steps.  Features of masked steps are set to 0 before the first layer.

    Parameters
    ----------
    layers : sequence of Layer, optional
        None of them stays as it is where nothing is to be skipped; without any, masked steps become 0.
    mask_value : float
        What masked steps hold.

    Attributes
    ----------
    layers : tuple of Layer

    Raises
    ------
    ConfigError
        If `layers` holds something else, a wrapper around other layers, or something after a layer that gives one
        vector; if `mask_value` is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = Masked([seqkit.GRU(2)]).build(1, seed=0)
    >>> padded = layer(np.array([[[0.0], [1.0], [0.0], [2.0]]]))
    >>> bool((padded == layer.layers[0](np.array([[[1.0], [2.0]]]))).all())
    True
    """

    name = "masked"

    def __init__(self, layers: Sequence[Layer] = (), mask_value: float = 0.0) -> None:
        self.layers = sequence_of(layers, self.name)
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise ConfigError(f"{self.name}: layers such as seqkit.LSTM(64) were expected, got {layer!r}.")
            if layer.inner() and not isinstance(layer, Masked):
                raise ConfigError(f"{self.name}: {layer!r} runs other layers, which would see masked steps.")
            if getattr(layer, "merge_mode", "") is None:
                raise ConfigError(f"{self.name}: {layer!r} gives two outputs; choose a merge_mode.")
        if (shared := twice(self.layers)) is not None:
            raise ConfigError(f"{self.name}: {shared!r} is there twice; make a second layer.")
        ended = next((layer for layer in self.layers[:-1] if not layer.returns_sequences), None)
        if ended is not None:
            raise ConfigError(f"{self.name}: {ended!r} gives one vector per sequence, nothing can be masked behind it.")
        if not isinstance(mask_value, (int, float, np.integer, np.floating)) or not np.isfinite(mask_value):
            raise ConfigError(
                f"{self.name}: mask_value must be a finite number, got {mask_value!r}; NaN equals nothing, so write a "
                f"number in its place, as np.nan_to_num does."
            )
        self.mask_value = float(mask_value)
        self.accepts_ids = bool(self.layers) and self.layers[0].accepts_ids
        self.stateful = any(layer.stateful for layer in self.layers)
        self.input_dim = getattr(self.layers[0], "input_dim", None) if self.layers else None

    def config(self) -> dict[str, Any]:
        """The layers by name and configuration."""
        return {"layers": [spec(layer) for layer in self.layers], "mask_value": self.mask_value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Masked:
        """An unbuilt layer with this configuration."""
        return cls(**(config | {"layers": [from_spec(layer) for layer in config["layers"]]}))

    def __repr__(self) -> str:
        return f"Masked({list(self.layers)!r}, mask_value={self.mask_value!r})"

    @property
    def named(self) -> Mapping[str, Layer]:
        """The layers by number."""
        return {str(number): layer for number, layer in enumerate(self.layers)}

    def _exchange(self, layers: Mapping[str, Layer]) -> None:
        self.layers = tuple(layers.values())

    @property
    def output_size(self) -> int:
        """Number of output features of the last layer."""
        self._require_built()
        return self.layers[-1].output_size if self.layers else self.input_size

    @property
    def returns_sequences(self) -> bool:
        """As the last layer does."""
        return all(layer.returns_sequences for layer in self.layers)

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        size = self.input_size
        for layer in self.layers:
            size = layer.build(size, rng, self.dtype.name).output_size
        return {}

    # ---- forward -----------------------------------------------------------------------------------

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Caches]:
        """Output of a batch, and a cache whose `state` holds the final states of all layers.

        Raises
        ------
        ShapeError, DTypeError
            If x, lengths or state do not fit.
        """
        self._require_built()
        y, mask, inside = self._masked(x, lengths)
        shares = self._shares(state, lambda: self.forward(first_row(x), first_row(lengths), training=False))
        caches = []
        for layer, own in zip(self.layers, shares.values(), strict=True):
            shape, places = y.shape, None
            if isinstance(layer, SequenceLayer):
                places = _places(mask, inside, layer.go_backwards)
                y, cache = self._run(layer, y, places, own, training)
            else:
                y, cache = layer.forward(y, lengths, own, training)
            caches.append(Run(cache, places, shape))
        self._learn({str(number): run.cache for number, run in enumerate(caches)})
        return y, Caches(caches, mask)

    def _masked(self, x: Any, lengths: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The input, zero where it is masked; its valid steps, (B, T); and those inside their sequences."""
        if self.accepts_ids:
            x = np.asarray(x)
            if x.ndim != 2:
                raise ShapeError(f"{self.name}: x has shape {x.shape}, expected ids (batch, time).")
            mask = x != self.mask_value
        else:
            x = as_sequences(x, self.dtype, self.name, self.input_size)
            mask = (x != self.dtype.type(self.mask_value)).any(axis=2)
        batch, time = x.shape[:2]
        inside = valid_steps(as_lengths(lengths, batch, time, self.name), batch, time)
        mask = mask if inside is None else mask & inside
        return (x if self.accepts_ids else np.where(mask[:, :, None], x, self.dtype.type(0))), mask, inside

    def _run(
        self, layer: SequenceLayer, x: np.ndarray, places: Places, state: State | None, training: bool
    ) -> tuple[np.ndarray, Any]:
        """A recurrent layer on the valid steps alone."""
        taken = np.take_along_axis(x, places.order[:, :, None], axis=1)  # (B, V, F)
        y, cache = layer.forward(taken, places.counts, state, training)
        if not layer.returns_sequences:
            return y, cache
        first = np.zeros_like(y[:, :1]) if state is None else np.asarray(state[0], y.dtype)[:, None, : y.shape[2]]
        if layer.directions > 1:
            first = np.zeros_like(y[:, :1])
        spread = np.take_along_axis(np.concatenate([first, y], axis=1), places.last[:, :, None], axis=1)
        return _zero_outside(spread, _shown(layer, places)), cache

    # ---- backward ----------------------------------------------------------------------------------

    def backward(
        self, dy: np.ndarray, cache: Caches, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input, 0 at masked steps, and of the initial states; adds to `grads`."""
        shares = list(self._shares(dstate).values())
        gradient: Any = np.asarray(dy)
        initial: list[State] = []
        for number in range(len(self.layers) - 1, -1, -1):
            layer, done = self.layers[number], cache.layers[number]
            wanted = input_grad or number > 0
            if isinstance(layer, SequenceLayer):
                gradient, dfirst = self._run_back(layer, gradient, done, shares[number], wanted)
            else:
                gradient, dfirst = layer.backward(gradient, done.cache, shares[number], wanted)
            initial.append(dfirst)
        dinitial = tuple(array for part in reversed(initial) for array in part)
        if gradient is None or not input_grad:
            return None, dinitial
        return _zero_outside(gradient, cache.mask), dinitial

    def _run_back(
        self, layer: SequenceLayer, dy: np.ndarray, done: Run, dstate: State | None, input_grad: bool
    ) -> tuple[np.ndarray | None, State]:
        """Gradients of the input of a recurrent layer and of its initial state."""
        places = done.places
        assert places is not None
        held = None
        if layer.returns_sequences:
            summed = self._summed(_zero_outside(np.asarray(dy, self.dtype), _shown(layer, places)), places)
            held, dy = summed[:, 0], np.ascontiguousarray(summed[:, 1:])
        dtaken, dinitial = layer.backward(dy, done.cache, dstate, input_grad)
        if held is not None and layer.directions == 1:
            dinitial = (dinitial[0] + held, *dinitial[1:])
        if dtaken is None:
            return None, dinitial
        dx = np.zeros(done.shape, self.dtype)
        np.put_along_axis(dx, places.order[:, :, None], dtaken, axis=1)  # 0 past the valid steps
        return dx, dinitial

    def _summed(self, dy: np.ndarray, places: Places) -> np.ndarray:
        """For each valid step, and before them for the initial state, the sum over the steps that show its output."""
        batch, _, features = dy.shape
        steps = places.order.shape[1] + 1
        table = np.zeros((batch * steps, features), self.dtype)
        rows = (np.arange(batch)[:, None] * steps + places.last).reshape(-1)
        scatter_add(table, rows, np.ascontiguousarray(dy.reshape(-1, features)))
        return table.reshape(batch, steps, features)


def _places(mask: np.ndarray, inside: np.ndarray | None, go_backwards: bool) -> Places:
    """Where a layer reads its steps and writes its outputs; one that goes backwards writes them as it reads."""
    counts = mask.sum(axis=1)
    order = np.argsort(~mask, axis=1, kind="stable")[:, : max(1, int(counts.max(initial=0)))]
    if go_backwards:
        lengths = np.full(len(mask), mask.shape[1]) if inside is None else inside.sum(axis=1)
        times = np.arange(mask.shape[1])
        mirrored = np.where(times < lengths[:, None], lengths[:, None] - 1 - times, times)
        mask = np.take_along_axis(mask, mirrored, axis=1)
    return Places(order, counts, np.cumsum(mask, axis=1), mask, inside)


def _shown(layer: SequenceLayer, places: Places) -> np.ndarray | None:
    """The steps whose output is not 0."""
    return places.valid if layer.directions > 1 else places.inside


def _zero_outside(y: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    return y if valid is None else np.where(valid[:, :, None], y, y.dtype.type(0))
