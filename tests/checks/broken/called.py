"""Layers that are wrong about calls, errors, copies and low precision."""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from checks.broken.right import Plain, Scale, breaks
from seqkit import _core

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


# ---- several inputs ------------------------------------------------------------------------------


@breaks("check_several_inputs")
class SwapsGradients(seqkit.MultiHeadAttention):
    """The gradient of the memory for the query, and the other way round."""

    def __init__(self, num_heads: int = 2, key_dim: int = 3) -> None:
        super().__init__(num_heads, key_dim)

    def backward(self, *arguments: Any, **options: Any) -> Any:
        dx, dstate = super().backward(*arguments, **options)
        return (dx[::-1] if isinstance(dx, tuple) else dx), dstate


@breaks("check_several_inputs")
class ReadsItself(seqkit.Attention):
    """One array is taken twice for the query alone."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return (y if isinstance(x, tuple) else y * 1.0000001), cache
