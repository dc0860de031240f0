"""Options of `fit`: accumulation, class weights, numbers of epochs, losses with parameters, where NaN began.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, LoadError, NonFiniteError
from seqkit.layers.dense import Dense
from seqkit.training.callbacks import Callback
from seqkit.training.optimizers import SGD

RNG = np.random.default_rng(9)
X = [RNG.normal(size=(length, 3)) for length in (4, 1, 7, 2, 5, 0, 3)]
STEPS = [RNG.normal(size=(len(row), 2)) for row in X]
VECTORS = RNG.normal(size=(len(X), 2))

TallyType = Callable[..., Any]


def make(sequences: bool, loss: Any = "mse", optimizer: Any = None) -> seqkit.Sequential:
    model = seqkit.Sequential([seqkit.GRU(4, return_sequences=sequences), Dense(2)], seed=0, dtype="float64")
    model.compile(optimizer or SGD(0.3), loss, ["r2"])
    return model


def weights(model: seqkit.Sequential) -> np.ndarray:
    return np.concatenate([array.ravel() for array in model.trainable.values()])


class TestAccumulation:
    @pytest.mark.parametrize("sequences", [True, False])
    @pytest.mark.parametrize(("batch", "accumulate"), [(1, 7), (2, 2), (3, 2), (1, 3), (2, 9)])
    def test_as_one_larger_batch(self, sequences: bool, batch: int, accumulate: int) -> None:
        """Batches have different numbers of valid steps, one has none."""
        y = STEPS if sequences else VECTORS
        one, two = make(sequences), make(sequences)
        a = one.fit(X, y, batch_size=batch, accumulate=accumulate, epochs=3, shuffle=False).history
        b = two.fit(X, y, batch_size=batch * accumulate, epochs=3, shuffle=False).history
        np.testing.assert_allclose(weights(one), weights(two), rtol=1e-10, atol=1e-12)
        for name, column in a.items():
            np.testing.assert_allclose(column, b[name], rtol=1e-10)
        assert one.optimizer.iterations == two.optimizer.iterations == 3 * -(-len(X) // (batch * accumulate))

    def test_with_weights_and_a_loss_that_learns(self) -> None:
        tags = [RNG.integers(0, 2, len(row)) for row in X]
        sample_weight = RNG.uniform(0.5, 2.0, len(X))
        models = []
        for batch, accumulate in ((2, 2), (4, 1)):
            model = make(True, seqkit.CRF(2))
            model.compile(SGD(0.3), seqkit.CRF(2))
            model.fit(X, tags, batch, 2, accumulate=accumulate, shuffle=False, sample_weight=sample_weight)
            models.append(model)
        np.testing.assert_allclose(weights(models[0]), weights(models[1]), rtol=1e-5, atol=1e-6)  # the CRF is float32

    def test_the_loss_of_an_update_is_that_of_all_its_samples(self) -> None:
        class Losses(Callback):
            def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
                seen.append(logs["loss"])

        seen: list[float] = []
        model = make(True, optimizer=SGD(0.0))
        model.fit(X, STEPS, batch_size=2, accumulate=2, shuffle=False, callbacks=[Losses()])
        model.compile("sgd", "mse")
        assert seen == pytest.approx([model.evaluate(X[:4], STEPS[:4]), model.evaluate(X[4:], STEPS[4:])], rel=1e-12)


class TestClassWeights:
    x = RNG.normal(size=(10, 3))
    ids = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])

    def fitted(self, y: Any, loss: str, **options: Any) -> np.ndarray:
        units = 1 if loss == "binary_crossentropy" else 3
        model = seqkit.Sequential([Dense(units, "sigmoid" if units == 1 else "softmax")], seed=1, dtype="float64")
        model.compile(SGD(0.5), loss)
        model.fit(self.x, y, batch_size=4, epochs=2, shuffle=False, **options)
        return weights(model)

    @pytest.mark.parametrize("one_hot", [False, True])
    def test_are_weights_of_samples(self, one_hot: bool) -> None:
        loss, y = ("sparse_categorical_crossentropy", self.ids)
        if one_hot:
            loss, y = ("categorical_crossentropy", np.eye(3)[self.ids])
        own = RNG.uniform(0.5, 2.0, 10)
        table = np.array([0.2, 3.0, 1.0])  # class 2 is not in the dict
        expected = self.fitted(y, loss, sample_weight=table[self.ids] * own)
        given = self.fitted(y, loss, class_weight={1: 3.0, 0: 0.2, 7: 9.0}, sample_weight=own)
        np.testing.assert_allclose(given, expected, rtol=1e-12)

    def test_balanced(self) -> None:
        table = 10 / 3 / np.array([5.0, 3.0, 2.0])
        loss = "sparse_categorical_crossentropy"
        expected = self.fitted(self.ids, loss, sample_weight=table[self.ids])
        np.testing.assert_allclose(self.fitted(self.ids, loss, class_weight="balanced"), expected, rtol=1e-12)

    def test_one_output(self) -> None:
        y = (self.ids == 1).astype(float)
        expected = self.fitted(y, "binary_crossentropy", sample_weight=np.where(y == 1, 4.0, 1.0))
        for shape in ((10,), (10, 1)):
            given = self.fitted(y.reshape(shape), "binary_crossentropy", class_weight={1: 4.0})
            np.testing.assert_allclose(given, expected, rtol=1e-12)

    def test_steps_of_ragged_sequences(self) -> None:
        """Only valid steps count, whatever the padding holds."""
        ids = [RNG.integers(0, 3, len(row)) for row in X]
        every = np.concatenate(ids)
        table = len(every) / len(np.unique(every)) / np.maximum(np.bincount(every), 1)
        lengths = np.array([len(row) for row in X])
        padded = np.full((len(X), 7), 0)
        for target, row in zip(padded, ids, strict=True):
            target[: len(row)] = row
        x = np.full((len(X), 7, 3), np.nan)
        for target, row in zip(x, X, strict=True):
            target[: len(row)] = row
        results = []
        for data, options in (
            ((X, ids), {"sample_weight": [table[row] for row in ids]}),
            ((X, ids), {"class_weight": "balanced"}),
            ((x, padded), {"class_weight": "balanced", "lengths": lengths}),
        ):
            model = seqkit.Sequential([seqkit.GRU(4, return_sequences=True), Dense(3, "softmax")], 0, "float64")
            model.compile(SGD(0.3), "sparse_categorical_crossentropy")
            model.fit(*data, batch_size=3, epochs=2, shuffle=False, **options)
            results.append(weights(model))
        np.testing.assert_allclose(results[1], results[0], rtol=1e-10)
        np.testing.assert_allclose(results[2], results[0], rtol=1e-10)

    def test_not_in_the_validation(self) -> None:
        model = seqkit.Sequential([seqkit.GRU(4), Dense(2, "softmax")], seed=0, dtype="float64")
        model.compile(SGD(0.0), "sparse_categorical_crossentropy")
        y = np.array([0, 1, 1, 0, 1, 0, 1])
        history = model.fit(X, y, class_weight={1: 5.0}, validation_data=(X, y)).history
        assert history["val_loss"][0] == pytest.approx(model.evaluate(X, y), rel=1e-12)
        assert history["loss"][0] != pytest.approx(history["val_loss"][0], rel=1e-3)

    def test_wrong_ones(self) -> None:
        with pytest.raises(
            ConfigError, match="class_weight must be a dict of class to weight or 'balanced', got 'even'"
        ):
            self.fitted(self.ids, "sparse_categorical_crossentropy", class_weight="even")
        with pytest.raises(ConfigError, match="class_weight must be a positive number or 0, got -1"):
            self.fitted(self.ids, "sparse_categorical_crossentropy", class_weight={0: -1})


class TestEpochs:
    def test_initial_epoch(self) -> None:
        seen: list[int] = []

        class Watch(Callback):
            def on_epoch_begin(self, epoch: int) -> None:
                seen.append(epoch)

        history = make(False).fit(X, VECTORS, epochs=5, initial_epoch=3, callbacks=[Watch()])
        assert seen == history.epoch == [3, 4]
        assert len(history.history["loss"]) == 2

    def test_nothing_left_to_do(self) -> None:
        assert make(False).fit(X, VECTORS, epochs=2, initial_epoch=2).epoch == []
        for option in ({"initial_epoch": -1}, {"accumulate": 0}, {"epochs": 0}):
            with pytest.raises(ConfigError, match=f"{next(iter(option))} must be a positive integer"):
                make(False).fit(X, VECTORS, **option)


class TestLossWithParameters:
    tags: ClassVar = [RNG.integers(0, 2, len(row)) for row in X]

    def model(self) -> seqkit.Sequential:
        model = seqkit.Sequential([seqkit.GRU(4, return_sequences=True), Dense(2)], seed=0)
        model.compile("adam", seqkit.CRF(2))
        return model

    def test_they_learn(self) -> None:
        model = self.model()
        before = weights(model.build(3))
        history = model.fit(X, self.tags, epochs=30, batch_size=7).history
        names = [name for name in model.trainable if name.startswith("loss.")]
        assert names
        assert len(weights(model)) == len(before)
        for name in names:
            assert np.abs(model.trainable[name]).max() > 0.001
        assert history["loss"][-1] < history["loss"][0]
        assert not [name for name in model.params if name.startswith("loss.")]

    def test_gradients_are_those_of_one_update(self) -> None:
        grads = []
        for epochs in (1, 3):
            loss = seqkit.CRF(2)
            model = self.model()
            model.compile(SGD(0.0), loss)
            model.fit(X, self.tags, epochs=epochs, shuffle=False)
            grads.append(np.concatenate([grad.ravel() for grad in loss.grads.values()]))
        np.testing.assert_array_equal(grads[0], grads[1])

    def test_saved_and_resumed(self, tmp_path: Path) -> None:
        def train(epochs: int, folder: str, **options: Any) -> seqkit.Sequential:
            model = self.model()
            checkpoint = seqkit.Checkpoint(tmp_path / folder)
            model.fit(X, self.tags, batch_size=3, epochs=epochs, callbacks=[checkpoint], **options)
            return model

        whole = train(4, "a")
        train(2, "b")
        np.testing.assert_array_equal(weights(train(4, "b", resume=tmp_path / "b")), weights(whole))
        whole.save(tmp_path / "m.safetensors")
        again = seqkit.load(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(weights(again), weights(whole))
        for model in (whole, again):
            model.fit(X, self.tags, batch_size=3, shuffle=False)
        np.testing.assert_array_equal(weights(again), weights(whole))

    def test_a_loss_of_another_size(self, tmp_path: Path) -> None:
        model = self.model()
        model.fit(X, self.tags)
        model.save(tmp_path / "m.safetensors")
        description, arrays = seqkit.checkpoint.read(tmp_path / "m.safetensors")
        arrays["loss.transitions"] = np.zeros((5, 5), arrays["loss.transitions"].dtype)
        seqkit.checkpoint.write(tmp_path / "m.safetensors", description, arrays)
        with pytest.raises(LoadError, match=r"parameter 'loss\.transitions' is \(5, 5\) float"):
            seqkit.load(tmp_path / "m.safetensors")


class TestNonFinite:
    def test_the_layer_is_named(self) -> None:
        layers = [Dense(1, use_bias=False), Dense(1, use_bias=False), Dense(1)]
        model = seqkit.Sequential(layers, seed=0).build(1)
        model.compile("sgd", "mse")
        model.params["0.weight"], model.params["1.weight"] = [[1e30]], [[1e30]]
        with pytest.raises(NonFiniteError, match=r"epoch 1, batch 2: .* are in the output of layer 1 \(dense\)\."):
            model.fit(np.array([[0.0], [1.0]]), np.zeros(2), batch_size=1, shuffle=False)

    def test_generators_and_counts_are_as_before_the_batch(self) -> None:
        x, y = RNG.normal(size=(6, 3)), RNG.normal(size=6)
        bad = x.copy()
        bad[4] = np.nan

        def model() -> seqkit.Sequential:
            made = seqkit.Sequential([seqkit.Dropout(0.5), Dense(1)], seed=2)
            made.compile("adam", "mse")
            return made

        failed, good = model(), model()
        with pytest.raises(NonFiniteError, match="epoch 1, batch 2"):
            failed.fit(bad, y, batch_size=2, accumulate=2, shuffle=False)
        good.fit(x[:4], y[:4], batch_size=2, accumulate=2, shuffle=False)
        np.testing.assert_array_equal(weights(failed), weights(good))
        assert failed.random_state() == good.random_state()
        assert failed.optimizer.iterations == 1
