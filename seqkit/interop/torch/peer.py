"""PyTorch itself, with modules made of arrays that have been read and checked; imported only to prove a conversion."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from seqkit.interop.imported import Arrays
from seqkit.interop.torch.parts import Part
from seqkit.interop.torch.tensors import Weights


class PyTorch:
    """Runs single parts; see :class:`seqkit.interop.torch.oracles.Library`."""

    def __init__(self) -> None:
        self._torch = import_module("torch")
        self.version = self._torch.__version__

    def embedding(self, weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """torch.nn.functional.embedding."""
        functional = self._torch.nn.functional
        return functional.embedding(self._torch.from_numpy(ids.astype(np.int64)), self._tensor(weight)).numpy()

    def linear(self, arrays: Arrays, x: np.ndarray) -> np.ndarray:
        """torch.nn.functional.linear."""
        weight, bias = self._tensor(arrays["weight"]), arrays.get("bias")
        linear = self._torch.nn.functional.linear
        return linear(self._like(x, weight), weight, None if bias is None else self._tensor(bias)).numpy()

    def activation(self, name: str, x: np.ndarray) -> np.ndarray:
        """torch.relu and so on."""
        options = {"dim": -1} if name == "softmax" else {}
        return x if name == "linear" else getattr(self._torch, name)(self._torch.from_numpy(x), **options).numpy()

    def recurrent(self, part: Part, weights: Weights, x: np.ndarray, lengths: np.ndarray) -> tuple[Any, Any]:
        """torch.nn.LSTM, GRU or RNN on packed sequences."""
        module, packing = self._module(part, weights), self._torch.nn.utils.rnn
        packed = packing.pack_padded_sequence(
            self._like(x, module.weight_ih_l0),
            self._torch.from_numpy(lengths.astype(np.int64)),
            batch_first=True,
            enforce_sorted=False,
        )
        with self._torch.no_grad():
            y, state = module(packed)
        padded, _ = packing.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        return padded.numpy(), (state[0] if part.kind == "lstm" else state).numpy()

    def _module(self, part: Part, weights: Weights) -> Any:
        stack = part.stack(weights)
        options: dict[str, Any] = {"bias": stack.bias, "bidirectional": stack.directions == 2, "batch_first": True}
        if stack.projection:
            options["proj_size"] = stack.projection
        if part.kind == "rnn":
            options["nonlinearity"] = part.option("nonlinearity")
        tensors = {name: self._tensor(array) for name, array in stack.state_dict().items()}
        module = getattr(self._torch.nn, part.kind.upper())(stack.input_size, stack.units, len(stack.layers), **options)
        module.to(next(iter(tensors.values())).dtype).load_state_dict(tensors)
        return module.eval()

    def _tensor(self, array: np.ndarray) -> Any:
        """A copy in a type that has all functions on processors: half precision as float32."""
        return self._torch.from_numpy(np.array(array, np.float64 if array.dtype == np.float64 else np.float32))

    def _like(self, x: np.ndarray, tensor: Any) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(x)).to(tensor.dtype)
