"""CTC against the sum over all paths, finite differences and PyTorch; decoders against all labellings.

Legend: B batch, T time, K classes.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, DataError, DTypeError, SeqkitError, ShapeError
from seqkit.training.ctc import CTC, ctc_beam, ctc_greedy, padded_labels
from seqkit.training.edit_distance import edit_distance, label_error_rate
from seqkit.training.optimizers import Adam

LENGTHS = [6, 4, 0, 3, 5]
LABELS = [[1, 2, 2], [3], [], [], [3, 1, 2]]
WEIGHTS = [1.0, 0.5, 3.0, 2.0, 0.25]


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def labellings(logits: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """Probability of every label sequence: all paths, merged."""
    log_p, found = log_softmax(logits), defaultdict(float)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        merged = tuple(k for k, _ in itertools.groupby(path) if k != blank)
        found[merged] += math.exp(sum(log_p[t, k] for t, k in enumerate(path)))
    return found


def renamed(labels: list[list[int]], blank: int) -> list[list[int]]:
    """The same labels, where another class is the blank."""
    return [[0 if label == blank else label for label in row] for row in labels]


@pytest.fixture
def logits() -> np.ndarray:
    """Random logits (5, 6, 4), NaN past the end."""
    z = np.random.default_rng(0).normal(scale=2, size=(5, 6, 4))
    z[np.arange(6) >= np.array(LENGTHS)[:, None]] = np.nan
    return z


@pytest.mark.parametrize("blank", [0, 2, 3])
def test_value_is_the_sum_over_all_paths(logits: np.ndarray, blank: int) -> None:
    labels = renamed(LABELS, blank)
    rows = zip(logits, LENGTHS, labels, WEIGHTS, strict=True)
    expected = [-w * math.log(labellings(row[:n], blank)[tuple(own)]) for row, n, own, w in rows]
    value, _ = CTC(blank=blank)(labels, logits, WEIGHTS, LENGTHS)
    assert value == pytest.approx(sum(expected) / 5, rel=1e-12)


def test_gradient(logits: np.ndarray) -> None:
    loss = CTC()
    _, slopes = loss(LABELS, logits, WEIGHTS, LENGTHS)
    for at in np.ndindex(logits.shape):
        values = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[at] += step
            values.append(loss(LABELS, moved, WEIGHTS, LENGTHS)[0])
        assert slopes[at] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-8)
    assert not slopes[np.isnan(logits)].any()


def test_float32_and_any_strides(logits: np.ndarray) -> None:
    value, slopes = CTC()(LABELS, logits, WEIGHTS, LENGTHS)
    low = np.asfortranarray(logits.astype(np.float32))
    low_value, low_slopes = CTC()(LABELS, low, WEIGHTS, LENGTHS)
    assert low_slopes.dtype == np.float32
    assert low_value == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(low_slopes, slopes, atol=1e-6)


def test_bits_depend_on_neither_batch_nor_threads() -> None:
    rng = np.random.default_rng(1)
    z, lengths = rng.normal(size=(24, 90, 12)).astype(np.float32), rng.integers(45, 91, size=24)
    labels = [rng.integers(1, 12, size=rng.integers(0, 20)) for _ in lengths]
    with seqkit.threads(1):
        value, slopes = CTC()(labels, z, None, lengths)
    with seqkit.threads(3):
        again, same = CTC()(labels, z, None, lengths)
    assert again == value
    np.testing.assert_array_equal(same, slopes)
    padded = np.concatenate([z, np.full((24, 7, 12), np.nan, np.float32)], axis=1)
    for n in (0, 5, 23):
        _, alone = CTC()([labels[n]], padded[n : n + 1], [1 / 24], lengths[n : n + 1])
        np.testing.assert_array_equal(alone[0, :90], (slopes[n]))


def test_long_sequences_do_not_underflow() -> None:
    """20,000 equal frames with one label: the first and last step of the label are free to choose."""
    value, slopes = CTC()([[1]], np.zeros((1, 20_000, 2)))
    assert value == pytest.approx(20_000 * math.log(2) - math.log(20_000 * 20_001 / 2), rel=1e-12)
    assert np.isfinite(slopes).all()


def test_labels_that_do_not_fit() -> None:
    z = np.random.default_rng(2).normal(size=(3, 3, 3))
    labels = [[1, 2], [1, 1, 2], [1, 1]]  # the second needs 4 frames, of the third all 3
    with pytest.raises(DataError, match=r"sample 1 of the batch need at least 4 frames .* has 3;"):
        CTC()(labels, z)
    value, slopes = CTC(zero_infinity=True)(labels, z)
    expected = [-math.log(labellings(z[n], 0)[tuple(labels[n])]) for n in (0, 2)]
    assert value == pytest.approx(sum(expected) / 3)
    assert not slopes[1].any()
    assert slopes[0].any()
    with pytest.raises(DataError, match="need at least 1 frames"):
        CTC()([[1], [], []], z, lengths=[0, 3, 3])


def test_no_samples() -> None:
    value, slopes = CTC()([], np.zeros((0, 3, 3)))
    assert (value, slopes.shape) == (0.0, (0, 3, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("step", [0, 2, 3])
def test_logits_that_are_not_finite_are_seen(logits: np.ndarray, step: int, bad: float) -> None:
    logits[1, step, 1] = bad
    for loss in (CTC(), CTC(zero_infinity=True)):
        assert math.isnan(loss(LABELS, logits, None, LENGTHS)[0])


@pytest.mark.parametrize(
    ("labels", "error", "says"),
    [
        ([[1], [2]], ShapeError, "y has 2 label sequences but the model's output 1"),
        ([[1, 4]], DataError, r"y\[0\] holds the label 4; expected 0 to 3"),
        ([[1, 0]], DataError, r"holds the label 0; .* is the blank"),
        ([[1, -1, 2]], DataError, "past the end"),
        ([[-2]], DataError, "negative label"),
        ([[1.5]], DTypeError, r"y\[0\] must be a sequence of integer labels"),
        ([[[1]]], DTypeError, "shape"),
    ],
)
def test_wrong_labels(labels: object, error: type[SeqkitError], says: str) -> None:
    with pytest.raises(error, match=says):
        CTC()(labels, np.zeros((1, 5, 4)))


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="blank must be the id of a class"):
        CTC(blank=-1)
    with pytest.raises(ConfigError, match="blank is 4 but the model's output has 4 classes"):
        CTC(blank=4)([[1]], np.zeros((1, 5, 4)))
    with pytest.raises(ShapeError, match="return_sequences=True"):
        CTC()([[1]], np.zeros((1, 4)))
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(1, 5\)"):
        CTC()([[1]], np.zeros((1, 5, 4)), np.ones((1, 5)))
    assert CTC(2, True).config() == {"blank": 2, "zero_infinity": True}


def test_padded_labels() -> None:
    assert padded_labels(np.array([[1, -1], [2, 3]]), "demo").tolist() == [[1, -1], [2, 3]]


def test_greedy(logits: np.ndarray) -> None:
    paths = [row[:n].argmax(axis=1) for row, n in zip(logits, LENGTHS, strict=True)]
    best = [[k for k, _ in itertools.groupby(path) if k != 1] for path in paths]
    assert [labels.tolist() for labels in ctc_greedy(logits, LENGTHS, blank=1)] == best
    rows = [row[:n] for row, n in zip(logits, LENGTHS, strict=True)]
    assert [labels.tolist() for labels in ctc_greedy(rows, blank=1)] == best


@pytest.mark.parametrize("seed", range(5))
def test_wide_beam_finds_the_best_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, blank = rng.normal(scale=1.5, size=(2, 6, 3)), seed % 3
    found, log_p = ctc_beam(z, lengths=[6, 4], width=400, blank=blank)
    for n, length in enumerate((6, 4)):
        everything = labellings(z[n, :length], blank)
        best = max(everything, key=lambda labels: everything[labels])
        assert tuple(found[n]) == best
        assert log_p[n] == pytest.approx(math.log(everything[best]), rel=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_narrow_beam(seed: int) -> None:
    """Against the same search over dictionaries, of prefixes as tuples; prefixes leave the beam and come back."""
    z = np.random.default_rng(seed).normal(scale=1.5, size=(1, 60, 4))
    for width in (1, 2, 3, 4, 6, 9):
        labels, score = slow_beam(log_softmax(z[0]), width)
        found, log_p = ctc_beam(z, width=width)
        assert tuple(found[0]) == labels
        assert log_p[0] == pytest.approx(score, rel=1e-12)


def slow_beam(log_p: np.ndarray, width: int) -> tuple[tuple[int, ...], float]:
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}  # ending with a blank, with a label
    for p in np.exp(log_p):
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, other) in beam.items():
            after[prefix][0] += (blank + other) * p[0]
            for k in range(1, len(p)):
                if prefix[-1:] == (k,):
                    after[prefix][1] += other * p[k]
                    after[(*prefix, k)][1] += blank * p[k]
                else:
                    after[(*prefix, k)][1] += (blank + other) * p[k]
        best = sorted(after, key=lambda prefix: -sum(after[prefix]))[:width]
        beam = {prefix: (after[prefix][0], after[prefix][1]) for prefix in best}
    best_one = max(beam, key=lambda prefix: sum(beam[prefix]))
    return best_one, math.log(sum(beam[best_one]))


def test_beam_of_no_frames_and_wrong_calls() -> None:
    found, log_p = ctc_beam(np.zeros((1, 4, 3)), lengths=[0])
    assert (found[0].tolist(), log_p.tolist()) == ([], [0.0])
    with pytest.raises(ConfigError, match="width must be a positive integer"):
        ctc_beam(np.zeros((1, 4, 3)), width=0)
    with pytest.raises(ConfigError, match="blank must be 0 to 2"):
        ctc_beam(np.zeros((1, 4, 3)), blank=3)
    with pytest.raises(ShapeError, match=r"\(time_i, classes\)"):
        ctc_greedy([np.zeros(3)])


def slow_edits(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(slow_edits(a[1:], b) + 1, slow_edits(a, b[1:]) + 1, slow_edits(a[1:], b[1:]) + (a[0] != b[0]))


def test_edit_distance() -> None:
    rng = np.random.default_rng(3)
    total = 0
    pairs = [[tuple(rng.integers(3, size=rng.integers(0, 6)).tolist()) for _ in range(2)] for _ in range(60)]
    for true, found in pairs:
        assert edit_distance(true, found) == slow_edits(true, found)
        total += slow_edits(true, found)
    assert label_error_rate(*zip(*pairs, strict=True)) == total / sum(len(true) for true, _ in pairs)
    with pytest.raises(ShapeError, match="1 true label sequences but 2"):
        label_error_rate([[1]], [[1], [2]])


def test_a_model_learns_to_spell(jagged: list[np.ndarray]) -> None:
    """Labels of other lengths than the frames travel through fit and evaluate, for lists and arrays."""
    labels = [[1, 2], [], [2, 2, 1], [1]]
    model = seqkit.Sequential([seqkit.LSTM(16, return_sequences=True), seqkit.Dense(3)], seed=0)
    model.compile(Adam(0.02), seqkit.CTC(), metrics=["label_error_rate"])
    history = model.fit(jagged, labels, epochs=60, batch_size=3, shuffle=False).history["loss"]
    logits = model.predict(jagged)
    assert [found.tolist() for found in ctc_greedy(logits)] == labels
    expected = np.mean([CTC()([own], row[None])[0] for own, row in zip(labels, logits, strict=True)])
    assert model.evaluate(jagged, labels, batch_size=3) == pytest.approx([expected, 0.0], rel=1e-5)
    assert expected < history[-1] * 1.2 < 0.3
    x = np.zeros((4, 6, 3))
    for target, row in zip(x, jagged, strict=True):
        target[: len(row)] = row
    lengths = [len(row) for row in jagged]
    assert model.evaluate(x, padded_labels(labels, "y"), lengths=lengths)[0] == pytest.approx(expected, rel=1e-5)
    wrong = [[1], [2], [2, 2, 1], [2]]  # 1, 1, 0 and 1 edits, 6 labels, in batches of 3 and 1
    assert model.evaluate(jagged, wrong, batch_size=3)[1] == pytest.approx(3 / 6)


@pytest.mark.peers
@pytest.mark.parametrize("seed", range(6))
def test_pytorch(seed: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(seed)
    batch, time, classes = 5, 30, 7
    z, lengths = rng.normal(scale=2, size=(batch, time, classes)), rng.integers(12, time + 1, size=batch)
    labels = [rng.integers(1, classes, size=rng.integers(0, 7)) for _ in range(batch)]
    ours, slopes = CTC()(labels, z, None, lengths)
    logits = torch.tensor(z, requires_grad=True)
    theirs = torch.nn.functional.ctc_loss(
        logits.log_softmax(2).transpose(0, 1),
        torch.tensor(np.concatenate(labels)),
        torch.tensor(lengths),
        torch.tensor([len(row) for row in labels]),
        reduction="sum",
    )
    (theirs / batch).backward()
    assert ours == pytest.approx(theirs.item() / batch, rel=1e-10)
    np.testing.assert_allclose(slopes, logits.grad.numpy(), atol=1e-10)
