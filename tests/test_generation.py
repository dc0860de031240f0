"""Sampling from language models, and the search of decoders."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

import seqkit
from seqkit.errors import ConfigError, DTypeError, NonFiniteError, SeqkitError, ShapeError
from seqkit.generation import generate, probabilities
from seqkit.generation.search import Found, beam, greedy
from seqkit.testing.data import fill

Z = np.random.default_rng(0).normal(size=(40, 12)) * 2


def slow(z: np.ndarray, temperature: float, top_k: int | None, top_p: float | None) -> np.ndarray:
    """The definition, id by id."""
    p = [float(np.exp((value - z.max()) / temperature)) for value in z]
    kept = sorted(range(len(p)), key=lambda n: -p[n])[: top_k or len(p)]
    whole = sum(p[n] for n in kept)
    nucleus: list[int] = []
    for n in kept:
        if top_p is not None and sum(p[m] for m in nucleus) / whole >= top_p:
            break
        nucleus.append(n)
    total = sum(p[n] for n in nucleus)
    return np.array([p[n] / total if n in nucleus else 0.0 for n in range(len(p))])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 4, 50])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.7, 0.999, 1])
def test_filters_are_their_definition(temperature: float, top_k: int | None, top_p: float | None) -> None:
    found = probabilities(Z, temperature, top_k, top_p)
    np.testing.assert_allclose(found, [slow(z, temperature, top_k, top_p) for z in Z], rtol=1e-10, atol=1e-300)


def test_the_temperature_0_is_the_likeliest_and_the_limit_of_low_ones() -> None:
    assert np.array_equal(probabilities(Z, 0.0).argmax(axis=1), Z.argmax(axis=1))
    assert np.array_equal(probabilities(Z, 0.0), probabilities(Z, 1e-300))
    assert probabilities([1.0, 1.0, 0.0], 0).tolist() == [1.0, 0.0, 0.0]
    assert probabilities([0.0] * 4, top_p=0.5).tolist() == [0.5, 0.5, 0.0, 0.0]  # two have it exactly
    assert probabilities([-np.inf, 0.0, 0.0], 1.0).tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.5}, {"temperature": np.nan}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        probabilities(Z, **options)


def language_model(softmax: bool = False) -> seqkit.Sequential:
    head = seqkit.Dense(6, activation="softmax" if softmax else None)
    model = seqkit.Sequential([seqkit.Embedding(6, 3), seqkit.GRU(5), head], seed=0)
    rng = np.random.default_rng(1)
    for name, value in model.params.items():
        model.params[name] = rng.normal(size=value.shape)
    return model


@pytest.mark.parametrize("softmax", [False, True])
def test_ids_come_as_often_as_the_model_says(softmax: bool) -> None:
    """Chi square of the first two ids that follow one prompt, drawn by 4000 rows, against calls on whole sequences."""
    model, rows = language_model(softmax), 4000
    texts = np.array(generate(model, [[3, 1]] * rows, length=2, temperature=0.8, top_k=5, seed=2))
    expected = np.zeros((6, 6))
    logits = language_model().predict(np.array([[3, 1]]))
    first = probabilities(logits, 0.8, 5)[0]
    for n in np.flatnonzero(first):
        expected[n] = first[n] * probabilities(language_model().predict(np.array([[3, 1, n]])), 0.8, 5)[0]
    counts = np.zeros((6, 6))
    np.add.at(counts, (texts[:, 0], texts[:, 1]), 1)
    possible = expected > 0
    assert not counts[~possible].any()
    assert stats.chisquare(counts[possible], rows * expected[possible] / expected.sum()).pvalue > 0.01


def test_the_likeliest_continuation_is_that_of_whole_sequences() -> None:
    model = language_model()
    text = [2, 5, 0]
    for _ in range(7):
        text.append(int(model.predict(np.array([text]))[0].argmax()))
    assert generate(model, text[:3], length=7, temperature=0).tolist() == text[3:]


def test_neighbours_change_nothing() -> None:
    model, prompts = language_model(), [[1, 2, 3], [4], [0, 0, 5, 2, 2]]
    together = generate(model, prompts, length=9, seed=7)
    again = generate(model, [prompts[0], [3, 3], prompts[2]], length=9, seed=7)
    assert np.array_equal(together[0], again[0])
    assert np.array_equal(together[2], again[2])
    assert np.array_equal(together[0], generate(model, prompts[0], length=9, seed=7))
    assert not np.array_equal(together[0], generate(model, prompts[0], length=9, seed=8))


def test_a_text_ends_with_the_stop() -> None:
    model = language_model()
    whole = generate(model, [[1], [2], [3]], length=30, seed=3)
    cut = generate(model, [[1], [2], [3]], length=30, seed=3, stop=4)
    for text, short in zip(whole, cut, strict=True):
        ends = np.flatnonzero(text == 4)
        assert np.array_equal(short, text[: ends[0] + 1] if ends.size else text)


def test_vectors_with_a_one_are_ids() -> None:
    model = seqkit.Sequential([seqkit.GRU(5), seqkit.Dense(6)], seed=0)
    fill(seqkit.Graph({"a": model.layers[0], "b": model.layers[1]}).build(6, seed=0))
    text = [2, 5, 0]
    for _ in range(5):
        text.append(int(model.predict(np.eye(6)[None, text])[0].argmax()))
    assert generate(model, text[:3], length=5, temperature=0).tolist() == text[3:]


def test_wrong_prompts() -> None:
    model = language_model()
    with pytest.raises(ShapeError, match="at least one id"):
        generate(model, [], length=2)
    with pytest.raises(DTypeError, match="integer ids"):
        generate(model, [0.5], length=2)
    with pytest.raises(SeqkitError, match="id 9"):
        generate(model, [9], length=2)
    with pytest.raises(ShapeError, match=r"a prompt has shape \(\)"):
        generate(model, 3, length=2)  # type: ignore[arg-type]
    vectors = seqkit.Sequential([seqkit.GRU(5), seqkit.Dense(6)], seed=0).build(6)
    with pytest.raises(ConfigError, match="id -1 came, but the model reads 6 features"):
        generate(vectors, [2, -1], length=2)


@pytest.mark.parametrize("logits", [[np.nan, 0.0, 1.0], [np.inf, 0.0, 1.0], [-np.inf, -np.inf, -np.inf]])
@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.5}])
def test_what_has_no_likeliest_id_is_told(logits: list[float], options: dict[str, Any]) -> None:
    with pytest.raises(NonFiniteError, match="logits of the next id are NaN or infinite"):
        probabilities([[0.0, 1.0, 2.0], logits], **options)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda head: seqkit.TimeDistributed(head),
        lambda head: seqkit.Graph({"h": head}),
        lambda head: seqkit.Masked([head], mask_value=-1.0),
    ],
)
def test_probabilities_are_known_inside_other_layers(wrapped: Any) -> None:
    plain = language_model(softmax=True)
    embedding, gru, head = plain.layers
    gru.return_sequences = True
    model = seqkit.Sequential([embedding, gru, wrapped(head), seqkit.Dropout(0.5)])
    text = generate(plain, [1, 2], length=30, seed=3)
    assert np.array_equal(generate(model, [1, 2], length=30, seed=3), text)


# ---- search --------------------------------------------------------------------------------------

IDS, END = 4, 1


def tables(sources: int) -> Any:
    """A step whose probabilities depend on the source and on all ids so far, by a hash; the state is that hash."""

    def step(ids: np.ndarray, rows: np.ndarray, state: Any) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        before = np.zeros(len(ids), np.int64) if state is None else state[0]
        after = (before * 31 + ids + 7 * (rows + 1)) % 10007
        log_p = np.stack([np.random.default_rng(int(key)).normal(size=IDS) * 2 for key in after])
        return log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True)), (after,)

    return step


def exhaustive(step: Any, source: int, limit: int, penalty: float) -> tuple[float, list[int]]:
    """Score and ids of the best of all sequences."""
    best: tuple[float, list[int]] = (-np.inf, [])
    for length in range(1, limit + 1):
        for text in product(range(IDS), repeat=length):
            if END in text[:-1] or (length < limit and text[-1] != END):
                continue
            total, state, before = 0.0, None, 0
            for following in text:
                log_p, state = step(np.array([before]), np.array([source]), state)
                total, before = total + float(log_p[0, following]), following
            if total / length**penalty > best[0]:
                best = total / length**penalty, list(text[:-1] if text[-1] == END else text)
    return best


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
def test_a_beam_of_all_sequences_finds_the_best(penalty: float) -> None:
    limit, sources = 4, 5
    found = beam(tables(sources), None, sources, 0, END, limit, IDS**limit, penalty)
    for source, one in enumerate(found):
        score, ids = exhaustive(tables(sources), source, limit, penalty)
        assert one.ids == ids
        assert one.score == pytest.approx(score, abs=1e-12)


def test_a_beam_of_one_is_greedy_and_a_wider_one_is_no_worse() -> None:
    one, simple = (
        search(tables(30), None, 30, 0, END, 6, *options) for search, options in ((beam, (1,)), (greedy, ()))
    )
    assert [found.ids for found in one] == [found.ids for found in simple]
    assert [found.log_p for found in one] == [found.log_p for found in simple]
    wide = beam(tables(30), None, 30, 0, END, 6, 16, 0.0)
    better = [a.log_p - b.log_p for a, b in zip(wide, simple, strict=True)]
    assert max(better) > 0.1
    assert np.mean(np.array(better) >= -1e-12) > 0.9  # a beam promises nothing, but on nearly all it is so


def test_sources_do_not_change_each_other() -> None:
    def shifted(ids: np.ndarray, rows: np.ndarray, state: Any) -> Any:
        return tables(1)(ids, rows + 3, state)

    alone: list[Found] = beam(shifted, None, 1, 0, END, 6, 3)
    together = beam(tables(7), None, 7, 0, END, 6, 3)
    assert alone[0] == together[3]
