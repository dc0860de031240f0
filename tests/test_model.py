"""Models: the training loop against one written out by hand, and the ways data come in.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit import registry
from seqkit.errors import ConfigError, DTypeError, NonFiniteError, NotBuiltError, ShapeError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.model import Sequential
from seqkit.training.losses import MeanSquaredError
from seqkit.training.optimizers import SGD

S, T, F = 7, 5, 3
LENGTHS = np.array([2, 5, 0, 1, 4, 3, 5])

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]
TallyType = Callable[..., Any]


def sequences() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=(length, F)) for length in LENGTHS]


def padded(rows: list[np.ndarray], fill: float = np.nan) -> np.ndarray:
    array = np.full((len(rows), T, *rows[0].shape[1:]), fill)
    for target, row in zip(array, rows, strict=True):
        target[: len(row)] = row
    return array


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


def test_gradients_through_all_layers(tally: TallyType, slope: Slope) -> None:
    m = model(Embedding(6, F), tally(True), Dense(4, "tanh"), Dropout(0.0), LastStep(), Dense(2)).build()
    ids = np.random.default_rng(2).integers(0, 6, size=(S, T))
    w = np.random.default_rng(3).normal(size=(S, 2))
    _, caches = m.forward(ids, LENGTHS)
    assert m.backward(w, caches) is None
    with m.params.editing() as arrays:
        for name, array in arrays.items():
            numeric = slope(lambda: float((w * m.forward(ids, LENGTHS)[0]).sum()), array)
            np.testing.assert_allclose(m.grads[name], numeric, atol=1e-7, err_msg=name)


def test_gradient_of_the_input(tally: TallyType, slope: Slope) -> None:
    m = model(tally(True), Dense(2)).build(F)
    x = padded(sequences(), 0.0)
    y, caches = m.forward(x, LENGTHS)
    dx = m.backward(np.ones_like(y), caches, input_grad=True)
    np.testing.assert_allclose(dx, slope(lambda: float(m.forward(x, LENGTHS)[0].sum()), x), atol=1e-8)


class TestData:
    """The same sequences as a list, and padded with NaN beside lengths."""

    @pytest.mark.parametrize("return_sequences", [True, False])
    def test_list_and_padded_array_train_alike(self, tally: TallyType, return_sequences: bool) -> None:
        rows, rng = sequences(), np.random.default_rng(4)
        steps = [rng.normal(size=(length, 2)) for length in LENGTHS]
        targets = (steps, padded(steps)) if return_sequences else (rng.normal(size=(S, 2)),) * 2
        listed, array = (model(tally(return_sequences), Dense(2)) for _ in range(2))
        one = listed.fit(rows, targets[0], batch_size=2, epochs=3)
        two = array.fit(padded(rows), targets[1], batch_size=2, epochs=3, lengths=LENGTHS)
        assert one.history == two.history
        for name in listed.params:
            np.testing.assert_array_equal(listed.params[name], array.params[name])
        assert np.isfinite(one.history["loss"]).all()

    def test_loss_is_the_mean_over_valid_steps(self, tally: TallyType) -> None:
        rows, rng = sequences(), np.random.default_rng(4)
        steps = [rng.normal(size=(length, 1)) for length in LENGTHS]
        weights = [rng.uniform(size=length) for length in LENGTHS]
        m = model(tally(True), Dense(1)).build(F)
        outputs = m.predict(rows)
        assert [len(output) for output in outputs] == LENGTHS.tolist()
        squares = [(output - step)[:, 0] ** 2 for output, step in zip(outputs, steps, strict=True)]
        plain = sum(s.sum() for s in squares) / LENGTHS.sum()
        weighted = sum((s * w).sum() for s, w in zip(squares, weights, strict=True)) / LENGTHS.sum()
        assert m.evaluate(rows, steps, batch_size=2) == pytest.approx(plain, rel=1e-12)
        assert m.evaluate(rows, [step[:, 0] for step in steps], batch_size=3) == pytest.approx(plain, rel=1e-12)
        assert m.evaluate(rows, steps, sample_weight=weights) == pytest.approx(weighted, rel=1e-12)

    @pytest.mark.parametrize("return_sequences", [True, False])
    def test_predictions_do_not_depend_on_the_batch(self, tally: TallyType, return_sequences: bool) -> None:
        m = model(tally(return_sequences), Dense(33, "tanh"), Dense(2, "softmax"), dtype="float32").build(F)
        rows = sequences()
        whole = m.predict(rows)
        for size in (1, 2, 3, 100):
            for expected, other in zip(whole, m.predict(rows, batch_size=size), strict=True):
                np.testing.assert_array_equal(expected, other)
        array = m.predict(padded(rows), batch_size=4, lengths=LENGTHS)
        for expected, other, length in zip(whole, array, LENGTHS, strict=True):
            np.testing.assert_array_equal(expected, other[:length] if return_sequences else other)
            if return_sequences:
                assert (other[length:] == 0).all()

    def test_ids(self, tally: TallyType) -> None:
        rows = [np.array([1, 4, 2]), np.array([3]), np.array([0, 5])]
        m = model(Embedding(6, F), tally())
        assert m.built  # it needs no data
        y = m.predict(rows, batch_size=2)
        table, w = m.params["0.weight"], m.params["1.weight"]
        np.testing.assert_allclose(y, [w * table[row].sum(axis=0) for row in rows], rtol=1e-12)
        array = np.array([[1, 4, 2], [3, -1, -1], [0, 5, 99]])
        np.testing.assert_array_equal(m.predict(array, lengths=[3, 1, 2]), y)
        m.fit(rows, np.zeros((3, F)), batch_size=2)

    def test_inputs_stay_as_they_are(self, tally: TallyType) -> None:
        x, y = padded(sequences()), np.ones((S, F))
        before = x.copy()
        model(tally()).fit(x, y, lengths=LENGTHS)
        np.testing.assert_array_equal(x, before)
        assert (y == 1).all()

    def test_no_samples(self, tally: TallyType) -> None:
        m = model(tally(), Dense(2)).build(F)
        assert m.predict(np.zeros((0, T, F))).shape == (0, 2)
        with pytest.raises(ConfigError, match="no samples to train on: there are 0"):
            m.fit(np.zeros((0, T, F)), np.zeros((0, 2)))

    def test_errors(self, tally: TallyType) -> None:
        m = model(tally(True), Dense(1)).build(F)
        rows = sequences()
        with pytest.raises(ShapeError, match="y has 6 samples but x has 7"):
            m.fit(padded(rows), np.zeros((6, T)), lengths=LENGTHS)
        with pytest.raises(ShapeError, match=r"y\[1\] has 4 steps but x\[1\] has 5"):
            m.fit(rows, [np.zeros((2, 1)), np.zeros((4, 1)), *rows[2:]])
        with pytest.raises(ConfigError, match="leave lengths out"):
            m.predict(rows, lengths=LENGTHS)
        with pytest.raises(ShapeError, match=r"lengths\[1\] is 6, expected 0 to 5"):
            m.predict(padded(rows), lengths=[1, 6, 1, 1, 1, 1, 1])
        with pytest.raises(ShapeError, match=r"series\[None, :, None\]"):
            m.predict(np.zeros(4))
        with pytest.raises(ShapeError, match="neither a rectangular array nor a list of sequences"):
            m.fit(padded(rows), [[1.0], [1.0, 2.0]], lengths=LENGTHS)
        with pytest.raises(ShapeError, match="equal features"):
            m.predict([np.zeros((2, F)), np.zeros((2, F + 1))])
        with pytest.raises(ShapeError, match=r"y has shape \(7,\) but the model's output has \(7, 5, 1\)"):
            m.fit(padded(rows, 0.0), np.zeros(S))
        with pytest.raises(DTypeError, match="real numbers"):
            model(Dense(1)).fit(np.array([["a"], ["b"]]), [0, 1])


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

    def test_data(self, tally: TallyType) -> None:
        rows, steps = sequences(), [np.ones((length, 1)) for length in LENGTHS]
        weight = np.arange(S, dtype=float)
        m = model(tally(True), Dense(1))
        full = (padded(rows), padded(steps), weight, LENGTHS)
        history = m.fit(rows, steps, validation_data=full, validation_split=0.9)
        assert history.history["val_loss"] == [m.evaluate(*full[:2], sample_weight=weight, lengths=LENGTHS)]
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
        self.failing(model(Dense(1)), np.ones((S, F)), y, r"epoch 1, batch 2: .* are in y or sample_weight\.")

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

    def test_padding_is_not_looked_at(self, tally: TallyType) -> None:
        x = padded(sequences(), np.inf)
        x[1, 3] = np.nan  # inside: length 5
        y = np.ones((S, F))
        with pytest.raises(NonFiniteError, match=r"batch 1: .* are in x\."):
            model(tally()).fit(x, y, lengths=LENGTHS, shuffle=False)
        x[1, 3], y[0] = 0.0, np.nan
        with pytest.raises(NonFiniteError, match=r"batch 1: .* are in y or sample_weight\."):
            model(tally()).fit(x, y, lengths=LENGTHS, shuffle=False)


class TestBuilding:
    def test_builds_when_the_size_is_known(self, tally: TallyType) -> None:
        m = Sequential()
        m.add(tally(True, input_shape=(T, F)))
        assert m.layers[0].built
        m.add(Dense(2))
        m.add(Dense(1))
        assert {name: array.shape for name, array in m.params.items()} == {
            "0.weight": (F,),
            "1.weight": (2, F),
            "1.bias": (2,),
            "2.weight": (1, 2),
            "2.bias": (1,),
        }
        assert set(m.grads) == set(m.params)

    def test_builds_on_data(self) -> None:
        m = Sequential([Dense(2), Dense(1)])
        assert not m.built
        for read in (lambda: m.params, lambda: m.grads, m.build, m.summary, lambda: m.forward(np.ones((1, 2)))):
            with pytest.raises(NotBuiltError, match="sequential: "):
                read()
        assert m.predict(np.ones((3, 4))).shape == (3, 1)
        assert m.params["0.weight"].dtype == np.float32

    def test_dtype(self) -> None:
        assert Sequential([Dense(1, input_shape=(2,))], dtype="float64").params["0.weight"].dtype == np.float64
        assert Sequential([Dense(1)]).build(2, dtype="float64").predict(np.ones((1, 2))).dtype == np.float64

    def test_seed(self) -> None:
        def weights(**options: Any) -> np.ndarray:
            m = Sequential([Dense(2, input_shape=(2,)), Dense(2)], **options)
            return np.stack([m.params["0.weight"], m.params["1.weight"]])

        np.testing.assert_array_equal(weights(seed=1), weights(seed=1))
        assert (weights(seed=1) != weights(seed=2)).all()
        assert (weights() != weights()).all()
        assert (weights(seed=1)[0] != weights(seed=1)[1]).all()  # every layer has its own
        built = Sequential([Dense(2)]).build(2, seed=4)
        np.testing.assert_array_equal(
            built.params["0.weight"], Sequential([Dense(2)]).build(2, seed=4).params["0.weight"]
        )
        with pytest.raises(ConfigError, match="the seed would have no effect"):
            built.build(2, seed=4)

    def test_a_failing_add_changes_nothing(self) -> None:
        m = Sequential([Dense(2, input_shape=(3,))])
        dense = Dense(1).build(5)
        with pytest.raises(ConfigError, match="already built for 5 features"):
            m.add(dense)
        with pytest.raises(ConfigError, match="a layer was expected, got 'dense'"):
            m.add("dense")
        with pytest.raises(ConfigError, match="in the model already"):
            m.add(m.layers[0])
        assert len(m.layers) == 1
        with pytest.raises(ConfigError, match="the model has no layers"):
            Sequential().build(3)

    def test_vectors_into_a_layer_for_sequences(self, tally: TallyType) -> None:
        m = Sequential([tally(), LastStep()]).build(F)
        with pytest.raises(ShapeError, match=r"Layer 0 \(tally\) gives one vector .* return_sequences=True"):
            m.predict(np.ones((1, T, F)))

    def test_summary(self, tally: TallyType, capsys: pytest.CaptureFixture[str]) -> None:
        m = Sequential([Embedding(1000, 8), Dropout(0.5), tally(), Dense(2)])
        text = m.summary()
        assert text.splitlines() == [
            "layer         output             parameters",
            "0 embedding   (batch, time, 8)        8,000",
            "1 dropout     (batch, time, 8)            0",
            "2 tally       (batch, 8)                  8",
            "3 dense       (batch, 2)                 18",
            "total                                 8,026",
        ]
        assert capsys.readouterr().out == text + "\n"
        assert "(batch, ..., 2)" in Sequential([Dense(2)]).build(3).summary()
        assert "(batch, time, 2)" in Sequential([Dense(2, input_shape=(None, 3))]).summary()

    def test_compile_errors(self) -> None:
        m = Sequential([Dense(1)])
        with pytest.raises(ConfigError, match="not compiled; call compile"):
            m.fit(np.ones((1, 1)), [1.0])
        with pytest.raises(ConfigError, match=r"compile needs a loss, one of .*mse"):
            m.compile("adam")
        with pytest.raises(ConfigError, match="no loss named"):
            m.compile(loss="nothing")
        for wrong in ({"epochs": 0}, {"batch_size": 0}, {"batch_size": 2.0}, {"verbose": 3}):
            m.compile("adam", "mse")
            with pytest.raises(ConfigError, match=next(iter(wrong))):
                m.fit(np.ones((1, 1)), [1.0], **wrong)


class TestStreams:
    def test_step_equals_the_sequence(self, tally: TallyType) -> None:
        m = model(tally(True), Dense(4, "tanh"), tally(), Dense(2)).build(F)
        x = np.random.default_rng(8).normal(size=(S, T, F))
        state = None
        for t in range(T):
            y_t, state = m.step(x[:, t], state)
            np.testing.assert_allclose(y_t, m.predict(x[:, : t + 1]), rtol=1e-12)
        assert len(state) == 4

    def test_step_of_ids(self, tally: TallyType) -> None:
        m = model(Embedding(5, 2), tally())
        state = None
        for t, ids in enumerate(([1, 2], [3, 4], [0, 1])):
            y_t, state = m.step(ids, state)
            np.testing.assert_allclose(y_t, m.predict(np.array([[1, 3, 0], [2, 4, 1]])[:, : t + 1]), rtol=1e-12)


class TestStateful:
    def test_batches_go_on_where_the_last_ended(self, tally: TallyType) -> None:
        m = model(tally(stateful=True)).build(F)
        x = np.random.default_rng(8).normal(size=(6, T, F))
        y = m.predict(x, batch_size=2)
        w = m.params["0.weight"]
        for row in range(6):
            total = sum(x[earlier].sum(axis=0) for earlier in range(row % 2, row + 1, 2))
            np.testing.assert_allclose(y[row], w * total, rtol=1e-12)
        m.reset_states()
        np.testing.assert_array_equal(m.predict(x, batch_size=2), y)

    def test_errors(self, tally: TallyType) -> None:
        m = model(tally(stateful=True)).build(F)
        x, y = np.ones((6, T, F)), np.ones((6, F))
        with pytest.raises(ConfigError, match="set shuffle=False"):
            m.fit(x, y, batch_size=2)
        with pytest.raises(ConfigError, match="6 samples are not a multiple of batch_size=4"):
            m.fit(x, y, batch_size=4, shuffle=False)
        with pytest.raises(ConfigError, match="6 samples are not a multiple of batch_size=4"):
            m.predict(x, batch_size=4)
        m.fit(x, y, batch_size=3, shuffle=False)


class TestRecurrentModels:
    """The same things with real recurrent layers."""

    def test_first_program(self) -> None:
        """The program everybody starts with."""
        from seqkit import LSTM, Dense, Sequential

        timesteps, features = 10, 2
        rng = np.random.default_rng(0)
        X = rng.normal(size=(320, timesteps, features))
        y = X[:, -3:, 0].sum(axis=1)

        model = Sequential(seed=1)
        model.add(LSTM(50, input_shape=(timesteps, features)))
        model.add(Dense(1))
        model.compile(optimizer="adam", loss="mse")
        history = model.fit(X, y, epochs=20, verbose=0)

        assert model.layers[0].built
        assert len(history.history["loss"]) == 20
        assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
        assert model.predict(X, verbose=0).shape == (320, 1)
        assert model.evaluate(X, y, verbose=0) < history.history["loss"][0]

    @pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "simple_rnn"])
    def test_one_step_of_gradient_descent(self, name: str, slope: Slope) -> None:
        recurrent = registry.create(name, 3, return_sequences=True)
        m = model(recurrent, Dense(2, "tanh"), LastStep(), Dense(1), optimizer=SGD(0.5)).build(F)
        y, weight = np.arange(S) / S, np.random.default_rng(1).uniform(size=S)
        options = {"sample_weight": weight, "lengths": LENGTHS}
        x = padded(sequences())
        before = {key: array.copy() for key, array in m.params.items()}

        def loss() -> float:
            with m.params.editing():  # the values have changed
                pass
            return m.evaluate(x, y, **options)

        with m.params.editing() as arrays:
            gradients = {key: slope(loss, array) for key, array in arrays.items()}
        m.fit(x, y, batch_size=S, **options)
        for key, array in m.params.items():
            np.testing.assert_allclose(array, before[key] - 0.5 * gradients[key], atol=1e-9, err_msg=key)
            assert (array != before[key]).any()

    @pytest.mark.parametrize("merge", ["concat", "sum"])
    def test_lists_batches_streams_and_files(self, merge: str, tmp_path: Path) -> None:
        def stacked() -> Sequential:
            both = registry.create("bidirectional", registry.create("gru", 5, return_sequences=True), merge)
            return model(both, registry.create("lstm", 20), Dense(3, "softmax"), dtype="float32", loss="mae")

        rows, y = sequences(), np.random.default_rng(2).dirichlet(np.ones(3), size=S)
        listed, array = stacked(), stacked()
        one = listed.fit(rows, y, batch_size=3, epochs=2)
        two = array.fit(padded(rows), y, batch_size=3, epochs=2, lengths=LENGTHS)
        assert one.history == two.history
        expected = listed.predict(rows)
        for size in (1, 2, 5):
            np.testing.assert_array_equal(listed.predict(rows, batch_size=size), expected)
            np.testing.assert_array_equal(array.predict(padded(rows), batch_size=size, lengths=LENGTHS), expected)
        listed.save(tmp_path / "model")
        again = Sequential.load(tmp_path / "model")
        np.testing.assert_array_equal(again.predict(rows), expected)
        for m in (listed, again):
            m.fit(rows, y, shuffle=False)
        for key, values in listed.params.items():
            np.testing.assert_array_equal(again.params[key], values)

    def test_step_equals_the_sequence(self) -> None:
        m = model(registry.create("lstm", 6, return_sequences=True), registry.create("gru", 4), Dense(2)).build(F)
        x, state = np.random.default_rng(8).normal(size=(S, T, F)), None
        for t in range(T):
            y_t, state = m.step(x[:, t], state)
            np.testing.assert_array_equal(y_t, m.predict(x[:, : t + 1]))

    def test_stateful_batches_make_one_long_sequence(self) -> None:
        carried = model(registry.create("lstm", 4, stateful=True)).build(F)
        whole = model(registry.create("lstm", 4)).build(F)
        for key, array in carried.params.items():
            whole.params[key] = array
        x = np.random.default_rng(8).normal(size=(2, 3 * T, F))
        parts = np.concatenate(np.split(x, 3, axis=1))  # (6, T, F)
        for _ in range(2):
            np.testing.assert_array_equal(carried.predict(parts, batch_size=2)[4:], whole.predict(x))
            carried.reset_states()

    def test_forgotten_return_sequences(self) -> None:
        m = Sequential([registry.create("lstm", 4), registry.create("gru", 4)]).build(F)
        with pytest.raises(ShapeError, match=r"gru: .* Layer 0 \(lstm\) gives one vector .* return_sequences=True"):
            m.predict(np.ones((2, T, F)))
