"""Training: the loop against one written out by hand, its order, its reports and its stops.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConfigError, NonFiniteError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.model import Sequential
from seqkit.training.losses import MeanSquaredError
from seqkit.training.optimizers import SGD

S, F = 7, 3

TallyType = Callable[..., Any]


def model(*layers: Any, optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> Sequential:
    made = Sequential(layers, **{"seed": 0, "dtype": "float64", **options})
    made.compile(optimizer=optimizer, loss=loss)
    return made


class Recorder(MeanSquaredError):
    """A loss that remembers the targets of every batch."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def __call__(self, y_true: Any, *others: Any) -> Any:
        self.batches.append(np.ravel(y_true).tolist())
        return super().__call__(y_true, *others)


def test_fit_by_hand() -> None:
    """Linear regression by stochastic gradient descent, written out."""
    rng = np.random.default_rng(1)
    x, y, weight = rng.normal(size=(S, F)), rng.normal(size=S), rng.uniform(size=S)
    m = model(Dense(1), optimizer=SGD(0.1)).build(F)
    w, b = m.params["0.weight"][0].copy(), 0.0
    expected_losses = []
    for _ in range(3):
        total = 0.0
        for start in (0, 3, 6):  # batches of 3, 3 and 1
            rows = range(start, min(start + 3, S))
            errors = {n: sum(w * x[n]) + b - y[n] for n in rows}
            total += sum(weight[n] * errors[n] ** 2 for n in rows)
            w = w - 0.1 * sum(2 * weight[n] * errors[n] * x[n] for n in rows) / len(rows)
            b = b - 0.1 * sum(2 * weight[n] * errors[n] for n in rows) / len(rows)
        expected_losses.append(total / S)
    history = m.fit(x, y, batch_size=3, epochs=3, shuffle=False, sample_weight=weight)
    np.testing.assert_allclose(m.params["0.weight"], [w], rtol=1e-12)
    np.testing.assert_allclose(m.params["0.bias"], [b], rtol=1e-12)
    np.testing.assert_allclose(history.history["loss"], expected_losses, rtol=1e-12)
    assert history.epoch == [0, 1, 2]
    assert m.history is history


class TestOrder:
    def batches(self, **options: Any) -> list[list[float]]:
        recorder = Recorder()
        m = model(Dense(1), loss=recorder, **{key: options.pop(key) for key in ("seed",) if key in options})
        m.fit(np.ones((S, F)), np.arange(S), batch_size=3, epochs=2, **options)
        return recorder.batches

    def test_every_epoch_sees_every_sample_in_a_new_order(self) -> None:
        batches = self.batches()
        assert [len(batch) for batch in batches] == [3, 3, 1] * 2
        first, second = np.concatenate(batches[:3]).tolist(), np.concatenate(batches[3:]).tolist()
        assert sorted(first) == sorted(second) == list(range(S))
        assert first != second
        assert first != list(range(S))

    def test_without_shuffle(self) -> None:
        assert self.batches(shuffle=False) == [[0, 1, 2], [3, 4, 5], [6]] * 2

    def test_seeds(self) -> None:
        assert self.batches() == self.batches()
        assert self.batches(seed=1) != self.batches(seed=2)

    def test_seed_of_fit(self) -> None:
        x, y = np.random.default_rng(0).normal(size=(S, F)), np.arange(S)
        one, two, other = (Sequential([Dropout(0.5), Dense(1)]) for _ in range(3))
        for m, seed in ((one, 5), (two, 5), (other, 6)):
            m.compile("sgd", "mse")
            m.fit(x, y, seed=seed, epochs=2, batch_size=2)
        np.testing.assert_array_equal(one.params["1.weight"], two.params["1.weight"])
        assert (one.params["1.weight"] != other.params["1.weight"]).all()


class TestValidation:
    x, y = np.random.default_rng(5).normal(size=(S, F)), np.arange(S, dtype=float)

    def test_dropout_rests(self) -> None:
        m = model(Dropout(0.5), Dense(1)).build(F)
        expected = ((m.params["1.weight"] * self.x).sum(axis=1) - self.y) ** 2
        assert m.evaluate(self.x, self.y) == pytest.approx(expected.mean(), rel=1e-12)

    @pytest.mark.parametrize(("split", "kept"), [(0.25, 5), (0.5, 3), (0.1, 6)])
    def test_split_holds_out_the_last_samples(self, split: float, kept: int) -> None:
        recorder = Recorder()
        m = model(Dense(1), loss=recorder)
        history = m.fit(self.x, self.y, validation_split=split, batch_size=10)
        trained, measured = recorder.batches
        assert sorted(trained) == list(range(kept))
        assert measured == list(range(kept, S))
        assert history.history["val_loss"] == [m.evaluate(self.x[kept:], self.y[kept:])]

    def test_data(self, tally: TallyType, ragged: Any) -> None:
        rows, steps = ragged.rows, [np.ones((length, 1)) for length in ragged.lengths]
        weight = np.arange(S, dtype=float)
        m = model(tally(True), Dense(1))
        full = (ragged.pad(rows), ragged.pad(steps), weight, ragged.lengths)
        history = m.fit(rows, steps, validation_data=full, validation_split=0.9)
        assert history.history["val_loss"] == [m.evaluate(*full[:2], sample_weight=weight, lengths=ragged.lengths)]
        history = m.fit(rows, steps, validation_data=(rows, steps))
        assert history.history["val_loss"] == [m.evaluate(rows, steps)]

    def test_errors(self) -> None:
        for split in (1.0, -0.1):
            with pytest.raises(ConfigError, match="validation_split must be a number of at least 0 and below 1"):
                model(Dense(1)).fit(self.x, self.y, validation_split=split)
        with pytest.raises(ConfigError, match=r"no samples to train on: there are 7 and validation_split is 0.9"):
            model(Dense(1)).fit(self.x, self.y, validation_split=0.9)


class TestMetricsAndProgress:
    x = np.random.default_rng(6).normal(size=(S, F))
    y = np.array([0, 1, 2, 0, 1, 2, 0])

    def model(self) -> Sequential:
        m = Sequential([Dense(3, "softmax")], seed=0)
        m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return m

    def test_history_and_evaluate(self) -> None:
        m = self.model()
        history = m.fit(self.x, self.y, epochs=2, batch_size=2, validation_split=0.3)
        assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
        loss, accuracy = m.evaluate(self.x, self.y, batch_size=3, verbose=0)
        assert accuracy == (m.predict(self.x, verbose=0).argmax(axis=1) == self.y).mean()
        assert loss == pytest.approx(-np.log(m.predict(self.x)[np.arange(S), self.y]).mean(), rel=1e-6)

    def test_callbacks_see_the_results_and_can_stop(self) -> None:
        class Stop:
            def __init__(self, last: int) -> None:
                self.last, self.seen = last, []

            def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> bool:
                self.seen.append((epoch, logs["loss"]))
                return epoch == self.last

        first, second = Stop(9), Stop(1)
        history = self.model().fit(self.x, self.y, epochs=5, callbacks=[second, first])
        assert first.seen == second.seen == list(enumerate(history.history["loss"]))
        assert history.epoch == [0, 1]

    @pytest.mark.parametrize("verbose", ["auto", 0, 1, 2])
    def test_one_line_per_epoch(self, verbose: str | int, capsys: pytest.CaptureFixture[str]) -> None:
        history = self.model().fit(self.x, self.y, epochs=2, verbose=verbose)
        out, err = capsys.readouterr()
        assert out == ""
        lines = err.splitlines()
        assert len(lines) == (2 if verbose in (1, 2) else 0)
        for number, line in enumerate(lines):
            assert line.startswith(f"Epoch {number + 1}/2 - 0.")
            assert line.endswith(
                f" - loss: {history.history['loss'][number]:.4g} - accuracy: {history.history['accuracy'][number]:.4g}"
            )

    def test_auto_writes_in_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        self.model().fit(self.x, self.y)
        assert "Epoch 1/1" in capsys.readouterr().err


class TestNonFinite:
    def failing(self, m: Sequential, x: Any, y: Any, match: str, **options: Any) -> None:
        seen: list[dict[str, np.ndarray]] = []
        update = m.optimizer.step

        def step(params: Any, grads: Any) -> None:
            update(params, grads)
            seen.append({name: array.copy() for name, array in params.items()})

        m.optimizer.step = step  # type: ignore[method-assign]
        with pytest.raises(NonFiniteError, match=match):
            m.fit(x, y, shuffle=False, batch_size=2, epochs=3, **options)
        for name, array in m.params.items():
            np.testing.assert_array_equal(array, seen[-1][name])
            assert np.isfinite(array).all()

    def test_nan_in_x(self) -> None:
        x = np.ones((S, F))
        x[5, 1] = np.nan
        self.failing(model(Dense(1)), x, np.ones(S), r"epoch 1, batch 3: the loss is nan; .* are in x\.")

    def test_nan_in_y(self) -> None:
        y = np.ones(S)
        y[2] = np.nan
        self.failing(model(Dense(1)), np.ones((S, F)), y, r"epoch 1, batch 2: .* are in y\.")

    def test_output_overflows(self) -> None:
        m = model(Dense(1, use_bias=False), Dense(1), dtype="float32").build(1)
        m.params["0.weight"], m.params["1.weight"] = [[1e30]], [[1e30]]
        x = np.array([[0.0], [0.0], [1.0]])
        self.failing(m, x, np.ones(3), r"epoch 1, batch 2: the loss is inf; .* are in the output\.")

    def test_gradient(self) -> None:
        m = model(Dense(1, use_bias=False), dtype="float32").build(1)
        m.params["0.weight"] = [[0.1]]
        x = np.array([[0.0], [0.0], [1e20]])  # the square of 1e19 is finite, 1e19 * 1e20 is not
        self.failing(m, x, np.ones(3), r"epoch 1, batch 2: a gradient is not finite; .* are in 0\.weight\.")

    def test_diverging(self) -> None:
        rng = np.random.default_rng(0)
        m = model(Dense(4, "tanh"), Dense(1), optimizer=SGD(1e9), dtype="float32")
        x, y = rng.normal(size=(S, F)), rng.normal(size=S) * 1e3
        self.failing(m, x, y, r"epoch \d, batch \d: .* Lower learning_rate")

    def test_nan_parameter_is_named(self) -> None:
        m = model(Dense(2), Dense(1)).build(F)
        m.params["1.bias"] = [np.nan]
        with pytest.raises(NonFiniteError, match=r"the loss is nan; .* are in 1\.bias\."):
            m.fit(np.ones((S, F)), np.ones(S))

    def test_padding_is_not_looked_at(self, tally: TallyType, ragged: Any) -> None:
        x = ragged.pad(ragged.rows, np.inf)
        x[1, 3] = np.nan  # inside: length 5
        y = np.ones((S, F))
        with pytest.raises(NonFiniteError, match=r"batch 1: .* are in x\."):
            model(tally()).fit(x, y, lengths=ragged.lengths, shuffle=False)
        x[1, 3], y[0] = 0.0, np.nan
        with pytest.raises(NonFiniteError, match=r"batch 1: .* are in y\."):
            model(tally()).fit(x, y, lengths=ragged.lengths, shuffle=False)
