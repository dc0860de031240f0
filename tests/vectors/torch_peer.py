"""A case as PyTorch answers it: torch.nn.LSTM, GRU and RNN, packed where ragged, in float64 and float32.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from peer_cases import Arrays, Case, Spec, draw_data, grid

if TYPE_CHECKING:
    import torch

Fold = Callable[[np.ndarray, np.ndarray], np.ndarray]


def from_torch(cell: str, fold: Fold, w_ih: np.ndarray, w_hh: np.ndarray, b_ih: np.ndarray, b_hh: np.ndarray) -> Arrays:
    """PyTorch's parameters of one cell in seqkit's layout.

    The order of gates is seqkit's: LSTM i f g o, GRU r z n.  Two biases become one by `fold`
    (`np.add` for values, `same` for gradients), except that of GRU's candidate: its recurrent
    half is scaled by the reset gate, n = tanh(W_n x + b_in + r * (U_n h + b_hn)).
    """
    if cell != "gru":
        return {"weight_ih": w_ih, "weight_hh": w_hh, "bias": fold(b_ih, b_hh)}
    rz = 2 * w_hh.shape[1]
    bias = np.concatenate([fold(b_ih[:rz], b_hh[:rz]), b_ih[rz:]])
    return {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "bias_hn": b_hh[rz:]}


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The gradient of a sum of two biases from those of the two, which are equal but for rounding."""
    tolerance = 20 * np.finfo(a.dtype).eps
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return a


def torch_case(spec: Spec, rng: np.random.Generator) -> Case:
    """A case with random parameters and data, and what PyTorch makes of it."""
    import torch

    own = {name: grid(rng, *p.shape, bound=1.2 / spec.units**0.5) for name, p in _network(spec).named_parameters()}
    given = draw_data(spec, rng) | _params(spec, own, np.add)
    expected = {dtype: _run(spec, given, own, dtype) for dtype in ("float64", "float32")}
    return Case(spec, given, expected, dict.fromkeys(expected, f"PyTorch {torch.__version__}, torch.nn"))


def _network(spec: Spec) -> torch.nn.RNNBase:
    from torch import nn

    options = {"num_layers": spec.layers, "bidirectional": len(spec.directions) == 2, "batch_first": True}
    if spec.cell.startswith("rnn_"):
        return nn.RNN(spec.inputs, spec.units, nonlinearity=spec.cell.removeprefix("rnn_"), **options)
    return {"lstm": nn.LSTM, "gru": nn.GRU}[spec.cell](spec.inputs, spec.units, **options)


def _params(spec: Spec, own: Arrays, fold: Fold) -> Arrays:
    params: Arrays = {}
    for at in spec.places:
        layer, direction = at.split("/")
        suffix = f"_l{layer}" + ("_reverse" if direction == "reverse" else "")
        arrays = (own[name + suffix] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        params |= {f"params/{at}/{name}": array for name, array in from_torch(spec.cell, fold, *arrays).items()}
    return params


def _run(spec: Spec, given: Arrays, own: Arrays, dtype: str) -> Arrays:
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    leaves = make_leaves(spec, given, own, dtype)
    net = _network(spec)
    for name in own:
        setattr(net, name, leaves[name])
    initial = tuple(leaves[state] for state in spec.states)
    y = leaves["x"]
    if spec.lengths is not None:
        y = pack_padded_sequence(y, list(spec.lengths), batch_first=True, enforce_sorted=False)
    y, final = net(y, initial if len(initial) == 2 else initial[0])
    if spec.lengths is not None:
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=spec.time)
    states = final if len(initial) == 2 else (final,)
    outputs = dict(zip(spec.losses, (y, *states), strict=True))
    return differentiate(spec, given, outputs, leaves, lambda grads: _params(spec, grads, same))


def make_leaves(spec: Spec, given: Arrays, own: Arrays, dtype: str) -> dict[str, torch.nn.Parameter]:
    """Everything that gets a gradient: x, the states (layers * D, B, H), the peer's own parameters."""
    import torch

    arrays = {"x": given["x"], **{state: spec.stack(given, "state", state) for state in spec.states}, **own}
    return {name: torch.nn.Parameter(torch.tensor(array.astype(dtype))) for name, array in arrays.items()}


def differentiate(
    spec: Spec,
    given: Arrays,
    outputs: dict[str, torch.Tensor],
    leaves: dict[str, torch.nn.Parameter],
    to_params: Callable[[Arrays], Arrays],
) -> Arrays:
    """The `expected` arrays: `outputs` (y, h, c), and by autograd the gradients of the loss of each."""
    import torch

    rows: list[Arrays] = []
    for name, output in outputs.items():
        upstream = np.nan_to_num(given["upstream/y"]) if name == "y" else spec.stack(given, "upstream", name)
        weights = torch.tensor(upstream).to(output)
        grads = torch.autograd.grad(output, list(leaves.values()), weights, retain_graph=True, materialize_grads=True)
        arrays = {key: grad.numpy() for key, grad in zip(leaves, grads, strict=True)}
        rows.append({"x": arrays["x"], **spec.unstack("state", arrays), **to_params(arrays)})
    values = {name: output.detach().numpy() for name, output in outputs.items()}
    gradients = {f"grad/{key}": np.stack([row[key] for row in rows]) for key in rows[0]}
    return {"y": values["y"], **spec.unstack("final", values), **gradients}
