"""PyTorch: ``torch.nn.RNN``, ``LSTM`` and ``GRU``, time-major as it likes them, packed where lengths differ.

It has no peephole LSTM; the one measured is a module that loops over time.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

import warnings
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from seqkit.bench.peers.protocol import Arrays, Prepare, Run, by_direction, play_streams, serve
from seqkit.bench.peers.torch_loop import peephole

MODULES = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
SUFFIXES = {"forward": "_l0", "backward": "_l0_reverse"}


def load(threads: int) -> tuple[str, Prepare]:
    """Import PyTorch."""
    torch: Any = import_module("torch")
    torch.set_num_threads(threads)
    return f"PyTorch {torch.__version__}", partial(prepare, torch)


def prepare(torch: Any, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    if case["cell"] not in (*MODULES, "peephole"):
        raise NotImplementedError(f"there is no module for {case['cell']}")
    if case["cell"] == "peephole" and not _loops(case):
        raise NotImplementedError("a module that loops over time is measured on whole sequences in one direction")
    net, dtype = _make(torch, case, arrays)
    torch.set_grad_enabled(case["mode"] == "train")
    if case["mode"] == "streams":
        return _streams(torch, net, case, arrays, dtype)
    x, dy = (_sequences(torch, arrays[name], arrays.get("lengths"), dtype) for name in ("x", "dy"))
    if case["mode"] == "train":
        return _train(torch, net, case["cell"], x, dy)
    return _step(net, x) if case["mode"] == "step" else _infer(torch, net, x)


def _loops(case: dict[str, Any]) -> bool:
    whole = case["mode"] in ("infer", "train") and case["ragged"] == "none" and case["directions"] == 1
    return whole and case["precision"] in ("float32", "float64")


def _make(torch: Any, case: dict[str, Any], arrays: Arrays) -> tuple[Any, Any]:
    """The module with its weights, and the type of what it reads; int8 is "dynamic" quantization."""
    if case["cell"] == "peephole":
        net = peephole(torch, case["features"], case["units"])
    else:
        kind = getattr(torch.nn, MODULES[case["cell"]])
        net = kind(case["features"], case["units"], bidirectional=case["directions"] == 2)
    net = net.to(torch.from_numpy(arrays["x"]).dtype)
    with torch.no_grad():
        for name, array in to_torch(case["cell"], arrays).items():
            getattr(net, name).copy_(torch.from_numpy(array))
    if case["precision"] == "int8":
        return _quantized(torch, net), torch.float32
    dtype = getattr(torch, case["precision"])
    return net.to(dtype), dtype


def _quantized(torch: Any, net: Any) -> Any:
    if isinstance(net, torch.nn.RNN):
        raise NotImplementedError("it quantizes LSTM and GRU only")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another package is to take this over
        return torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(net), {type(net)}, dtype=torch.qint8)[0]


def _sequences(torch: Any, array: np.ndarray, lengths: np.ndarray | None, dtype: Any) -> Any:
    """A (B, T, ...) array as a time-major tensor, or as a PackedSequence without padding."""
    tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(1, 0, 2))).to(dtype)
    if lengths is None:
        return tensor
    return torch.nn.utils.rnn.pack_padded_sequence(tensor, torch.from_numpy(lengths), enforce_sorted=False)


def _array(torch: Any, y: Any, x: Any) -> np.ndarray:
    """The output for x as a (B, T, D*H) array, 0 past the end of a sequence."""
    if not isinstance(x, torch.Tensor):
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y)  # the longest is as long as time
    return _numpy(y.detach()).transpose(1, 0, 2)


def _numpy(y: Any) -> np.ndarray:
    """NumPy has no bfloat16."""
    array: np.ndarray = y.numpy() if y.element_size() > 2 else y.float().numpy()
    return array


def _infer(torch: Any, net: Any, x: Any) -> tuple[Arrays, Run]:
    return {"y": _array(torch, net(x)[0], x)}, lambda: net(x)


def _train(torch: Any, net: Any, cell: str, x: Any, dy: Any) -> tuple[Arrays, Run]:
    def run() -> Any:
        net.zero_grad(set_to_none=True)
        y, _ = net(x)
        tensor, gradient = (y, dy) if isinstance(x, torch.Tensor) else (y.data, dy.data)
        tensor.backward(gradient)
        return y

    y = _array(torch, run(), x)
    grads = {name: weight.grad.numpy() for name, weight in net.named_parameters()}
    return {"y": y} | from_torch(cell, grads), run


def _step(net: Any, x: Any) -> tuple[Arrays, Run]:
    outputs, state = [], None
    for x_t in x:
        y, state = net(x_t[None], state)
        outputs.append(_numpy(y[0]))

    def run() -> None:
        nonlocal state
        _, state = net(x[:1], state)

    return {"y": np.stack(outputs, axis=1)}, run


def _streams(torch: Any, net: Any, case: dict[str, Any], arrays: Arrays, dtype: Any) -> tuple[Arrays, Run]:
    """States of all streams in one tensor each; those of a tick are taken out and put back."""
    count = 2 if case["cell"] == "lstm" else 1
    states = [torch.zeros(1, case["batch"], case["units"], dtype=dtype) for _ in range(count)]

    def advance(ids: Any, x: Any) -> Any:
        before = [state[:, ids] for state in states]
        y, after = net(x[None], tuple(before) if count > 1 else before[0])
        for state, new in zip(states, after if count > 1 else (after,), strict=True):
            state[:, ids] = new
        return _numpy(y[0])

    def convert(array: np.ndarray) -> Any:
        tensor = torch.from_numpy(array)
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return play_streams(advance, arrays, convert)


def to_torch(cell: str, arrays: Arrays) -> Arrays:
    """seqkit's parameters under PyTorch's names; the order of gates is the same.

    PyTorch has a second bias, which is 0 here except for ``bias_hn`` of the GRU: its last third.
    """
    given: Arrays = {}
    for direction, own in by_direction(arrays).items():
        theirs = {name: own[name] for name in ("weight_ih", "weight_hh")} | {"bias_ih": own["bias"]}
        if cell == "peephole":
            theirs["weight_ch"] = own["weight_ch"]
        else:
            theirs["bias_hh"] = np.zeros_like(own["bias"])
        if cell == "gru":
            theirs["bias_hh"][-len(own["bias_hn"]) :] = own["bias_hn"]
        given |= {name + SUFFIXES[direction]: array for name, array in theirs.items()}
    return given


def from_torch(cell: str, grads: Arrays) -> Arrays:
    """PyTorch's gradients under seqkit's names."""
    found: Arrays = {}
    for direction, suffix in SUFFIXES.items():
        if "bias_ih" + suffix not in grads:
            continue
        names = {"weight_ih": "weight_ih", "weight_hh": "weight_hh", "bias": "bias_ih"}
        if cell == "peephole":
            names["weight_ch"] = "weight_ch"
        found |= {f"{direction}.{own}": grads[theirs + suffix] for own, theirs in names.items()}
        if cell == "gru":
            found[f"{direction}.bias_hn"] = np.split(grads["bias_hh" + suffix], 3)[2]
    return found


if __name__ == "__main__":
    serve(load)
