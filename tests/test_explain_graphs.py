"""Looking into layers of layers, and into models of several inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import seqkit
from seqkit import explain
from seqkit.errors import ConfigError, ShapeError

RNG = np.random.default_rng(4)
X = RNG.standard_normal((3, 8, 2))
LENGTHS = np.array([8, 3, 5])
IDS = RNG.integers(0, 6, (3, 8))


def beside() -> seqkit.Sequential:
    """Two recurrent layers beside each other, of which one reads the other, and their input."""
    graph = seqkit.Graph(
        {
            "low": seqkit.GRU(3, return_sequences=True, dropout=0.4),
            "both": (seqkit.Bidirectional(seqkit.LSTM(2, return_sequences=True)), "low"),
            "joined": (seqkit.Concatenate(), "both", "low", "x"),
        }
    )
    return seqkit.Sequential([graph, seqkit.GRU(4), seqkit.Dense(2)], seed=1, dtype="float64").build(2)


def two_inputs() -> seqkit.Sequential:
    """Ids and features, of other lengths."""
    graph = seqkit.Graph(
        {
            "vectors": (seqkit.Embedding(6, 3), "words"),
            "text": (seqkit.GRU(4), "vectors"),
            "series": (seqkit.LSTM(4), "values"),
            "joined": (seqkit.Multiply(), "text", "series"),
        },
        inputs=("words", "values"),
    )
    model = seqkit.Sequential([graph, seqkit.Dense(2)], seed=2, dtype="float64")
    return model.build((1, 2))


def slopes(f: Any, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Central differences of the sum of f, at the valid steps."""
    gradient, step = np.zeros_like(x), 1e-5
    for place in np.ndindex(x.shape):
        if valid[place[:2]]:
            moved = [x.copy(), x.copy()]
            moved[0][place] += step
            moved[1][place] -= step
            gradient[place] = (f(moved[0]) - f(moved[1])).sum() / (2 * step)
    return gradient


def test_layers_of_a_graph_have_the_names_of_their_nodes() -> None:
    model = beside()
    recorded = explain.tape(model, X, lengths=LENGTHS)
    assert recorded.layers == ("0.low.forward", "0.both.forward", "0.both.backward", "1.forward")
    graph = model.layers[0]
    low = graph.nodes["low"].layer(X, LENGTHS)
    np.testing.assert_array_equal(recorded["0.low.forward.h"], low)
    both = graph.nodes["both"].layer(low, LENGTHS)
    h = [recorded[f"0.both.{direction}.h"] for direction in ("forward", "backward")]
    np.testing.assert_array_equal(np.concatenate(h, axis=2), both)


def test_gradients_go_through_a_graph() -> None:
    model = beside()
    valid = np.arange(8) < LENGTHS[:, None]
    expected = slopes(lambda x: model.predict(x, lengths=LENGTHS)[:, 1], X, valid)
    assert_allclose(explain.saliency(model, X, 1, lengths=LENGTHS).values, expected, atol=1e-8)
    assert_allclose(explain.integrated_gradients(model, X, lengths=LENGTHS).gap, 0, atol=1e-9)


def test_a_copy_of_a_layer_that_is_called_twice_has_two_entries() -> None:
    layer = seqkit.GRU(3, return_sequences=True)

    class Again(seqkit.Wrapper):
        name = "again"

        def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
            y, cache = self.layer.forward(x, lengths, None, training)
            return self.layer.forward(y, lengths, None, training)[0], cache

        def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, Any]:
            raise NotImplementedError

    model = seqkit.Sequential([Again(layer)], seed=0).build(3)
    x = RNG.standard_normal((2, 5, 3))
    recorded = explain.tape(model, x, ["h"])
    assert list(recorded) == ["0.layer.forward.h", "0.layer#2.forward.h"]
    np.testing.assert_array_equal(recorded["0.layer.forward.h"], layer(x))
    np.testing.assert_array_equal(recorded["0.layer#2.forward.h"], layer(layer(x)))


def test_of_several_inputs_the_first_is_looked_at(tmp_path: Path) -> None:
    model = two_inputs()
    values, ends = RNG.standard_normal((3, 11, 2)), np.array([11, 2, 7])
    given, lengths = (IDS, values), (LENGTHS, ends)
    recorded = explain.tape(model, given, lengths=lengths)
    assert recorded["0.series.forward.c"].shape == (3, 11, 4)
    assert recorded.lengths["0.series.forward.c"].tolist() == [11, 2, 7]
    np.testing.assert_array_equal(recorded.output, model.predict(given, lengths=lengths))
    nodes = model.layers[0].nodes
    vectors = nodes["vectors"].layer(IDS)
    series = nodes["series"].layer(values, ends)

    def output(x: np.ndarray) -> np.ndarray:
        return model.layers[1](nodes["text"].layer(x, LENGTHS) * series)[:, 0]

    valid = np.arange(8) < LENGTHS[:, None]
    found = explain.saliency(model, given, 0, lengths=lengths)
    assert_allclose(found.values, slopes(output, vectors, valid), atol=1e-8)
    assert_allclose(explain.integrated_gradients(model, given, lengths=lengths).gap, 0, atol=1e-9)
    listed = ([row[:end] for row, end in zip(IDS, LENGTHS, strict=True)], list(values))
    assert_allclose(explain.saliency(model, listed, 0).output, model.predict(listed)[:, 0])
    told = explain.summary(model, given, lengths=lengths)
    assert [layer.layer for layer in told.layers] == ["0.text.forward", "0.series.forward"]
    assert any(told.layers[0].follows)
    assert not any(told.layers[1].follows)  # it reads other steps
    text = explain.page(model, given, tmp_path / "p.html", lengths=lengths).read_text()
    assert "read other steps than those of the input: 0.series.forward" in text


def test_of_two_embeddings_it_is_that_of_the_first_input() -> None:
    graph = seqkit.Graph(
        {
            "there": (seqkit.Embedding(6, 3), "target"),
            "here": (seqkit.Embedding(6, 4), "source"),
            "read": (seqkit.GRU(4), "here"),
            "joined": (seqkit.Multiply(), "read", "written"),
            "written": (seqkit.GRU(4), "there"),
        },
        inputs=("source", "target"),
        output="joined",
    )
    model = seqkit.Sequential([graph], seed=0, dtype="float64").build((1, 1))
    found = explain.integrated_gradients(model, (IDS, IDS[:, ::-1]), 2)
    assert found.values.shape == (3, 8, 4)
    nodes = graph.nodes
    nothing = nodes["read"].layer(np.zeros((3, 8, 4))) * nodes["written"].layer(nodes["there"].layer(IDS[:, ::-1]))
    assert_allclose(found.values.sum(axis=(1, 2)), model.predict((IDS, IDS[:, ::-1]))[:, 2] - nothing[:, 2], atol=1e-9)


def test_weights_of_attention_are_those_of_the_layers() -> None:
    layers = [
        seqkit.GRU(4, return_sequences=True),
        seqkit.Branch([seqkit.Attention(), seqkit.MultiHeadAttention(2, 3)]),
        seqkit.MeanPool(),
    ]
    model = seqkit.Sequential(layers, seed=0, dtype="float64").build(2)
    found = explain.attention_weights(model, X, lengths=LENGTHS)
    below = layers[0](X, LENGTHS)
    for (place, weights), inner in zip(found.items(), layers[1].inner()[:2], strict=True):
        assert place.startswith("1.")
        np.testing.assert_array_equal(weights, inner.weights(below, LENGTHS))
    h = below[1, :3]
    scores = np.exp(h @ h.T)
    assert_allclose(next(iter(found.values()))[1, 0, :3, :3], scores / scores.sum(axis=1, keepdims=True))


def test_an_encoder_decoder_with_attention_is_looked_into() -> None:
    encoder = [seqkit.Embedding(6, 3), seqkit.GRU(4, return_sequences=True)]
    decoder = [seqkit.Embedding(6, 3), seqkit.GRU(4, return_sequences=True)]
    model = seqkit.Seq2Seq(encoder, decoder, seqkit.Attention(), seed=0)
    given, lengths = (IDS, IDS[:, :5]), (LENGTHS, np.array([5, 2, 4]))
    weights = explain.attention_weights(model, given, lengths=lengths)["0.decoder.attention"]
    assert weights.shape == (3, 1, 5, 8)
    assert_allclose(weights[1, 0, :2].sum(axis=1), 1, rtol=1e-6)
    assert not weights[1, 0, :, 3:].any()  # the source ended
    found = explain.integrated_gradients(model, given, 3, lengths=lengths, step=1)
    assert_allclose(found.gap, 0, atol=1e-4)
    assert np.abs(found.by_step[1, :3]).min() > 0


def test_wrong_inputs() -> None:
    with pytest.raises(ShapeError, match="x is a tuple of 3 arrays, expected 2, for words, values"):
        explain.tape(two_inputs(), (IDS, X, X))
    with pytest.raises(ConfigError, match="a Sequential model or a layer was expected"):
        explain.summary(object(), X)  # type: ignore[arg-type]


def test_states_that_are_carried_are_those_of_the_model() -> None:
    """Every one of the runs that integrated gradients take begins with them."""
    layers = [seqkit.LSTM(3, stateful=True, return_sequences=True), seqkit.GRU(2), seqkit.Dense(2)]
    model = seqkit.Sequential(layers, seed=3, dtype="float64").build(2)
    model.predict(X, batch_size=3)
    start = model.layers[0]._state

    def output(x: np.ndarray) -> np.ndarray:
        model.layers[0]._state = start
        return model.predict(x, batch_size=3)[:, 1]

    expected = slopes(output, X, np.ones(X.shape[:2], bool))
    model.layers[0]._state = start
    assert_allclose(explain.saliency(model, X, 1).values, expected, atol=1e-8)
    assert_allclose(explain.integrated_gradients(model, X, 1).gap, 0, atol=1e-9)
    assert_allclose(explain.integrated_gradients(model, X, 1).output, output(X))


def test_units_of_a_projected_layer_are_those_of_its_memory(tmp_path: Path) -> None:
    model = seqkit.Sequential([seqkit.ProjectedLSTM(6, projection=2), seqkit.Dense(1)], seed=0).build(2)
    found = explain.summary(model, X, lengths=LENGTHS).layers[0]
    c = explain.tape(model, X, lengths=LENGTHS).steps("0.forward.c")
    assert_allclose(found.activity, np.abs(c).max(axis=0))
    assert len(found.half_life) == len(found.follows) == 6
    shown = explain.page(model, X, tmp_path / "page.html", lengths=LENGTHS).read_text()
    assert '"units": [0, 1, 2, 3, 4, 5]' in shown
    explain.figure(model, X, tmp_path / "figure.png", lengths=LENGTHS)


def test_what_is_not_a_number_is_null_in_json(tmp_path: Path) -> None:
    model, x = beside(), X.copy()
    x[1, 1, 0] = np.nan
    found = explain.summary(model, x, lengths=LENGTHS)
    layer = found.to_dict()["layers"][0]
    assert np.isnan(found.layers[0].half_life).all()
    assert layer["half_life"] == layer["activity"] == [None] * 3
    json.dumps(found.to_dict(), allow_nan=False)
    explain.page(model, x, tmp_path / "page.html", lengths=LENGTHS)


def test_nothing_to_look_at(tmp_path: Path) -> None:
    model = beside()
    for look in (explain.tape, explain.summary, explain.saliency, explain.integrated_gradients):
        with pytest.raises(ShapeError, match="x has no sequences"):
            look(model, X[:0])  # type: ignore[operator]
    for draw in (explain.page, explain.figure):
        with pytest.raises(ConfigError, match="sequence 1 has no steps or is not among 0 to 2"):
            draw(model, X, tmp_path / "x.png", sequence=1, lengths=[2, 0, 1])  # type: ignore[operator]
