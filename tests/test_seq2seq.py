"""Seq2Seq: gradients, teacher forcing, generation, files."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import checkpoint
from seqkit.errors import ConfigError, DTypeError, LoadError, NonFiniteError, ShapeError
from seqkit.sequences import pad

RNG = np.random.default_rng(5)
SOURCES = [RNG.integers(0, 9, n) for n in (4, 7, 1, 5, 2)]
TARGETS = [RNG.integers(2, 6, n) for n in (3, 1, 6, 0, 2)]
FEATURES = [RNG.normal(size=(n, 3)).astype(np.float32) for n in (4, 7, 1, 5, 2)]


def lstm(units: int, **options: Any) -> Any:
    return seqkit.LSTM(units, return_sequences=True, **options)


def plain(dtype: str = "float32") -> seqkit.Seq2Seq:
    """States are handed over as they are."""
    encoder = [seqkit.Embedding(9, 4), seqkit.LSTM(5)]
    return stirred(seqkit.Seq2Seq(encoder, [seqkit.Embedding(6, 4), lstm(5)], seed=1, dtype=dtype))


def attending(dtype: str = "float32") -> seqkit.Seq2Seq:
    """Two directions of numbers, a bridge to two layers of another size, attention."""
    encoder = [seqkit.Bidirectional(lstm(3))]
    decoder = [seqkit.Embedding(6, 4), seqkit.GRU(4, return_sequences=True), lstm(6)]
    return stirred(seqkit.Seq2Seq(encoder, decoder, seqkit.Attention(), start=0, end=1, seed=1, dtype=dtype), 3)


def pooling(dtype: str = "float32") -> seqkit.Seq2Seq:
    """Layers with states that are not handed over, in encoder and decoder: windows and sums."""
    encoder = [seqkit.Conv1D(4, 2, padding="causal"), seqkit.GRU(5, return_sequences=True), seqkit.MeanPool()]
    decoder = [seqkit.Embedding(6, 4), seqkit.Conv1D(3, 3, padding="causal"), seqkit.GRU(5, return_sequences=True)]
    model = stirred(seqkit.Seq2Seq(encoder, decoder, seed=1, dtype=dtype), 3)
    assert not any("bridge" in name for name in model.params)
    return model


def stirred(model: seqkit.Seq2Seq, *size: int) -> seqkit.Seq2Seq:
    """With random parameters of a size at which everything matters."""
    model.build((*size, 1) if size else None)
    rng = np.random.default_rng(2)
    for name, value in model.params.items():
        model.params[name] = 2 * rng.normal(size=value.shape)
    model.params["1.bias"] = [0, 1, 0, 0, 0, 0]  # some texts end, some do not
    model.compile("adam")
    return model


MODELS = pytest.mark.parametrize(("make", "sources"), [(plain, SOURCES), (attending, FEATURES), (pooling, FEATURES)])


@MODELS
def test_gradients_are_differences(make: Any, sources: Any) -> None:
    model = make("float64")
    batch = model._samples(sources, TARGETS, None, None).take(np.arange(5))

    def loss() -> float:
        return model.loss(batch.y, model.forward(batch.x, batch.lengths)[0], None, batch.lengths[1])[0]

    y, caches = model.forward(batch.x, batch.lengths)
    gradient = model.backward(model.loss(batch.y, y, None, batch.lengths[1])[1], caches, input_grad=True)
    rng, step = np.random.default_rng(3), 1e-6
    for name, value in model.params.items():
        start, way = value.copy(), rng.normal(size=value.shape)
        ends = []
        for sign in (1, -1):
            model.params[name] = start + sign * step * way
            ends.append(loss())
        model.params[name] = start
        slope = float((model.grads[name] * way).sum())
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=2e-6, abs=1e-9), name
        assert slope != 0
    if make is attending:
        x, way = batch.x[0], rng.normal(size=batch.x[0].shape)
        moved = [(x + sign * step * way, batch.x[1]) for sign in (1, -1)]
        up, down = (
            model.loss(batch.y, model.forward(one, batch.lengths)[0], None, batch.lengths[1])[0] for one in moved
        )
        assert (up - down) / (2 * step) == pytest.approx((gradient[0] * way).sum(), rel=1e-6)


@MODELS
def test_the_loss_is_that_of_the_next_id_given_the_true_ones(make: Any, sources: Any) -> None:
    """Ids one by one, by the decoder's steps; every text costs its ids and its end."""
    model = make()
    network, head = model.layers
    total = count = 0.0
    for source, target in zip(sources, TARGETS, strict=True):
        encoded = network.encode(source[None])
        state = encoded.state
        for before, following in zip([0, *target], [*target, 1], strict=True):
            h, state = network.decode(np.array([[before]]), encoded, state)
            logits = head(h[:, 0])[0].astype(float)
            total += np.log(np.exp(logits).sum()) - logits[following]
            count += 1
    assert model.evaluate(sources, TARGETS) == pytest.approx(total / count, rel=1e-5)


def log_p_of(model: Any, source: Any, target: Any, ended: bool = True) -> float:
    """Logarithm of the probability of a target, by one call on the whole."""
    read, asked = [0, *target], [*target, *([1] if ended else [])]
    logits = model.forward((source[None], np.array([read])), training=False)[0][0].astype(float)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(sum(log_p[t, n] for t, n in enumerate(asked)))


@MODELS
def test_greedy_takes_the_likeliest_id_given_those_before(make: Any, sources: Any) -> None:
    model = make()
    found, log_p = model.generate(sources, max_length=6, return_log_p=True)
    for source, ids, value in zip(sources, found, log_p, strict=True):
        text: list[int] = []
        while len(text) < 6:
            logits = model.forward((source[None], np.array([[0, *text]])), training=False)[0][0]
            following = int(logits[-1].argmax())
            if following == 1:
                break
            text.append(following)
        assert ids.tolist() == text
        assert value == pytest.approx(log_p_of(model, source, text, ended=len(text) < 6), rel=1e-5)
    assert len({len(ids) for ids in found}) > 1
    assert [one.tolist() for one in model.predict(sources)][2] == model.generate(sources[2:3])[0].tolist()


@MODELS
def test_a_beam_as_wide_as_all_texts_finds_the_best(make: Any, sources: Any) -> None:
    model, limit = make(), 3
    texts = [list(text) for n in range(limit + 1) for text in product((0, 2, 3, 4, 5), repeat=n)]
    found, log_p = model.generate(
        sources[:2], "beam", beam_width=6**limit, max_length=limit, length_penalty=0.0, return_log_p=True
    )
    for source, ids, value in zip(sources, found, log_p, strict=False):
        every = [log_p_of(model, source, text, ended=len(text) < limit) for text in texts]
        assert value == pytest.approx(max(every), rel=1e-5)
        assert ids.tolist() == texts[int(np.argmax(every))]


@MODELS
@pytest.mark.parametrize("options", [{}, {"method": "beam", "beam_width": 3}])
def test_neighbours_batches_and_padding_change_nothing(make: Any, sources: Any, options: Any) -> None:
    model = make()
    found, log_p = model.generate(sources, max_length=8, return_log_p=True, **options)
    padded, lengths = pad(sources, "x")
    padded[np.arange(7) >= lengths[:, None]] = -1 if padded.dtype.kind == "i" else np.nan
    for given in ({"batch_size": 1}, {"batch_size": 2}):
        again, values = model.generate(sources, max_length=8, return_log_p=True, **options, **given)
        assert [one.tolist() for one in again] == [one.tolist() for one in found]
        assert np.array_equal(values, log_p)
    again, values = model.generate(padded, max_length=8, return_log_p=True, lengths=lengths, **options)
    assert [one.tolist() for one in again] == [one.tolist() for one in found]
    assert np.array_equal(values, log_p)


def test_a_beam_of_one_is_greedy() -> None:
    for model, sources in ((plain(), SOURCES), (attending(), FEATURES)):
        one = model.generate(sources, "beam", beam_width=1, max_length=9, return_log_p=True)
        simple = model.generate(sources, max_length=9, return_log_p=True)
        assert [ids.tolist() for ids in one[0]] == [ids.tolist() for ids in simple[0]]
        assert np.array_equal(one[1], simple[1])


def test_attention_of_a_text() -> None:
    """As computed by the same attention from the memory and what the decoder made of the text."""
    model, source, target = attending(), FEATURES[1], TARGETS[0]
    weights = model.attention_weights(source, target)
    assert weights.shape == (4, 7)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    network = model.layers[0]
    encoded = network.encode(source[None])
    h, _ = network.decoder.nodes["layer2"].layer.forward(
        network.decoder.nodes["layer1"].layer(np.array([[0, *target]])), None, encoded.state[:1], False
    )
    h, _ = network.decoder.nodes["layer3"].layer.forward(h, None, encoded.state[1:], False)
    z = h[0].astype(float) @ encoded.memory[0].T.astype(float)
    np.testing.assert_allclose(weights, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-4)
    with pytest.raises(ConfigError, match="no attention"):
        plain().attention_weights(SOURCES[0], target)


@MODELS
def test_files(make: Any, sources: Any, tmp_path: Path) -> None:
    model = make()
    model.fit(sources, TARGETS, epochs=2, batch_size=2, verbose=0, callbacks=seqkit.Checkpoint(tmp_path / "run"))
    model.save(tmp_path / "m.safetensors")
    for again in (seqkit.load(tmp_path / "m.safetensors"), seqkit.Seq2Seq.load(tmp_path / "m.safetensors")):
        assert isinstance(again, seqkit.Seq2Seq)
        assert (again.start, again.end) == (0, 1)
        assert again.evaluate(sources, TARGETS) == model.evaluate(sources, TARGETS)
        found = model.generate(sources, "beam", max_length=5), again.generate(sources, "beam", max_length=5)
        assert [one.tolist() for one in found[0]] == [one.tolist() for one in found[1]]
    model.fit(sources, TARGETS, epochs=4, initial_epoch=2, batch_size=2, verbose=0, shuffle=False)
    other = make()
    other.fit(sources, TARGETS, epochs=2, batch_size=2, verbose=0, resume=tmp_path / "run")
    assert other.evaluate(sources, TARGETS) == again.evaluate(sources, TARGETS)


@pytest.mark.parametrize(
    "change", [{"ends": [0, 6]}, {"ends": [0]}, {"ends": None}, {"ends": "ab"}, {"layers": []}, {"kind": "seq3seq"}]
)
def test_files_that_mean_nothing(change: Any, tmp_path: Path) -> None:
    plain().save(tmp_path / "m.safetensors")
    description, arrays = checkpoint.read(tmp_path / "m.safetensors")
    checkpoint.write(tmp_path / "w.safetensors", description | change, arrays)
    with pytest.raises(LoadError, match=r"w\.safetensors"):
        seqkit.load(tmp_path / "w.safetensors")
    if "kind" not in change:
        with pytest.raises(LoadError, match=r"w\.safetensors"):
            seqkit.Seq2Seq.load(tmp_path / "w.safetensors")
    with pytest.raises(LoadError, match=r"load it with seqkit\.load"):
        seqkit.Sequential.load(tmp_path / "m.safetensors")


def test_it_learns_with_validation_and_weights() -> None:
    model = attending()
    model.compile(seqkit.Adam(0.02), metrics=["accuracy"])
    history = model.fit(FEATURES, TARGETS, epochs=30, verbose=0, validation_data=(FEATURES[:2], TARGETS[:2])).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    weights = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    alone = model.evaluate(FEATURES[:1], TARGETS[:1])[0] * 4 / sum(len(row) + 1 for row in TARGETS)
    assert model.evaluate(FEATURES, TARGETS, sample_weight=weights)[0] == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("convolution", [{"strides": 2}, {"padding": "valid"}])
def test_a_memory_has_the_lengths_that_the_encoder_gives(convolution: Any) -> None:
    encoder = [seqkit.Conv1D(4, 3, **convolution), lstm(5)]
    layer = seqkit.EncoderDecoder(encoder, [lstm(5)], seqkit.Attention()).build((3, 2), seed=0, dtype="float64")
    source, target = RNG.normal(size=(2, 9, 3)), RNG.normal(size=(2, 4, 2))
    y = layer((source, target), (np.array([9, 6]), None))
    assert np.array_equal(y[1:], layer((source[1:, :6], target[1:])))
    encoded = layer.encode(source, np.array([9, 6]))
    assert np.array_equal(layer.decode(target, encoded, encoded.state)[0], y)


def test_sources_and_targets_may_be_empty() -> None:
    model = plain()
    texts = model.generate([[], [3, 4]], max_length=5)
    assert np.array_equal(texts[0], model.generate([np.empty(0, np.int64)], max_length=5)[0])
    assert np.array_equal(texts[1], model.generate([[3, 4]], max_length=5)[0])
    assert np.isfinite(model.fit([[], [3]], [[], [2]], verbose=0).history["loss"]).all()


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_logits_that_are_nan_are_told(method: str) -> None:
    model = plain()
    model.params["1.weight"] = np.full_like(model.params["1.weight"], np.nan)
    with pytest.raises(NonFiniteError, match="logits of the next id"):
        model.generate(SOURCES, method)


def test_decoders_that_cannot_write_step_by_step() -> None:
    """In training they would read the id that they are asked for."""
    encoder, first = [lstm(3)], seqkit.Embedding(6, 2)
    for ahead in (seqkit.Bidirectional(lstm(3)), lstm(3, go_backwards=True), seqkit.Conv1D(3, 3, padding="same")):
        with pytest.raises(ConfigError, match=f"written step by step, but {ahead.name}"):
            seqkit.Seq2Seq(encoder, [first, ahead])
    with pytest.raises(ConfigError, match="the decoder gives one vector"):
        seqkit.Seq2Seq(encoder, [first, seqkit.GRU(3)])
    with pytest.raises(ConfigError, match="to every step of the encoder; give their layers return_sequences=True"):
        seqkit.Seq2Seq([seqkit.GRU(3)], [first, lstm(3)], seqkit.Attention())
    with pytest.raises(ConfigError, match="the same embedding is in encoder and decoder"):
        seqkit.Seq2Seq([first, lstm(3)], [first, lstm(3)])
    with pytest.raises(ConfigError, match="encoder must be a sequence of layers"):
        seqkit.Seq2Seq(lstm(3), [first, lstm(3)])


def test_what_is_wrong_is_told() -> None:
    gru = seqkit.GRU(3, return_sequences=True)
    with pytest.raises(ConfigError, match="the decoder must begin with an Embedding"):
        seqkit.Seq2Seq([gru], [gru])
    with pytest.raises(ConfigError, match="end must be an id of the decoder, 0 to 5, got 6"):
        seqkit.Seq2Seq([gru], [seqkit.Embedding(6, 2), lstm(3)], end=6)
    with pytest.raises(ConfigError, match="nothing of the source reaches the decoder"):
        seqkit.EncoderDecoder([seqkit.Dense(2)], [lstm(3)]).build((3, 3))
    with pytest.raises(ConfigError, match="leave stateful out"):
        seqkit.EncoderDecoder([gru], [lstm(3, stateful=True)])
    with pytest.raises(ConfigError, match="must end with a recurrent layer"):
        seqkit.EncoderDecoder([gru], [seqkit.Dropout(0.1)], seqkit.Attention())
    with pytest.raises(ConfigError, match="encoder must be a sequence of layers"):
        seqkit.EncoderDecoder([], [gru])
    with pytest.raises(DTypeError, match="target 0 must hold integer ids"):
        plain().fit(SOURCES, [[0.5]] * 5)
    with pytest.raises(ShapeError, match="target 1 has shape"):
        plain().fit(SOURCES, [[2], [[2]], [2], [2], [2]])
    with pytest.raises(ConfigError, match="no seq2seq method named 'best'"):
        plain().generate(SOURCES, "best")
