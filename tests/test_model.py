"""Models: layers together, data in every shape, streams.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConfigError, DTypeError, NotBuiltError, ShapeError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.model import Sequential

S, T, F = 7, 5, 3

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]
TallyType = Callable[..., Any]


def model(*layers: Any, optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> Sequential:
    made = Sequential(layers, **{"seed": 0, "dtype": "float64", **options})
    made.compile(optimizer=optimizer, loss=loss)
    return made


def test_gradients_through_all_layers(tally: TallyType, slope: Slope, ragged: Any) -> None:
    m = model(Embedding(6, F), tally(True), Dense(4, "tanh"), Dropout(0.0), LastStep(), Dense(2)).build()
    ids = np.random.default_rng(2).integers(0, 6, size=(S, T))
    w = np.random.default_rng(3).normal(size=(S, 2))
    _, caches = m.forward(ids, ragged.lengths)
    assert m.backward(w, caches) is None
    with m.params.editing() as arrays:
        for name, array in arrays.items():
            numeric = slope(lambda: float((w * m.forward(ids, ragged.lengths)[0]).sum()), array)
            np.testing.assert_allclose(m.grads[name], numeric, atol=1e-7, err_msg=name)


def test_gradient_of_the_input(tally: TallyType, slope: Slope, ragged: Any) -> None:
    m = model(tally(True), Dense(2)).build(F)
    x = ragged.pad(ragged.rows, 0.0)
    y, caches = m.forward(x, ragged.lengths)
    dx = m.backward(np.ones_like(y), caches, input_grad=True)
    np.testing.assert_allclose(dx, slope(lambda: float(m.forward(x, ragged.lengths)[0].sum()), x), atol=1e-8)


class TestData:
    """The same sequences as a list, and padded with NaN beside lengths."""

    @pytest.mark.parametrize("return_sequences", [True, False])
    def test_list_and_padded_array_train_alike(self, tally: TallyType, return_sequences: bool, ragged: Any) -> None:
        rows, rng = ragged.rows, np.random.default_rng(4)
        steps = [rng.normal(size=(length, 2)) for length in ragged.lengths]
        targets = (steps, ragged.pad(steps)) if return_sequences else (rng.normal(size=(S, 2)),) * 2
        listed, array = (model(tally(return_sequences), Dense(2)) for _ in range(2))
        one = listed.fit(rows, targets[0], batch_size=2, epochs=3)
        two = array.fit(ragged.pad(rows), targets[1], batch_size=2, epochs=3, lengths=ragged.lengths)
        assert one.history == two.history
        for name in listed.params:
            np.testing.assert_array_equal(listed.params[name], array.params[name])
        assert np.isfinite(one.history["loss"]).all()

    def test_loss_is_the_mean_over_valid_steps(self, tally: TallyType, ragged: Any) -> None:
        rows, rng = ragged.rows, np.random.default_rng(4)
        steps = [rng.normal(size=(length, 1)) for length in ragged.lengths]
        weights = [rng.uniform(size=length) for length in ragged.lengths]
        m = model(tally(True), Dense(1)).build(F)
        outputs = m.predict(rows)
        assert [len(output) for output in outputs] == ragged.lengths.tolist()
        squares = [(output - step)[:, 0] ** 2 for output, step in zip(outputs, steps, strict=True)]
        plain = sum(s.sum() for s in squares) / ragged.lengths.sum()
        weighted = sum((s * w).sum() for s, w in zip(squares, weights, strict=True)) / ragged.lengths.sum()
        assert m.evaluate(rows, steps, batch_size=2) == pytest.approx(plain, rel=1e-12)
        assert m.evaluate(rows, [step[:, 0] for step in steps], batch_size=3) == pytest.approx(plain, rel=1e-12)
        assert m.evaluate(rows, steps, sample_weight=weights) == pytest.approx(weighted, rel=1e-12)

    @pytest.mark.parametrize("return_sequences", [True, False])
    def test_predictions_do_not_depend_on_the_batch(
        self, tally: TallyType, return_sequences: bool, ragged: Any
    ) -> None:
        m = model(tally(return_sequences), Dense(33, "tanh"), Dense(2, "softmax"), dtype="float32").build(F)
        rows = ragged.rows
        whole = m.predict(rows)
        for size in (1, 2, 3, 100):
            for expected, other in zip(whole, m.predict(rows, batch_size=size), strict=True):
                np.testing.assert_array_equal(expected, other)
        array = m.predict(ragged.pad(rows), batch_size=4, lengths=ragged.lengths)
        for expected, other, length in zip(whole, array, ragged.lengths, strict=True):
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

    def test_inputs_stay_as_they_are(self, tally: TallyType, ragged: Any) -> None:
        x, y = ragged.pad(ragged.rows), np.ones((S, F))
        before = x.copy()
        model(tally()).fit(x, y, lengths=ragged.lengths)
        np.testing.assert_array_equal(x, before)
        assert (y == 1).all()

    def test_no_samples(self, tally: TallyType) -> None:
        m = model(tally(), Dense(2)).build(F)
        assert m.predict(np.zeros((0, T, F))).shape == (0, 2)
        with pytest.raises(ConfigError, match="no samples to train on: there are 0"):
            m.fit(np.zeros((0, T, F)), np.zeros((0, 2)))

    def test_errors(self, tally: TallyType, ragged: Any) -> None:
        m = model(tally(True), Dense(1)).build(F)
        rows = ragged.rows
        with pytest.raises(ShapeError, match="y has 6 samples but x has 7"):
            m.fit(ragged.pad(rows), np.zeros((6, T)), lengths=ragged.lengths)
        with pytest.raises(ShapeError, match=r"y\[1\] has 4 steps but x\[1\] has 5"):
            m.fit(rows, [np.zeros((2, 1)), np.zeros((4, 1)), *rows[2:]])
        with pytest.raises(ConfigError, match="leave lengths out"):
            m.predict(rows, lengths=ragged.lengths)
        with pytest.raises(ShapeError, match=r"lengths\[1\] is 6, expected 0 to 5"):
            m.predict(ragged.pad(rows), lengths=[1, 6, 1, 1, 1, 1, 1])
        with pytest.raises(ShapeError, match=r"series\[None, :, None\]"):
            m.predict(np.zeros(4))
        with pytest.raises(ShapeError, match="neither a rectangular array nor a list of sequences"):
            m.fit(ragged.pad(rows), [[1.0], [1.0, 2.0]], lengths=ragged.lengths)
        with pytest.raises(ShapeError, match="equal features"):
            m.predict([np.zeros((2, F)), np.zeros((2, F + 1))])
        with pytest.raises(ShapeError, match=r"y has shape \(7,\) but the model's output has \(7, 5, 1\)"):
            m.fit(ragged.pad(rows, 0.0), np.zeros(S))
        with pytest.raises(DTypeError, match="real numbers"):
            model(Dense(1)).fit(np.array([["a"], ["b"]]), [0, 1])


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
