"""Layers that are wrong in what they say of themselves or in their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from checks.broken.right import Plain, Scale, breaks

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
