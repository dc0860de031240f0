"""A case of one ONNX node, LSTM or GRU: ONNX Runtime in float32, the operator's equations in float64.

ONNX Runtime has no float64 and no gradients here, so those come from the equations of the operator's
specification, written out below and differentiated by PyTorch.  They count because each case is only
made if they agree with ONNX Runtime.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from peer_cases import Arrays, Case, Spec, draw_data, grid
from vectors.torch_peer import Fold, differentiate, from_torch, make_leaves, same

if TYPE_CHECKING:
    import torch


def from_onnx(cell: str, fold: Fold, own: Arrays, direction: int) -> Arrays:
    """ONNX's W, R, B, P of one direction in seqkit's layout.

    ONNX's order of gates is LSTM i o f c and GRU z r h, seqkit's i f g o and r z n, where g is c
    and n is h.  Peepholes P are i o f, here rows i f o.  B is [Wb, Rb]; with
    linear_before_reset=1 the last third of Rb stays apart as in `from_torch`, else all is folded.
    """

    def reorder(array: np.ndarray, order: list[int]) -> np.ndarray:
        return np.concatenate([np.split(array, len(order))[block] for block in order])

    gates = [1, 0, 2] if cell.startswith("gru") else [0, 2, 3, 1]
    arrays = [own["W"][direction], own["R"][direction], *np.split(own["B"][direction], 2)]
    params = from_torch(cell, fold, *(reorder(array, gates) for array in arrays))
    if cell == "peephole":
        params["weight_ch"] = reorder(own["P"][direction], [0, 2, 1]).reshape(3, -1)
    return params


def onnx_case(spec: Spec, rng: np.random.Generator) -> Case:
    """A case with random parameters and data, and what the ONNX operator makes of it."""
    import onnxruntime
    import torch

    gates = (3 if spec.cell.startswith("gru") else 4) * spec.units
    shapes = {"W": (gates, spec.inputs), "R": (gates, spec.units), "B": (2 * gates,)}
    if spec.cell == "peephole":
        shapes["P"] = (3 * spec.units,)
    depth, bound = len(spec.directions), 1.2 / spec.units**0.5
    own = {name: grid(rng, depth, *shape, bound=bound) for name, shape in shapes.items()}
    given = draw_data(spec, rng) | _params(spec, own, np.add)
    expected = {"float64": _run_equations(spec, given, own), "float32": _run_onnxruntime(spec, given, own)}
    for name, array in expected["float32"].items():
        np.testing.assert_allclose(array, expected["float64"][name], rtol=0, atol=1e-6, err_msg=name)
    equations = f"equations of the ONNX operator, differentiated by PyTorch {torch.__version__}"
    return Case(spec, given, expected, {"float64": equations, "float32": f"ONNX Runtime {onnxruntime.__version__}"})


def _params(spec: Spec, own: Arrays, fold: Fold) -> Arrays:
    cells = {at: from_onnx(spec.cell, fold, own, direction) for direction, at in enumerate(spec.places)}
    return {f"params/{at}/{name}": array for at, params in cells.items() for name, array in params.items()}


def _run_onnxruntime(spec: Spec, given: Arrays, own: Arrays) -> Arrays:
    import onnxruntime

    lengths = spec.inside.sum(axis=1).astype(np.int32)
    initial = {state: spec.stack(given, "state", state) for state in spec.states}
    feeds = {"X": given["x"].transpose(1, 0, 2), "sequence_lens": lengths, **own}
    feeds |= {f"initial_{state}": array for state, array in initial.items()}
    session = onnxruntime.InferenceSession(_model(spec, feeds), providers=["CPUExecutionProvider"])
    y, *final = session.run(None, feeds)  # Y is (T, D, B, H)
    # The specification is silent on the final state of an empty sequence.  ONNX Runtime says 0;
    # here it is the initial state, so that a state can be carried through.
    empty = (lengths == 0)[:, None]
    states = {state: np.where(empty, initial[state], array) for state, array in zip(spec.states, final, strict=True)}
    return {"y": y.transpose(2, 0, 1, 3).reshape(spec.batch, spec.time, -1), **spec.unstack("final", states)}


def _model(spec: Spec, feeds: Arrays) -> bytes:
    """One node whose weights are inputs of the graph."""
    from onnx import TensorProto, helper

    options = {"linear_before_reset": int(spec.cell == "gru")} if spec.cell.startswith("gru") else {}
    order = ["X", "W", "R", "B", "sequence_lens", *(f"initial_{state}" for state in spec.states), "P"]
    names = ["Y", *(f"Y_{state}" for state in spec.states)]
    node = helper.make_node(
        "GRU" if options else "LSTM",
        [name for name in order if name in feeds],
        names,
        hidden_size=spec.units,
        direction="bidirectional" if len(spec.directions) == 2 else spec.directions[0],
        **options,
    )
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph([node], "cell", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return bytes(model.SerializeToString())


def _run_equations(spec: Spec, given: Arrays, own: Arrays) -> Arrays:
    import torch

    leaves = make_leaves(spec, given, own, "float64")
    y, *states = zip(*(_run_direction(spec, leaves, list(own), d) for d in range(len(spec.directions))), strict=True)
    outputs = dict(zip(spec.losses, [torch.cat(y, dim=2), *map(torch.stack, states)], strict=True))
    return differentiate(spec, given, outputs, leaves, lambda grads: _params(spec, grads, same))


def _run_direction(
    spec: Spec, leaves: dict[str, torch.nn.Parameter], names: list[str], direction: int
) -> list[torch.Tensor]:
    """Output (B, T, H) in the order of time and final states (B, H); each sequence runs alone, step by step."""
    import torch

    step = {"gru": _gru_after, "gru_reset_before": _gru_before}.get(spec.cell, _lstm)
    weights = [leaves[name][direction] for name in names]
    rows = []
    for b, length in enumerate(spec.inside.sum(axis=1)):
        state = [leaves[name][direction, b] for name in spec.states]
        y = [state[0] - state[0]] * spec.time  # 0, but differentiable if no sequence has a step
        for t in range(length) if spec.directions[direction] == "forward" else range(length - 1, -1, -1):
            state = step(leaves["x"][b, t], state, *weights)
            y[t] = state[0]
        rows.append([torch.stack(y), *state])
    return [torch.stack(arrays) for arrays in zip(*rows, strict=True)]


# The ONNX operators' own names, in lower case: W, R, B = [Wb, Rb] and P.


def _lstm(
    x: torch.Tensor,
    state: list[torch.Tensor],
    w: torch.Tensor,
    r: torch.Tensor,
    b: torch.Tensor,
    p: torch.Tensor | None = None,
) -> list[torch.Tensor]:
    h, c = state
    wb, rb = b.chunk(2)
    i, o, f, g = (w @ x + r @ h + wb + rb).chunk(4)
    p_i, p_o, p_f = (0.0, 0.0, 0.0) if p is None else p.chunk(3)
    new = (f + p_f * c).sigmoid() * c + (i + p_i * c).sigmoid() * g.tanh()
    return [(o + p_o * new).sigmoid() * new.tanh(), new]


def _gru_after(
    x: torch.Tensor, state: list[torch.Tensor], w: torch.Tensor, r: torch.Tensor, b: torch.Tensor
) -> list[torch.Tensor]:
    """linear_before_reset=1."""
    (h,) = state
    wb, rb = b.chunk(2)
    (xz, xr, xh), (hz, hr, hh) = (w @ x + wb).chunk(3), (r @ h + rb).chunk(3)
    update, reset = (xz + hz).sigmoid(), (xr + hr).sigmoid()
    return [(1 - update) * (xh + reset * hh).tanh() + update * h]


def _gru_before(
    x: torch.Tensor, state: list[torch.Tensor], w: torch.Tensor, r: torch.Tensor, b: torch.Tensor
) -> list[torch.Tensor]:
    """linear_before_reset=0."""
    (h,) = state
    wb, rb = b.chunk(2)
    (xz, xr, xh), (rz, rr, rh) = (w @ x + wb + rb).chunk(3), r.chunk(3)
    update, reset = (xz + rz @ h).sigmoid(), (xr + rr @ h).sigmoid()
    return [(1 - update) * (xh + rh @ (reset * h)).tanh() + update * h]
