"""Training that is stopped and resumed ends in the same bits.

Legend: S samples.
"""

from __future__ import annotations

import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kills import survive, train

import seqkit
from seqkit.errors import ConfigError, LoadError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.training.callbacks import Callback, Checkpoint
from seqkit.training.losses import MeanSquaredError
from seqkit.training.resume import checkpoints

S, EPOCHS = 15, 4
RNG = np.random.default_rng(4)
X = [RNG.normal(size=(length, 3)) for length in RNG.integers(1, 7, S)]
Y = np.array([row.sum() for row in X])


class FittedLoss(MeanSquaredError):
    """A loss with a parameter of its own: the error of ``scale * y_pred``."""

    def __init__(self) -> None:
        self.params = seqkit.parameters.Parameters({"scale": np.ones(1)}, "fitted")
        self.grads = {"scale": np.zeros(1)}

    def __call__(self, y_true: Any, y_pred: np.ndarray, *others: Any) -> Any:
        assert self.params is not None
        scale = self.params["scale"][0]
        value, dy = super().__call__(y_true, scale * y_pred, *others)
        self.grads["scale"] += np.sum(dy * y_pred)
        return value, dy * scale


def make(**changes: Any) -> seqkit.Sequential:
    layers = [
        seqkit.LSTM(changes.get("units", 4), return_sequences=True, dropout=0.2, recurrent_dropout=0.3),
        Dropout(0.4),
        seqkit.Bidirectional(seqkit.GRU(3, recurrent_dropout=0.2)),
        Dense(1),
    ]
    model = seqkit.Sequential(layers, seed=changes.get("seed", 3))
    model.compile(changes.get("optimizer", "adam"), changes.get("loss") or FittedLoss(), ["r2", "mae"])
    return model


def callbacks() -> list[Callback]:
    plateau = seqkit.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.5)
    return [seqkit.EarlyStopping("val_loss", patience=2), plateau]


def fit(model: seqkit.Sequential, *others: Callback, **changes: Any) -> seqkit.Sequential:
    options = {"epochs": EPOCHS, "batch_size": 2, "validation_split": 0.2, "accumulate": 2, **changes}
    x, y = options.pop("x", X), options.pop("y", Y)
    model.fit(x, y, callbacks=[*others, *callbacks()], **options)
    return model


def assert_same(one: seqkit.Sequential, two: seqkit.Sequential) -> None:
    assert repr(one.history) == repr(two.history)  # the order of the columns, too
    for name in one.trainable:
        np.testing.assert_array_equal(one.trainable[name], two.trainable[name], err_msg=name)
    assert one.random_state() == two.random_state()
    assert one.optimizer.learning_rate == two.optimizer.learning_rate
    for name, array in one.optimizer.state().items():
        np.testing.assert_array_equal(array, two.optimizer.state()[name], err_msg=name)


def test_from_every_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    whole = fit(make())
    saved = fit(make(), Checkpoint(tmp_path / "all", every=1, unit="batches", keep=None))
    assert_same(whole, saved)
    files = checkpoints(tmp_path / "all")
    assert len(files) >= 3 * EPOCHS - 3
    for file in files:
        again = make(seed=None)
        assert_same(whole, fit(again, resume=file))
    assert whole.trainable["loss.scale"] != 1.0


def test_more_epochs_go_on_where_fewer_ended(tmp_path: Path) -> None:
    fit(make(), Checkpoint(tmp_path), epochs=2)
    assert_same(fit(make(), epochs=4), fit(make(), Checkpoint(tmp_path), epochs=4, resume=tmp_path))


def test_training_that_was_stopped_stays_stopped(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> bool:
            return epoch == 1

    one = fit(make(), Stop(), Checkpoint(tmp_path))
    two = fit(make(), Stop(), Checkpoint(tmp_path), resume=tmp_path)
    assert one.history is not None
    assert one.history.epoch == [0, 1]
    assert_same(one, two)


def test_stateful_layers(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(8, 3, 2)), RNG.normal(size=8)

    def run(folder: str, **options: Any) -> seqkit.Sequential:
        model = seqkit.Sequential([seqkit.LSTM(3, stateful=True), Dense(1)], seed=0)
        model.compile("adam", "mse")
        every = Checkpoint(tmp_path / folder, every=1, unit="batches", keep=None)
        model.fit(x, y, batch_size=2, epochs=2, shuffle=False, callbacks=[every], **options)
        return model

    whole = run("a")
    for number, file in enumerate(checkpoints(tmp_path / "a")):
        assert_same(whole, run(f"b{number}", resume=file))


class TestWhatIsRefused:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        fit(make(), Checkpoint(tmp_path / "kept"), epochs=2)
        return tmp_path / "kept"

    @pytest.mark.parametrize(
        ("model", "options", "words"),
        [
            ({}, {"batch_size": 3}, "batch_size was 2 and is 3"),
            ({}, {"accumulate": 1}, "accumulate was 2 and is 1"),
            ({}, {"shuffle": False}, "shuffle was True and is False"),
            ({}, {"seed": 5}, "seed was None and is 5"),
            ({}, {"x": X[:-2], "y": Y[:-2]}, "training data was '12 samples of 3 features"),
            ({}, {"y": Y + 1}, "training data was"),
            ({}, {"validation_split": 0.3}, "validation data was '3 samples"),
            ({"units": 5}, {}, "other layers"),
            ({"optimizer": "sgd"}, {}, "optimizer was 'adam' and is 'sgd'"),
            ({"loss": "mse"}, {}, "loss was 'FittedLoss' and is 'MeanSquaredError'"),
        ],
    )
    def test_another_training(self, folder: Path, model: Any, options: Any, words: str) -> None:
        with pytest.raises(ConfigError, match=rf"resume: .*step-.* is from another training: .*{words}"):
            fit(make(**model), resume=folder, **options)

    def test_padding_does_not_count(self, tmp_path: Path) -> None:
        lengths = np.array([len(row) for row in X])
        for fill in (0.0, np.nan):
            padded = np.full((S, 6, 3), fill)
            for target, row in zip(padded, X, strict=True):
                target[: len(row)] = row
            fit(make(), Checkpoint(tmp_path), x=padded, lengths=lengths, resume=tmp_path)

    def test_a_directory_of_another_training(self, folder: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"from farther on than this training, which is at step 0; go on .*resume="
        ):
            fit(make(), Checkpoint(folder))

    def test_a_model_without_training(self, tmp_path: Path) -> None:
        make().build(3).save(tmp_path / "m.safetensors")
        with pytest.raises(LoadError, match="a model without a state of training"):
            fit(make(), resume=tmp_path / "m.safetensors")


class TestFiles:
    def test_nothing_yet_begins(self, tmp_path: Path) -> None:
        assert_same(fit(make(), Checkpoint(tmp_path / "new"), resume=tmp_path / "new"), fit(make()))

    def test_the_newest_stay(self, tmp_path: Path) -> None:
        fit(make(), Checkpoint(tmp_path, every=1, unit="batches", keep=2))
        assert [file.name for file in sorted(tmp_path.iterdir())] == [
            f"step-{step:010d}.safetensors" for step in (11, 12)
        ]

    def test_every_few(self, tmp_path: Path) -> None:
        fit(make(), Checkpoint(tmp_path / "e", every=2, keep=None))
        assert [file.stem[-2:] for file in checkpoints(tmp_path / "e")] == ["06", "12"]
        fit(make(), Checkpoint(tmp_path / "b", every=5, unit="batches", keep=None))
        assert [file.stem[-2:] for file in checkpoints(tmp_path / "b")] == ["05", "10", "12"]
        fit(make(), Checkpoint(tmp_path / "s", every=1e-9, unit="seconds", keep=None))
        assert len(checkpoints(tmp_path / "s")) == 12

    def test_the_best(self, tmp_path: Path) -> None:
        model = fit(make(), Checkpoint(tmp_path, best="val_mae"))
        assert model.history is not None
        errors = model.history.history["val_mae"]
        options: dict[str, Any] = {"batch_size": 2, "validation_split": 0.2, "accumulate": 2}
        best = make()
        best.fit(X, Y, epochs=int(np.argmin(errors)) + 1, callbacks=callbacks()[1:], **options)
        again = seqkit.load(tmp_path / "best.safetensors")
        for name in again.params:
            np.testing.assert_array_equal(again.params[name], best.params[name])

    def test_a_damaged_one_is_set_aside(self, tmp_path: Path) -> None:
        fit(make(), Checkpoint(tmp_path))
        newest = checkpoints(tmp_path)[-1]
        content = newest.read_bytes()
        newest.write_bytes(content[:-50])
        with pytest.warns(UserWarning, match=r"step-0000000012.* damaged.*the checkpoint before it is taken"):
            again = fit(make(), Checkpoint(tmp_path), resume=tmp_path)
        assert_same(fit(make()), again)
        assert newest.read_bytes() == content
        assert newest.with_name(f"{newest.name}.damaged").exists()

    def test_all_damaged(self, tmp_path: Path) -> None:
        fit(make(), Checkpoint(tmp_path))
        for file in checkpoints(tmp_path):
            file.write_bytes(b"")
        warnings.simplefilter("ignore")  # pytest puts the filters back
        with pytest.raises(LoadError, match="every checkpoint is damaged"):
            fit(make(), resume=tmp_path)

    def test_a_full_disk_leaves_the_last_good_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = 0

        def full(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls > 8:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            fit(make(), Checkpoint(tmp_path, every=1, unit="batches", keep=1))
        monkeypatch.undo()
        assert len(list(tmp_path.iterdir())) == 1
        assert_same(fit(make()), fit(make(), Checkpoint(tmp_path), resume=tmp_path))

    def test_leftovers_of_a_crash_are_removed(self, tmp_path: Path) -> None:
        (tmp_path / ".seqkit-0123.tmp").write_bytes(b"half")
        fit(make(), Checkpoint(tmp_path))
        assert not list(tmp_path.glob(".*"))

    def test_wrong_options(self) -> None:
        with pytest.raises(ConfigError, match="unit must be one of epochs, batches, seconds, got 'days'"):
            Checkpoint("x", unit="days")
        with pytest.raises(ConfigError, match=r"every, counted in epochs, must be a positive integer, got 0\.5"):
            Checkpoint("x", every=0.5)


class TestInterrupt:
    """Ctrl-C at different moments: the update is whole or not there, and training can be resumed."""

    def interrupted(self, model: seqkit.Sequential, folder: Path, match: str, *others: Callback) -> None:
        with pytest.raises(KeyboardInterrupt, match=match):
            fit(model, Checkpoint(folder, every=100), *others)
        assert_same(fit(make()), fit(make(seed=None), Checkpoint(folder, every=100), resume=folder))

    def test_in_the_forward_and_backward_pass(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model = make()
        backward = model.layers[2].backward
        calls = 0

        def stop(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 10:  # two for each update
                signal.raise_signal(signal.SIGINT)
            return backward(*arguments)

        monkeypatch.setattr(model.layers[2], "backward", stop)
        self.interrupted(model, tmp_path, r"stopped in epoch 2 after batch 1; the model has the weights")
        assert model.optimizer.iterations == 4

    def test_in_the_update(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model = make()
        numbers = model.optimizer._numbers

        def stop() -> tuple[float, ...]:
            if model.optimizer.iterations == 2:  # the second update counts, but has changed no weight yet
                signal.raise_signal(signal.SIGINT)
            return numbers()

        monkeypatch.setattr(model.optimizer, "_numbers", stop)
        self.interrupted(model, tmp_path, r"stopped in epoch 1 after batch 2")
        assert model.optimizer.iterations == 2

    def test_in_a_callback(self, tmp_path: Path) -> None:
        class Stop(Callback):
            def on_epoch_begin(self, epoch: int) -> None:
                if epoch == 1:
                    signal.raise_signal(signal.SIGINT)

        self.interrupted(make(), tmp_path, "stopped before epoch 2", Stop())

    def test_while_callbacks_hear_of_the_end_of_an_epoch(self, tmp_path: Path) -> None:
        """Some know it and some don't: nothing is saved, and training goes on from the checkpoint before."""

        class Stop(Callback):
            def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
                if epoch == 2:
                    signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt, match="stopped before epoch 4"):
            fit(make(), Stop(), Checkpoint(tmp_path))
        assert [file.stem[-2:] for file in checkpoints(tmp_path)] == ["03", "06"]
        assert_same(fit(make()), fit(make(), Checkpoint(tmp_path), resume=tmp_path))

    def test_ctrl_c_works_as_before_afterwards(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        fit(make())
        assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_kill(kills: int, tmp_path: Path) -> None:
    results = survive(kills, tmp_path / "killed")
    assert set(results) == {train(str(tmp_path / "whole"))}
    assert not list(tmp_path.rglob("*.damaged"))
