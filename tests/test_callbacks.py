"""Callbacks: when they are called, and each of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError
from seqkit.layers.dense import Dense
from seqkit.training.callbacks import Callback, CSVLogger, ProgressBar, TensorBoard
from seqkit.training.optimizers import SGD
from seqkit.training.schedules import CosineDecay, StepDecay

X = np.random.default_rng(0).normal(size=(7, 2))
Y = X.sum(axis=1)


def make(optimizer: Any = "sgd") -> seqkit.Sequential:
    model = seqkit.Sequential([Dense(1)], seed=0)
    model.compile(optimizer, "mse", ["mae"])
    return model


def run(callback: Callback, values: list[float], monitor: str = "val_loss") -> tuple[seqkit.Sequential, list[Any]]:
    """What a callback answers to these values of its monitor; the weight of every epoch is its number."""
    model = make().build(2)
    callback.model = model
    callback.on_train_begin()
    answers = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.params["0.bias"] = [epoch]
        answers.append(callback.on_epoch_end(epoch, {monitor: value}) or model.optimizer.learning_rate)
        if answers[-1] is True:
            break
    callback.on_train_end()
    return model, answers


class Events(Callback):
    """Writes down what it is told."""

    def __init__(self, seen: list[Any], name: str = "") -> None:
        self.seen, self.label = seen, name

    def on_train_begin(self) -> None:
        assert self.model.history is not None
        self.seen.append((self.label, "train begin", self.params))

    def on_train_end(self) -> None:
        self.seen.append((self.label, "train end"))

    def on_epoch_begin(self, epoch: int) -> None:
        self.seen.append(("epoch begin", epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.seen.append(("epoch end", epoch, logs))

    def on_train_batch_begin(self, batch: int) -> None:
        self.seen.append(("batch begin", batch, self.model.optimizer.iterations))

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.seen.append(("batch end", batch, logs, self.model.optimizer.iterations))


class TestEvents:
    def test_all_in_their_order(self) -> None:
        seen: list[Any] = []
        model = make()
        history = model.fit(X, Y, batch_size=4, epochs=2, callbacks=[Events(seen)], validation_data=(X, Y)).history
        logs = [{name: column[epoch] for name, column in history.items()} for epoch in range(2)]
        kinds = [event[0] for event in seen[1:-1]]
        assert seen[0] == ("", "train begin", {"epochs": 2, "steps": 2})
        assert kinds == ["epoch begin", *["batch begin", "batch end"] * 2, "epoch end"] * 2
        assert [event[1] for event in seen[1:-1]] == [0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1]
        assert [event[-1] for event in seen if event[0] == "epoch end"] == logs
        assert [event[-1] for event in seen if event[0] == "batch begin"] == [0, 1, 2, 3]
        ends = [event for event in seen if event[0] == "batch end"]
        assert [event[-1] for event in ends] == [1, 2, 3, 4]
        mean = (ends[0][2]["loss"] * 4 + ends[1][2]["loss"] * 3) / 7
        assert mean == pytest.approx(history["loss"][0], rel=1e-12)
        assert seen[-1] == ("", "train end")

    def test_begun_in_order_and_ended_in_reverse_and_the_saving_one_last(self) -> None:
        seen: list[Any] = []
        saving = Events(seen, "saving")
        saving.last = True
        make().fit(X, Y, callbacks=[saving, Events(seen, "a"), Events(seen, "b")])
        assert [event[0] for event in seen if event[1] == "train begin"] == ["a", "b", "saving"]
        assert [event[0] for event in seen if event[1] == "train end"] == ["saving", "b", "a"]

    def test_all_are_ended_whatever_happens(self) -> None:
        seen: list[Any] = []

        class Fails(Callback):
            def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
                raise ValueError("at the end of the epoch")

            def on_train_end(self) -> None:
                raise OSError("at the end of training")

        with pytest.raises(OSError, match="at the end of training"):
            make().fit(X, Y, callbacks=[Events(seen, "a"), Fails(), Events(seen, "b")])
        assert [event[0] for event in seen if event[1] == "train end"] == ["b", "a"]

    def test_what_nothing_would_call(self) -> None:
        with pytest.raises(ConfigError, match=r"callbacks: expected objects with on_train_begin, .*got 'early'"):
            make().fit(X, Y, callbacks=["early"])

    def test_training_can_be_stopped_after_a_batch(self) -> None:
        class Stop(Callback):
            def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
                self.model.stop_training = batch == 1

        model = make()
        history = model.fit(X, Y, batch_size=2, epochs=3, callbacks=[Stop()])
        assert (model.optimizer.iterations, history.epoch) == (2, [0])
        model.fit(X, Y, batch_size=2)
        assert model.optimizer.iterations == 6


class TestEarlyStopping:
    def test_stops_and_goes_back_to_the_best(self) -> None:
        stop = seqkit.EarlyStopping(patience=2)
        model, answers = run(stop, [3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 0.5])
        assert answers == [0.01] * 5 + [True]
        assert (stop.best_epoch, model.params["0.bias"]) == (3, 3.0)

    def test_options(self) -> None:
        assert run(seqkit.EarlyStopping("val_loss", restore_best_weights=False), [1.0, 2.0])[0].params["0.bias"] == 1.0
        assert len(run(seqkit.EarlyStopping("a", 1, min_delta=0.5), [2.0, 1.4, 1.0], "a")[1]) == 3
        assert len(run(seqkit.EarlyStopping("a", 1, mode="max"), [1.0, 2.0, 1.5, 9.0], "a")[1]) == 3
        assert len(run(seqkit.EarlyStopping("val_accuracy"), [1.0, 2.0, 1.5, 9.0], "val_accuracy")[1]) == 3
        assert len(run(seqkit.EarlyStopping("f1", 1, mode="min"), [1.0, 2.0, 0.5], "f1")[1]) == 2

    def test_nan_is_no_improvement(self) -> None:
        model, _ = run(seqkit.EarlyStopping(patience=2), [1.0, np.nan, np.nan, 0.0])
        assert model.params["0.bias"] == 0.0
        model, _ = run(seqkit.EarlyStopping(patience=9), [np.nan, 1.0, np.inf])
        assert model.params["0.bias"] == 1.0

    def test_what_is_not_there(self) -> None:
        stop = seqkit.EarlyStopping()
        with pytest.raises(
            ConfigError, match=r"EarlyStopping: there is no 'val_loss' to watch, only loss, mae\. Validation"
        ):
            make().fit(X, Y, callbacks=[stop])


class TestLearningRates:
    def test_plateau(self) -> None:
        plateau = seqkit.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.002, min_delta=0.1)
        values = [1.0, 0.95, 0.93, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
        _, rates = run(plateau, values)
        expected = [0.01, 0.01, 0.005, 0.005, 0.005, 0.0025, 0.0025, 0.0025, 0.002, 0.002, 0.002, 0.002, 0.002]
        assert rates == expected

    def test_plateau_needs_a_number(self) -> None:
        with pytest.raises(ConfigError, match=r"the learning rate follows StepDecay\(.*give the optimizer a number"):
            make(SGD(StepDecay(0.1))).fit(X, Y, callbacks=[seqkit.ReduceLROnPlateau("loss")])

    def test_scheduler(self) -> None:
        _, rates = run(seqkit.LearningRateScheduler(CosineDecay(0.02, 4)), [0.0] * 4)
        assert rates == pytest.approx([0.02, 0.01 * (1 + 0.5**0.5), 0.01, 0.01 * (1 - 0.5**0.5)])
        assert run(seqkit.LearningRateScheduler(lambda epoch: 0.5 + epoch), [0.0] * 2)[1] == [0.5, 1.5]


class TestLoggers:
    def test_csv(self, tmp_path: Path) -> None:
        path = tmp_path / "log.csv"
        history = make().fit(X, Y, epochs=2, callbacks=[CSVLogger(path, ";")]).history
        rows = [line.split(";") for line in path.read_text().splitlines()]
        assert rows[0] == ["epoch", "loss", "mae"]
        expected = [[epoch, history["loss"][epoch], history["mae"][epoch]] for epoch in range(2)]
        assert [[float(cell) for cell in row] for row in rows[1:]] == expected

    def test_csv_goes_on_after_a_crash(self, tmp_path: Path) -> None:
        def train(epochs: int, folder: str, **options: Any) -> list[str]:
            callbacks = [CSVLogger(tmp_path / "log.csv"), seqkit.Checkpoint(tmp_path / folder)]
            make("adam").fit(X, Y, epochs=epochs, callbacks=callbacks, **options)
            return (tmp_path / "log.csv").read_text().splitlines()

        whole = train(4, "a")
        assert train(2, "b") == whole[:3]
        (tmp_path / "log.csv").write_text("\n".join([*whole, "9,9"]))  # farther than the checkpoint, and half a row
        assert train(4, "b", resume=tmp_path / "b") == whole

    def test_tensorboard(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written: list[tuple[Any, ...]] = []

        class SummaryWriter:
            def __init__(self, folder: str, purge_step: int | None) -> None:
                self.part = Path(folder).name

            def add_scalar(self, name: str, value: float, epoch: int) -> None:
                written.append((self.part, name, value, epoch))

            def flush(self) -> None: ...

            def close(self) -> None:
                written.append((self.part, "closed"))

        module = ModuleType("tensorboardX")
        module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tensorboardX", module)
        model = make()
        history = model.fit(X, Y, epochs=2, callbacks=[TensorBoard(tmp_path)], validation_data=(X, Y)).history
        for epoch in range(2):
            assert ("train", "epoch_loss", history["loss"][epoch], epoch) in written
            assert ("validation", "epoch_mae", history["val_mae"][epoch], epoch) in written
            assert ("train", "epoch_learning_rate", 0.01, epoch) in written
        assert written[-2:] == [("train", "closed"), ("validation", "closed")]

    def test_tensorboard_writes_events(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
        make().fit(X, Y, epochs=2, callbacks=[TensorBoard(tmp_path)])
        (file,) = (tmp_path / "train").iterdir()
        assert b"epoch_loss" in file.read_bytes()

    def test_tensorboard_without_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        with pytest.raises(ConfigError, match="tensorboardX is missing; install it with: pip install"):
            make().fit(X, Y, callbacks=[TensorBoard()])


def test_progress_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("seqkit.training.callbacks.progress_bar.INTERVAL", 0.0)
    make().fit(X, Y, batch_size=2, verbose=0, callbacks=[ProgressBar(live=True)])
    first, *bars, last = capsys.readouterr().err.split("\r")
    assert first == ""
    assert [bar.count("=") for bar in bars] == [6, 12, 18, 24]
    assert [bar.partition("]")[2].partition(" - ")[0].strip() for bar in bars] == ["1/4", "2/4", "3/4", "4/4"]
    assert last.startswith("Epoch 1/1 - 0.")
    assert last.endswith("\x1b[K\n")
