"""Embedding(mask_zero=True): zeros at the end of a row are its padding, as if lengths had said so."""

from __future__ import annotations

import numpy as np
import pytest

import seqkit
from seqkit.errors import DataError

IDS = np.array([[3, 1, 2, 0, 0], [1, 2, 3, 4, 1], [2, 0, 0, 0, 0], [4, 4, 0, 0, 0]])
LENGTHS = np.array([3, 5, 1, 2])


def model(**options: bool) -> seqkit.Sequential:
    layers = [seqkit.Embedding(5, 3, **options), seqkit.Bidirectional(seqkit.GRU(4)), seqkit.Dense(1)]
    made = seqkit.Sequential(layers, seed=0)
    made.compile("adam", "mse")
    return made


def test_a_model_finds_the_lengths() -> None:
    """In predictions, in training and in evaluation; what it gives is what it gives with lengths."""
    found, told = model(mask_zero=True), model()
    y = np.arange(4.0)[:, None]
    assert (found.predict(IDS) == told.predict(IDS, lengths=LENGTHS)).all()
    assert (found.predict(IDS) != told.predict(IDS)).any()
    histories = [
        one.fit(IDS, y, epochs=3, batch_size=2, lengths=ends).history["loss"]
        for one, ends in ((found, None), (told, LENGTHS))
    ]
    assert histories[0] == histories[1]
    assert found.evaluate(IDS, y) == told.evaluate(IDS, y, lengths=LENGTHS)
    assert (found.forward(IDS)[0] == told.forward(IDS, LENGTHS)[0]).all()


def test_lengths_and_lists_are_believed() -> None:
    found = model(mask_zero=True)
    rows = [row[:n] for row, n in zip(IDS, LENGTHS, strict=True)]
    assert (found.predict(rows) == found.predict(IDS)).all()
    shorter = np.array([2, 5, 1, 1])
    assert (found.predict(IDS, lengths=shorter) == model().predict(IDS, lengths=shorter)).all()


def test_a_row_of_nothing_but_padding() -> None:
    layer = seqkit.Embedding(5, 3, mask_zero=True)
    assert layer.lengths_of(np.array([[0, 0, 0], [0, 2, 0]])).tolist() == [0, 2]
    assert seqkit.Embedding(5, 3).lengths_of(IDS) is None


@pytest.mark.parametrize("ids", [[[0, 0, 1, 2]], [[1, 0, 2, 3]]], ids=["left", "inside"])
def test_other_padding_is_refused(ids: list[list[int]]) -> None:
    """A `Masked` takes it, and gives what the ids alone give."""
    with pytest.raises(DataError, match=r"the id 0 inside a sequence.*pad on the right.*Masked"):
        model(mask_zero=True).predict(np.array(ids))
    inner = [seqkit.Embedding(5, 3), seqkit.GRU(4)]
    masked = seqkit.Masked(inner).build(1, seed=0)
    kept = np.array([[one for one in ids[0] if one]])
    assert (masked(np.array(ids)) == inner[1](inner[0](kept))).all()
