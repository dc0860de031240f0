"""Seq2Seq beside the same model in PyTorch, which runs every sentence by itself: loss and gradients in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peers

RNG = np.random.default_rng(8)
SOURCES = [RNG.integers(0, 9, n) for n in (4, 7, 1, 5, 3)]
TARGETS = [RNG.integers(2, 6, n) for n in (3, 1, 6, 0, 2)]


def lstm(units: int) -> Any:
    return seqkit.LSTM(units, return_sequences=True)


def seqkit_model(attention: Any, directions: int) -> seqkit.Seq2Seq:
    encoder = lstm(5) if directions == 1 else seqkit.Bidirectional(lstm(3))
    model = seqkit.Seq2Seq(
        [seqkit.Embedding(9, 4), encoder],
        [seqkit.Embedding(6, 3), lstm(5 if directions == 1 else 6)],
        attention,
        seed=1,
        dtype="float64",
    )
    for name, value in model.params.items():
        model.params[name] = 0.8 * RNG.normal(size=value.shape)
    model.compile("adam")
    return model


class Twin:
    """The same equations, with the parameters as PyTorch's leaves."""

    def __init__(self, model: seqkit.Seq2Seq) -> None:
        self.p = {name: torch.tensor(value, requires_grad=True) for name, value in model.params.items()}
        self.attends = "0.decoder.joined.weight" in self.p

    def lstm(self, scope: str, x: Any, state: Any) -> tuple[Any, Any]:
        """torch's own LSTM cell by cell, so that the state after every step is at hand."""
        names = ("weight_ih", "weight_hh", "bias")
        w, u, b = (self.p[f"{scope}.{name}"] for name in names)
        units = u.shape[1]
        h, c = state or (torch.zeros(1, units, dtype=x.dtype),) * 2
        steps = []
        for row in x:
            h, c = torch.ops.aten.lstm_cell(row[None], (h, c), w, u, b, torch.zeros_like(b))
            steps.append(h)
        return torch.cat(steps), (h, c)

    def encode(self, source: Any) -> tuple[Any, Any]:
        x = self.p["0.encoder.layer1.weight"][torch.tensor(source)]
        if "0.encoder.layer2.forward.bias" not in self.p:
            return self.lstm("0.encoder.layer2", x, None)
        one, first = self.lstm("0.encoder.layer2.forward", x, None)
        two, second = self.lstm("0.encoder.layer2.backward", x.flip(0), None)
        return torch.cat([one, two.flip(0)], dim=1), (*first, *second)

    def start(self, state: Any) -> Any:
        if "0.bridge.weight" not in self.p:
            return state
        joined = torch.tanh(
            torch.nn.functional.linear(torch.cat(state, dim=1), self.p["0.bridge.weight"], self.p["0.bridge.bias"])
        )
        return tuple(joined.chunk(2, dim=1))

    def logits(self, source: Any, read: Any) -> Any:
        memory, state = self.encode(source)
        h, _ = self.lstm("0.decoder.layer2", self.p["0.decoder.layer1.weight"][torch.tensor(read)], self.start(state))
        if self.attends:
            context = torch.nn.functional.scaled_dot_product_attention(h[None], memory[None], memory[None], scale=1.0)[
                0
            ]
            h = torch.tanh(torch.cat([h, context], dim=1) @ self.p["0.decoder.joined.weight"].T)
        return torch.nn.functional.linear(h, self.p["1.weight"], self.p["1.bias"])

    def loss(self) -> Any:
        rows = [self.logits(source, [0, *target]) for source, target in zip(SOURCES, TARGETS, strict=True)]
        asked = torch.tensor(np.concatenate([[*target, 1] for target in TARGETS]))
        return torch.nn.functional.cross_entropy(torch.cat(rows), asked)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("attends", [False, True])
def test_loss_and_gradients(attends: bool, directions: int) -> None:
    model = seqkit_model(seqkit.Attention() if attends else None, directions)
    batch = model._samples(SOURCES, TARGETS, None, None).take(np.arange(5))
    y, caches = model.forward(batch.x, batch.lengths)
    value, dy = model.loss(batch.y, y, None, batch.lengths[1])
    model.backward(dy, caches)
    twin = Twin(model)
    loss = twin.loss()
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for name, grad in model.grads.items():
        wanted = twin.p[name].grad.numpy()
        assert np.abs(wanted).max() > 1e-6, name
        np.testing.assert_allclose(grad, wanted, rtol=1e-9, atol=1e-12, err_msg=name)


def test_greedy_search_finds_what_pytorch_finds() -> None:
    model = seqkit_model(seqkit.Attention(), 2)
    twin = Twin(model)
    for source, ids in zip(SOURCES, model.generate(SOURCES, max_length=8), strict=True):
        text: list[int] = []
        while len(text) < 8 and (following := int(twin.logits(source, [0, *text])[-1].argmax())) != 1:
            text.append(following)
        assert ids.tolist() == text
