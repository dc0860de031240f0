"""Layers that are wrong in one way each, and the check that must say so.

``test_kit.py`` runs the check on each; the layers that they are made of pass all of them.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import seqkit
from checks.plain import PlainRNN
from seqkit import _core
from seqkit.layer import Layer, State, final_state
from seqkit.sequences import as_sequences, as_vectors, valid_steps
from seqkit.wrapper import Wrapper

BROKEN: dict[type[Layer], str] = {}
"""The check that each one fails."""


def name_of(broken: type[Layer]) -> str:
    """The name under which a test registers it."""
    return f"broken_{broken.__name__.lower()}"


def breaks(check: str) -> Callable[[type[Any]], type[Any]]:
    """Class decorator: the check that finds this one."""

    def add(cls: type[Any]) -> type[Any]:
        BROKEN[cls] = check
        return cls

    return add


# ---- layers that are right -----------------------------------------------------------------------


class Plain(PlainRNN):
    """h_t = tanh(W x_t + b + U h_{t-1}), with an option for the size of x."""

    def __init__(
        self, units: int, scale: float = 1.0, return_sequences: bool = True, go_backwards: bool = False
    ) -> None:
        super().__init__(units, return_sequences, go_backwards)
        self.scale = scale

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, **super().config()}


@dataclass
class ResidualCache:
    """The cache of the layer inside, and which steps there are."""

    inner: Any
    inside: np.ndarray | None
    state: State


class Residual(Wrapper):
    """y = x + layer(x), whatever the layer is."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        y, cache = self.layer.forward(x, lengths, state, training)
        inside = valid_steps(lengths, *x.shape[:2])
        return y + _inside(x, inside), ResidualCache(cache, inside, final_state(cache))

    def backward(self, dy: Any, cache: Any, dstate: State | None = None, input_grad: bool = True) -> tuple[Any, State]:
        dx, dinitial = self.layer.backward(dy, cache.inner, dstate, input_grad)
        return (None if dx is None else dx + _inside(dy, cache.inside)), dinitial


def _inside(steps: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
    return np.ascontiguousarray(steps if inside is None else np.where(inside[..., None], steps, 0))


class Scale(Layer):
    """y = w * x, for every step or for a vector."""

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": rng.normal(size=self.input_size)}

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = np.asarray(x, self.dtype)
        inside = None if x.ndim == 2 else valid_steps(lengths, *x.shape[:2])
        x = _inside(x, inside)
        return self.params["weight"] * x, (x, inside)

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, State]:
        x, inside = cache
        dy = _inside(dy, inside)
        self.grads["weight"] += (dy * x).reshape(-1, self.input_size).sum(axis=0)
        return (self.params["weight"] * dy if input_grad else None), ()


class Norm(Layer):
    """y = w |x|^2, of vectors only."""

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": rng.normal(size=1)}

    @property
    def output_size(self) -> int:
        return 1

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = as_vectors(x, self.dtype, self.name, self.input_size)
        return self.params["weight"] * (x * x).sum(axis=1, keepdims=True), x

    def backward(self, dy: Any, x: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, State]:
        self.grads["weight"] += (dy * (x * x).sum(axis=1, keepdims=True)).sum()
        return (2 * self.params["weight"] * dy * x if input_grad else None), ()


RIGHT = {"right_plain": Plain, "right_wrapper": Residual, "right_scale": Scale, "right_vectors": Norm}
"""By the names under which a test registers them."""


# ---- what a layer says of itself -----------------------------------------------------------------


@breaks("check_build")
class FailsToBuild(Plain):
    """Its parameters cannot be made."""

    def _build(self, rng: Any) -> Any:
        raise RuntimeError("no luck")


@breaks("check_docstring")
class Silent(Scale):
    pass


@breaks("check_registration")
class OfTheFuture(Plain):
    """Was written for another version of seqkit."""

    api_version = 2


@breaks("check_parameters")
class RenamesGradients(Plain):
    """Gradients come under other names."""

    def backward(self, *arguments: Any, **options: Any) -> Any:
        result = super().backward(*arguments, **options)
        self.grads["kernel"] = self.grads["weight_ih"]
        return result


@breaks("check_parameters")
class HalfGradients(Plain):
    """Gradients are float64 in a layer of float32."""

    def _set_params(self, arrays: Any) -> None:
        super()._set_params(arrays)
        self.grads = {name: grad.astype("f8") for name, grad in self.grads.items()}


@breaks("check_seed")
class IgnoresTheSeed(Plain):
    """Initial values come from elsewhere."""

    def _build(self, rng: Any) -> Any:
        return super()._build(np.random.default_rng())


@breaks("check_rebuild")
class Rebuilds(Plain):
    """Takes another input size at any time."""

    def build(self, *arguments: Any, **options: Any) -> Any:
        self.built = False
        return super().build(*arguments, **options)


@breaks("check_config")
class LosesAnOption(Plain):
    """Forgets its scale."""

    def config(self) -> dict[str, Any]:
        return {name: value for name, value in super().config().items() if name != "scale"}


@breaks("check_config")
class RoundsAnOption(Plain):
    """Its scale comes back as another one."""

    def config(self) -> dict[str, Any]:
        return super().config() | {"scale": float(round(self.scale))}


@breaks("check_config")
class HoldsAnObject(Plain):
    """Its configuration is none that JSON can hold."""

    def config(self) -> dict[str, Any]:
        return super().config() | {"scale": np.float64(self.scale), "units": np.int64(self.units)}


@breaks("check_output")
class SingleOnly(Plain):
    """Results are float32 in a layer of float64."""

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(*arguments, **options)
        return y.astype("f4"), cache


# ---- gradients -----------------------------------------------------------------------------------


@breaks("check_gradients")
class WrongSign(Plain):
    """The gradient of the bias points the other way."""

    def backward(self, *arguments: Any, **options: Any) -> Any:
        before = self.grads["bias"].copy()
        result = super().backward(*arguments, **options)
        self.grads["bias"][...] = 2 * before - self.grads["bias"]
        return result


@breaks("check_training")
class Trembles(Plain):
    """Gradients have some noise."""

    def backward(self, *arguments: Any, **options: Any) -> Any:
        self.grads["bias"] += np.random.default_rng().normal(size=self.units).astype(self.dtype)
        return super().backward(*arguments, **options)


@breaks("check_gradients_of_full_sequences")
class AveragesFullSequences(Plain):
    """Without lengths dx is divided by the number of steps."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        self.divisor = np.shape(x)[1] if lengths is None else 1
        return super().forward(x, lengths, *arguments, **options)

    def backward(self, *arguments: Any, **options: Any) -> Any:
        dx, dinitial = super().backward(*arguments, **options)
        return (None if dx is None else dx / self.divisor), dinitial


@breaks("check_gradients_of_a_stack")
class SharesGradients(Plain):
    """Two layers in one model add to the same arrays."""

    shared: dict[Any, Any] = {}  # noqa: RUF012 - this is the fault

    def _set_params(self, arrays: Any) -> None:
        super()._set_params(arrays)
        key = tuple(array.shape for array in arrays.values()), self.dtype.name
        self.grads = self.shared.setdefault(key, self.grads)


@breaks("check_gradients_through_time_pieces")
class ForgetsTheInitialState(Plain):
    """No gradient of the initial state."""

    def backward(self, *arguments: Any, **options: Any) -> Any:
        dx, (dinitial,) = super().backward(*arguments, **options)
        return dx, (0 * dinitial,)


@breaks("check_zero_grads")
class NewArrays(Plain):
    """Takes new arrays for its gradients."""

    def zero_grads(self) -> None:
        self.grads = {name: np.zeros_like(grad) for name, grad in self.grads.items()}


@breaks("check_gradients_of_both_directions")
class HalfBackwards(seqkit.LSTM):
    """Gradients of the backward direction are twice what they are."""

    def bind_backward(self, direction: Any, dy: Any, *arguments: Any) -> Any:
        return super().bind_backward(direction, 2 * dy if self.go_backwards else dy, *arguments)


@breaks("check_bidirectional")
class OneWay(seqkit.LSTM):
    """Whatever it is told, it reads from the start."""

    def bind_forward(self, *arguments: Any, **options: Any) -> Any:
        kept, self.go_backwards = self.go_backwards, False
        try:
            return super().bind_forward(*arguments, **options)
        finally:
            self.go_backwards = kept


@breaks("check_checkpoint")
class RoundsSegments(seqkit.GRU):
    """Another result where training is cut into segments."""

    def bind_forward(self, rows: Any, y: Any, state: Any, *arguments: Any, **options: Any) -> Any:
        state = state if self.checkpoint is None else tuple(s.astype("f4") for s in state)
        return super().bind_forward(rows, y, state, *arguments, **options)


@breaks("check_stack")
class CountsTheBatch(Plain):
    """A prediction depends on how many there are."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y * y.dtype.type(1 + 1e-6 * len(y)), cache


# ---- rows ----------------------------------------------------------------------------------------


@breaks("check_lengths")
class IgnoresLengths(Plain):
    """Every sequence ends where the array ends."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        return super().forward(x, None, *arguments, **options)


@breaks("check_nan_in_one_sequence")
class NormalizesTheBatch(Plain):
    """NaN in one sequence is NaN in all."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y.sum(), cache


@breaks("check_length_zero")
class NothingBecomesZero(Plain):
    """The final state of a sequence of no steps is 0."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, lengths, *arguments, **options)
        if lengths is not None:
            cache.state[0][np.asarray(lengths) == 0] = 0
        return y, cache


@breaks("check_length_one")
class ShortCut(Plain):
    """Sequences on a time axis of one step have a path of their own."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return (y * y.dtype.type(1.001) if np.shape(x)[1] == 1 else y), cache


@breaks("check_empty_batch")
class NeedsARow(Plain):
    """Looks for the largest number of all, which nothing has."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y.dtype.type(len(y[0])), cache


@breaks("check_no_steps")
class NeedsAStep(Plain):
    """Looks at the first step."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y[:, :1].max(axis=1, keepdims=True), cache


@breaks("check_vectors")
class OtherVectors(Scale):
    """Another formula for vectors."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return (2 * y if np.ndim(x) == 2 else y), cache


@breaks("check_vectors")
class HalfAGradient(Norm):
    """Half of the gradient of a vector."""

    def backward(self, dy: Any, *arguments: Any, **options: Any) -> Any:
        return super().backward(dy / 2, *arguments, **options)


# ---- time ----------------------------------------------------------------------------------------


@breaks("check_initial_state")
class IgnoresTheState(Plain):
    """Begins with 0."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        return super().forward(x, lengths, None, training)


@breaks("check_split_in_time")
class RoundsTheState(Plain):
    """A state that is handed over is rounded."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        state = state and tuple(s.astype("f2") for s in state)
        return super().forward(x, lengths, state, training)


@breaks("check_causality")
class LooksAhead(Plain):
    """The mean over all steps is taken away."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, lengths, *arguments, **options)
        return y - y.mean(axis=1, keepdims=True), cache


@breaks("check_steps")
class OtherStep(Plain):
    """A step computes something else."""

    def step(self, x_t: Any, state: Any = None) -> Any:
        y, after = super().step(x_t, state)
        return y * y.dtype.type(1 + 1e-6), after


@breaks("check_stateful")
class NeverForgets(seqkit.GRU):
    """Carries its state whatever it is told."""

    def reset_states(self) -> None:
        pass


# ---- calls ---------------------------------------------------------------------------------------


@breaks("check_repeated_calls")
class LeaksItsState(Plain):
    """A call begins where the one before has ended."""

    kept: Any = None

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        if self.kept is not None and len(self.kept[0]) == len(x):
            state = state or self.kept
        y, cache = super().forward(x, lengths, state, training)
        self.kept = cache.state
        return y, cache


@breaks("check_repeated_calls")
class RollsDice(Plain):
    """Random numbers that nobody can put back."""

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(*arguments, **options)
        return y + np.random.default_rng().normal(size=y.shape).astype(y.dtype) * y.dtype.type(1e-6), cache


@breaks("check_number_types")
class ReadsMemory(Plain):
    """Takes the bytes of x for its own type of numbers."""

    def __call__(self, x: Any, *arguments: Any, **options: Any) -> Any:
        return super().__call__(np.frombuffer(x.tobytes(), self.dtype).reshape(x.shape[0], x.shape[1], -1), *arguments)


@breaks("check_release_memory")
class ReleasesTooMuch(Plain):
    """Frees its parameters too."""

    def release_memory(self) -> None:
        self.params["bias"] = 0 * self.params["bias"]


@breaks("check_inputs_are_kept")
class WritesToParameters(Plain):
    """Sets a parameter when it is called."""

    def forward(self, *arguments: Any, **options: Any) -> Any:
        self.params["bias"] = self.params["bias"]
        return super().forward(*arguments, **options)


@breaks("check_random_state")
class OwnDice(seqkit.Dropout):
    """What is dropped is not what `random_state` says."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y * y.dtype.type(np.random.default_rng().normal()), cache


@breaks("check_rows_draw_their_own_numbers")
class OneRowForAll(seqkit.Dropout):
    """A batch counts as one row."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        before = self.random_state()
        result = super().forward(x, *arguments, **options)
        if self.random_state() != before:
            self.restore_random_state(before | {"row": before["row"] + 1})
        return result


@breaks("check_threads")
class FeelsThreads(Plain):
    """The number of threads is part of the formula."""

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(*arguments, **options)
        return y * y.dtype.type(1 + 1e-6 * _core.num_threads()), cache


@breaks("check_trace")
class LiesInItsTrace(seqkit.GRU):
    """What it shows is not what it computes."""

    def trace(self, *arguments: Any, **options: Any) -> Any:
        return {name: 0.99 * array for name, array in super().trace(*arguments, **options).items()}


# ---- errors --------------------------------------------------------------------------------------


class Unchecked(Plain):
    """Calls what is inside without a look at the arguments."""

    def __call__(self, x: Any, lengths: Any = None, training: bool = False) -> Any:
        if isinstance(x, list):
            return super().__call__(x, lengths, training)
        return Scale.forward(self, np.asarray(x)[..., : self.input_size], lengths)[0]  # type: ignore[arg-type]

    def _set_params(self, arrays: Any) -> None:
        super()._set_params(arrays | {"weight": np.ones(self.input_size)})


@breaks("check_wrong_rank")
class AnyRank(Unchecked):
    """Takes arrays of any number of dimensions."""


@breaks("check_wrong_features")
class AnyFeatures(Unchecked):
    """Takes the first features of more."""


@breaks("check_wrong_type")
class AnyType(Unchecked):
    """Takes the real part."""


@breaks("check_wrong_lengths")
class AnyLengths(Unchecked):
    """Takes lengths that are longer than the array."""


@breaks("check_wrong_state")
class AnyState(Plain):
    """Takes the first rows and columns of any state, and raises what NumPy raises."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        state = state and (np.asarray(state[0])[: len(x), : self.units],)
        return super().forward(x, lengths, state, training)


@breaks("check_wrong_features")
class BareErrors(Plain):
    """Says no in the words of NumPy."""

    def __call__(self, x: Any, *arguments: Any, **options: Any) -> Any:
        if np.shape(x)[-1] != self.input_size:
            raise ValueError("operands could not be broadcast together")
        return super().__call__(x, *arguments, **options)


# ---- copies and files ----------------------------------------------------------------------------


@breaks("check_deepcopy")
class CopiesNothing(Plain):
    """A deep copy is the layer itself."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self


@breaks("check_pickle")
class HoldsALock(Plain):
    """Has an attribute that cannot be pickled."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.square = lambda x: x * x


@breaks("check_saving")
class HiddenNumber(Plain):
    """A random number that is no parameter."""

    def _build(self, rng: Any) -> Any:
        self.number = rng.normal()
        return super()._build(rng)

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(*arguments, **options)
        return y * y.dtype.type(self.number), cache


# ---- low precision -------------------------------------------------------------------------------


@breaks("check_int8")
class WrongScale(seqkit.LSTM):
    """Products in int8 are half of what they are."""

    def _quantized(self, precision: str | None) -> Any:
        layer = super()._quantized(precision)
        layer._scale = 0.5 if precision == "int8" else 1.0
        return layer

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(*arguments, **options)
        return y * y.dtype.type(getattr(self, "_scale", 1.0)), cache


@breaks("check_bfloat16")
class OldPrecision(seqkit.GRU):
    """A quantized layer keeps the parameters of the day it was made."""

    def _quantized(self, precision: str | None) -> Any:
        layer = super()._quantized(precision)
        if precision:
            layer.params = seqkit.layer.Parameters({name: v.copy() for name, v in self.params.items()}, self.name)
        return layer


# ---- what may harm the process: only for a child ------------------------------------------------


class Crashes(Scale):
    """Reads where there is no memory if there are 64 sequences."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        return ctypes.string_at(0) if len(x) == 64 else super().forward(x, *arguments, **options)


class NeverEnds(Scale):
    """Waits for ever where there are 64 sequences."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        while len(x) == 64:
            time.sleep(0.01)
        return super().forward(x, *arguments, **options)


class Leaves(Scale):
    """Ends the process."""

    def release_memory(self) -> None:
        os._exit(3)


class Exits(Scale):
    """Raises what ends a program."""

    def release_memory(self) -> None:
        raise SystemExit("good bye")


class CrashesAtOnce(Scale):
    """Cannot even be built."""

    def _build(self, rng: Any) -> Any:
        ctypes.string_at(0)


HARMFUL = {
    Crashes: ("check_batch", "its process was killed by SIGSEGV, in string_at "),
    NeverEnds: ("check_batch", "takes more than 2 s, in forward "),
    Leaves: ("check_release_memory", "its process ended with exit code 3"),
    Exits: ("check_release_memory", "SystemExit: good bye"),
    CrashesAtOnce: ("check_build", "its process was killed by SIGSEGV"),
}
"""The check that each one fails, and what is said."""
