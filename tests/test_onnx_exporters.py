"""Models as PyTorch's exporters write them, both of them, beside ONNX Runtime and the float64 reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit.interop.onnx import read
from seqkit.interop.onnx.messages import decode

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
nn: Any = torch.nn

F, H, K = 5, 4, 3  # features, units, outputs


class Last(nn.Module):
    """The last step of two layers."""

    def __init__(self, cell: Any, **options: Any) -> None:
        super().__init__()
        self.rnn = cell(F, H, num_layers=2, batch_first=True, **options)
        self.head = nn.Linear(H * (1 + self.rnn.bidirectional), K)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][:, -1])


class Stateful(nn.Module):
    """A stream: states in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(F, H), nn.Linear(H, K)

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        y, (h, c) = self.rnn(x, (h, c))
        return self.head(y), h, c


class Tagger(nn.Module):
    """Ids to logarithms of probabilities, through a normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.rnn = nn.Embedding(11, F), nn.GRU(F, H, bidirectional=True, batch_first=True)
        self.norm, self.head = nn.LayerNorm(2 * H), nn.Linear(2 * H, K)

    def forward(self, ids: Any) -> Any:
        return torch.log_softmax(self.head(self.norm(self.rnn(self.table(ids))[0])), -1)


class Packed(nn.Module):
    """Padded sequences of their own lengths, in any order."""

    def __init__(self, enforce_sorted: bool) -> None:
        super().__init__()
        self.rnn, self.sorted = nn.LSTM(F, H, batch_first=True, bidirectional=True), enforce_sorted
        self.head = nn.Linear(2 * H, K)

    def forward(self, x: Any, lengths: Any) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=self.sorted)
        y, (h, _) = self.rnn(packed)
        return self.head(nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0]), torch.cat([h[0], h[1]], -1)


class Audio(nn.Module):
    """A convolution, a recurrent layer, and the input added to the output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn = nn.Conv1d(1, 6, 5, padding=2, stride=2), nn.GRU(6, H, batch_first=True)
        self.head = nn.Linear(H, 1)

    def forward(self, x: Any) -> Any:
        y, h = self.rnn(torch.relu(self.conv(x)).transpose(1, 2))
        return torch.tanh(self.head(y)) + x[:, :1, ::2].transpose(1, 2), h.squeeze(0)


class Attention(nn.Module):
    """Weighted means, other means and largest numbers over time."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.score = nn.RNN(F, H, batch_first=True, nonlinearity="relu"), nn.Linear(H, 1)
        self.norm, self.head = nn.BatchNorm1d(H), nn.Linear(H, K)
        self.norm.running_mean += torch.randn(H)
        self.norm.running_var *= 2.5

    def forward(self, x: Any) -> Any:
        y, _ = self.rnn(x)
        weights = torch.softmax(self.score(y), 1)
        return self.head(self.norm((weights * y).sum(1))), y.mean(1), y.max(1).values, y.flatten(1).shape[1] * y[0, 0]


class Cells(nn.Module):
    """Cells, which are written as products and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(F, H), nn.GRUCell(F, H)
        self.head = nn.Sequential(nn.Linear(H, H), nn.GELU(), nn.Dropout(0.3), nn.Linear(H, K))

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        h, c = self.lstm(x, (h, c))
        return self.head(self.gru(x, h)), h, c


BATCH_TIME = {0: "batch", 1: "time"}
X = np.random.default_rng(1).normal(size=(3, 7, F)).astype(np.float32)
IDS, LENGTHS, WAVE = np.arange(21).reshape(3, 7) % 11, np.array([7, 5, 3]), X.reshape(3, 1, -1)
STATE = X.ravel()[: 7 * H].reshape(1, 7, H)
CASES: dict[str, tuple[Any, dict[str, np.ndarray], dict[str, dict[int, str]]]] = {
    "lstm": (lambda: Last(nn.LSTM), {"x": X}, {"x": BATCH_TIME}),
    "lstm, no bias": (lambda: Last(nn.LSTM, bias=False), {"x": X}, {"x": BATCH_TIME}),
    "gru, both directions": (lambda: Last(nn.GRU, bidirectional=True), {"x": X}, {"x": BATCH_TIME}),
    "fixed sizes": (lambda: Last(nn.RNN), {"x": X}, {}),
    "states": (
        Stateful,
        {"x": X, "h": STATE, "c": -STATE},
        {"x": {0: "time", 1: "batch"}, "h": {1: "batch"}, "c": {1: "batch"}},
    ),
    "tagger": (Tagger, {"ids": IDS}, {"ids": BATCH_TIME}),
    "packed": (lambda: Packed(False), {"x": X, "lengths": LENGTHS}, {"x": BATCH_TIME, "lengths": {0: "batch"}}),
    "packed, sorted": (lambda: Packed(True), {"x": X, "lengths": LENGTHS}, {"x": BATCH_TIME, "lengths": {0: "batch"}}),
    "audio": (Audio, {"x": WAVE}, {"x": {0: "batch", 2: "time"}}),
    "attention": (Attention, {"x": X}, {"x": BATCH_TIME}),
    "cells": (
        Cells,
        {"x": X[:, 0], "h": STATE[0, :3], "c": STATE[0, 3:6]},
        {"x": {0: "batch"}, "h": {0: "batch"}, "c": {0: "batch"}},
    ),
}
NOT_THERE = {("packed", 9), ("audio", 9)}  # the exporter has no Sort, and no steps of slices, so early


def export(name: str, path: Path, **options: Any) -> None:
    make, inputs, axes = CASES[name]
    torch.manual_seed(len(name))
    module, given = make().eval(), tuple(torch.from_numpy(array) for array in inputs.values())
    if options.get("dynamo"):
        dynamic = tuple(dict.fromkeys(axes.get(each, {}), torch.export.Dim.DYNAMIC) for each in inputs)
        options |= {"dynamic_shapes": dynamic, "external_data": False, "verbose": False}
    else:
        options |= {"dynamic_axes": axes}
    torch.onnx.export(module, given, str(path), input_names=list(inputs), **options)


def check(path: Path, name: str, times: int = 5) -> None:
    """Drawn inputs, and those that were traced, give the same there and in float64."""
    imported = read(path)
    rng = np.random.default_rng(0)
    oracles = [imported.peer(), imported.reference()]
    for feeds in [*(imported.draw(rng) for _ in range(times)), CASES[name][1]]:
        got = imported.run(feeds)
        for oracle in oracles:
            assert oracle is not None
            expected = oracle.run(feeds)
            assert got.keys() == expected.keys()
            for output, array in got.items():
                assert array.shape == expected[output].shape
                assert np.abs(array - expected[output]).max(initial=0) < 2e-6, (oracle.name, output)


@pytest.mark.parametrize("opset", [9, 13, 17, 20])
@pytest.mark.parametrize("name", CASES)
def test_files_of_torch_script(name, opset, tmp_path):
    if (name, opset) in NOT_THERE:
        pytest.skip("PyTorch cannot write it")
    export(name, tmp_path / "model.onnx", dynamo=False, opset_version=opset)
    check(tmp_path / "model.onnx", name)


@pytest.mark.parametrize("name", ["lstm", "gru, both directions", "fixed sizes", "tagger", "cells"])
def test_files_of_dynamo(name, tmp_path):
    pytest.importorskip("onnxscript")
    export(name, tmp_path / "model.onnx", dynamo=True)
    check(tmp_path / "model.onnx", name)


def test_weights_in_a_file_of_their_own(tmp_path):
    pytest.importorskip("onnxscript")
    torch.onnx.export(
        Last(nn.LSTM).eval(),
        (torch.from_numpy(X),),
        str(tmp_path / "model.onnx"),
        dynamo=True,
        external_data=True,
        verbose=False,
    )
    assert (tmp_path / "model.onnx.data").exists()
    imported = read(tmp_path / "model.onnx")
    peer = imported.peer()
    assert peer is not None
    feeds = imported.draw(np.random.default_rng(0))
    for name, expected in peer.run(feeds).items():
        assert np.abs(imported.run(feeds)[name] - expected).max() < 2e-6


def test_initial_zeros_take_no_steps(tmp_path):
    """The exporter writes ten nodes for them."""
    export("lstm", tmp_path / "model.onnx", dynamo=False, opset_version=17)
    model = read(tmp_path / "model.onnx").model
    assert len(decode((tmp_path / "model.onnx").read_bytes()).graph.nodes) > 30
    assert len(model._program._steps) <= 8
