"""Vocabularies."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seqkit.data.text import UNKNOWN, Vocabulary, pieces
from seqkit.errors import ConfigError, DataError

TEXTS = ["The cat saw the dog.", "The dog didn't see THE cat!", "a dog"]


def test_ids_are_those_of_numpy() -> None:
    text = "\n".join(TEXTS)
    symbols, ids = np.unique(list(text), return_inverse=True)
    vocabulary = Vocabulary.fit([text], "characters", unknown=False)
    assert vocabulary.symbols == tuple(symbols)
    assert np.array_equal(vocabulary.encode(text), ids)
    assert vocabulary.encode(text).dtype == np.int64
    assert vocabulary.decode(ids) == text


def test_the_frequent_have_ids() -> None:
    counted = Vocabulary.fit(TEXTS, lower=True, least=2)
    assert counted.symbols == (UNKNOWN, "cat", "dog", "the")
    assert counted.encode("The CAT saw a dog").tolist() == [3, 1, 0, 0, 2]
    assert Vocabulary.fit(TEXTS, lower=True, most=2).symbols == (UNKNOWN, "dog", "the")
    assert Vocabulary.fit(TEXTS, most=1).symbols == (UNKNOWN, "dog")
    assert Vocabulary.fit(["b a"], most=1).symbols == (UNKNOWN, "a")  # equally frequent: by their order


def test_words() -> None:
    assert pieces("Didn't 'it' rain—3.5 o\u2019clock?", "words") == [
        "Didn't", "'", "it", "'", "rain", "—", "3", ".", "5", "o\u2019clock", "?",
    ]  # fmt: skip
    vocabulary = Vocabulary.fit(TEXTS)
    assert vocabulary.decode(vocabulary.encode("the dog.")) == "the dog ."


def test_it_survives_json() -> None:
    vocabulary = Vocabulary.fit(TEXTS, "characters", lower=True)
    assert Vocabulary.of(json.loads(json.dumps(vocabulary.facts()))) == vocabulary


def test_complaints() -> None:
    closed = Vocabulary.fit(["ab"], "characters", unknown=False)
    with pytest.raises(DataError, match="'c' is not one of its 2 characters"):
        closed.encode("abc")
    assert Vocabulary.fit(["ab"], "characters").encode("abc").tolist() == [1, 2, 0]
    for ids in ([0, 2], [-1]):
        with pytest.raises(DataError, match="ids must be 0 to 1"):
            closed.decode(ids)
    with pytest.raises(DataError, match="no words that occur 9 times"):
        Vocabulary.fit(TEXTS, least=9)
    with pytest.raises(ConfigError, match="unit"):
        Vocabulary.fit(TEXTS, "syllables")  # type: ignore[arg-type]
    assert closed.encode("").shape == (0,)
    assert closed.decode([]) == ""
