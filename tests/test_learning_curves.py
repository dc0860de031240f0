"""From the same weights and batches training goes as PyTorch's does: the first 50 losses are the same.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.layers.dense import Dense
from seqkit.training.callbacks import Callback
from seqkit.training.optimizers import SGD, Adam

pytestmark = pytest.mark.peers

S, T, F, H, BATCH, STEPS = 40, 12, 3, 8, 8, 50
EPSILON = 1e-12  # next to nothing: PyTorch adds it after the correction of the bias, seqkit and Keras before


class Losses(Callback):
    """The loss of every batch."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.values.append(logs["loss"])


def layer(cell: str, bidirectional: bool) -> Any:
    made = (seqkit.LSTM if cell == "lstm" else seqkit.GRU)(H)
    return seqkit.Bidirectional(made) if bidirectional else made


def copy_weights(torch: Any, net: Any, params: Any, cell: str, bidirectional: bool) -> None:
    """seqkit's weights into PyTorch's recurrent layer, whose second bias is 0 but for the GRU's candidate."""
    for prefix, suffix in (("0.forward.", ""), ("0.backward.", "_reverse")) if bidirectional else (("0.", ""),):
        named = {name.removeprefix(prefix): params[name] for name in params if name.startswith(prefix)}
        bias_hh = np.zeros_like(named["bias"])
        if cell == "gru":
            bias_hh[2 * H :] = named["bias_hn"]
        arrays = {"weight_ih": named["weight_ih"], "weight_hh": named["weight_hh"], "bias_ih": named["bias"]}
        for name, array in {**arrays, "bias_hh": bias_hh}.items():
            getattr(net, f"{name}_l0{suffix}").data.copy_(torch.tensor(array))
        # seqkit has one bias where PyTorch has two; the second must not learn, but for the candidate's.
        keep = torch.zeros(bias_hh.shape)
        keep[2 * H :] = float(cell == "gru")
        getattr(net, f"bias_hh_l0{suffix}").register_hook(lambda grad, keep=keep: grad * keep)


def torch_losses(torch: Any, model: seqkit.Sequential, cell: str, two: bool, adam: bool, data: Any) -> list[float]:
    """The losses of the usual PyTorch loop."""
    torch.set_num_threads(1)
    x, y, lengths = data
    net = (torch.nn.LSTM if cell == "lstm" else torch.nn.GRU)(F, H, batch_first=True, bidirectional=two)
    top = torch.nn.Linear(H * (1 + two), 1)
    copy_weights(torch, net, model.params, cell, two)
    top.weight.data.copy_(torch.tensor(model.params["1.weight"]))
    top.bias.data.copy_(torch.tensor(model.params["1.bias"]))
    parameters = [*net.parameters(), *top.parameters()]
    if adam:
        optimizer = torch.optim.Adam(parameters, lr=0.01, eps=EPSILON)
    else:
        optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % S, step * BATCH % S + BATCH)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            torch.tensor(x[rows]), torch.tensor(lengths[rows]), batch_first=True, enforce_sorted=False
        )
        _, state = net(packed)
        h = state[0] if cell == "lstm" else state
        pred = top(torch.cat([h[0], h[1]], dim=1) if two else h[0])
        loss = torch.nn.functional.mse_loss(pred[:, 0], torch.tensor(y[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("adam", [True, False])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_first_losses(cell: str, two: bool, adam: bool, ragged: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(7)
    x = rng.normal(size=(S, T, F)).astype(np.float32)
    lengths = rng.integers(1, T + 1, S) if ragged else np.full(S, T)
    y = np.array([row[:length, 0].sum() for row, length in zip(x, lengths, strict=True)], np.float32)
    model = seqkit.Sequential([layer(cell, two), Dense(1)], seed=5).build(F)
    for name in model.params:  # PyTorch's biases may start anywhere
        model.params[name] = rng.uniform(-0.3, 0.3, model.params[name].shape)
    expected = torch_losses(torch, model, cell, two, adam, (x, y, lengths))
    model.compile(Adam(0.01, epsilon=EPSILON) if adam else SGD(0.05, momentum=0.9), "mse")
    seen = Losses()
    padded = x.copy()
    for row, length in zip(padded, lengths, strict=True):
        row[length:] = np.nan
    model.fit(padded, y, BATCH, STEPS * BATCH // S, callbacks=[seen], shuffle=False, lengths=lengths)
    assert len(seen.values) == STEPS
    assert expected[-1] < 0.9 * expected[0]
    np.testing.assert_allclose(seen.values, expected, rtol=1e-4, atol=1e-4)
