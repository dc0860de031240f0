"""Calls of `fit` and `compile` that once crashed, were misread, or were taken without a word."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, DTypeError, NonFiniteError
from seqkit.training.losses import Huber
from seqkit.training.metrics import F1, Accuracy
from seqkit.training.optimizers import SGD, Adam
from seqkit.training.schedules import CosineDecay

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 5, 3)).astype("f4")
Y = RNG.normal(size=12)
LABELS = [[1, 2]] * 12


def compiled(loss: Any = "mse", optimizer: Any = "sgd", outputs: int = 1, metrics: Any = None) -> seqkit.Sequential:
    """A model that gives a vector for a sequence or, for a loss of sequences, one for every step."""
    sequences = isinstance(loss, (seqkit.CTC, seqkit.CRF))
    model = seqkit.Sequential([seqkit.LSTM(4, return_sequences=sequences), seqkit.Dense(outputs)], seed=0)
    model.compile(optimizer, loss, metrics)
    return model


def find(**options: Any) -> Any:
    model = compiled().build(3)
    return seqkit.find_learning_rate(model, X, Y, steps=3, **options)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: compiled(seqkit.CTC(), outputs=3).fit(X, LABELS, class_weight={0: 5.0}),
        ConfigError,
        "the loss ctc is one of whole sequences",
    ),
    (
        lambda: compiled(seqkit.CRF(3), outputs=3).fit(X, np.zeros((12, 5), int), class_weight="balanced"),
        ConfigError,
        "the loss crf is one of whole sequences",
    ),
    (
        lambda: compiled(seqkit.CRF(3), outputs=3).fit(X, np.zeros((12, 5), int), tbptt=(2, 2)),
        ConfigError,
        "the loss crf is one of whole sequences",
    ),
    (lambda: compiled(seqkit.CTC(), outputs=3).fit(X, None), DTypeError, "must be a list of label sequences, got None"),
    (lambda: compiled().fit(X, Y, class_weight={"a": 1.0}), ConfigError, "classes are integers, got 'a'"),
    (lambda: compiled().fit(X, Y, class_weight={0.5: 1.0}), ConfigError, "classes are integers, got 0.5"),
    (lambda: compiled().fit(list(X.astype(object)), Y), DTypeError, "x must hold numbers, got dtype object"),
    (lambda: compiled().fit(X, Y, validation_data=(X,)), ConfigError, r"\(x, y, sample_weight, lengths\).*got 1"),
    (lambda: compiled().fit(X, Y, validation_data=(X[:0], Y[:0])), ConfigError, "validation_data holds no samples"),
    (lambda: compiled().fit(X, Y, callbacks=[seqkit.EarlyStopping]), ConfigError, "callbacks: expected objects"),
    (lambda: compiled(metrics=[F1("macro"), F1("micro")]), ConfigError, "two values would be called 'f1'"),
    (lambda: compiled(metrics=[Accuracy]), ConfigError, r"Accuracy is a class; give an object, Accuracy\(\)"),
    (lambda: find(callbacks=[], epochs=3), ConfigError, "leave callbacks, epochs out"),
    (lambda: find(resume="somewhere"), ConfigError, "leave resume out"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_wrong_calls(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_metric_does_not_take_the_place_of_the_loss() -> None:
    def loss(y_true: Any, y_pred: Any, lengths: Any) -> float:
        return 42.0

    with pytest.raises(ConfigError, match="two values would be called 'loss'"):
        compiled(metrics=[loss])


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for callback in (seqkit.Checkpoint(tmp_path / "file"), seqkit.CSVLogger(tmp_path / "file" / "log.csv")):
        with pytest.raises(ConfigError, match="cannot be made"):
            compiled().fit(X, Y, callbacks=[callback])


def test_the_folder_of_a_table_is_made(tmp_path: Path) -> None:
    compiled().fit(X, Y, callbacks=seqkit.CSVLogger(tmp_path / "new" / "log.csv"))  # one callback needs no list
    assert (tmp_path / "new" / "log.csv").read_text().startswith("epoch,loss\n0,")


def test_numbers_of_numpy_go_into_checkpoints(tmp_path: Path) -> None:
    options = {"batch_size": np.int64(4), "bucket": np.int64(3), "seed": np.int64(1), "memory": np.int64(2**30)}
    layer = seqkit.LSTM(4, zoneout={"c": np.float32(0.5)})
    model = seqkit.Sequential([layer, seqkit.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, callbacks=[seqkit.Checkpoint(tmp_path)], **options)
    again = seqkit.load(tmp_path / "step-0000000003.safetensors")
    assert again.layers[0].config() == layer.config()


def test_methods_of_a_callback_may_be_attributes() -> None:
    class Calls(seqkit.Callback):
        def __init__(self) -> None:
            self.epochs: list[int] = []
            self.on_epoch_end = lambda epoch, logs: self.epochs.append(epoch)  # type: ignore[method-assign]

    calls = Calls()
    compiled().fit(X, Y, epochs=2, callbacks=[calls])
    assert calls.epochs == [0, 1]


def test_a_rate_below_the_least_one_does_not_rise() -> None:
    model = compiled(optimizer=SGD(0.001))
    model.fit(X, Y, epochs=3, callbacks=[seqkit.ReduceLROnPlateau("loss", min_delta=9.0, patience=1, min_lr=0.1)])
    assert model.optimizer.learning_rate == 0.001


def test_copies_of_a_model_in_training() -> None:
    """A copy is of the model, not of the data and callbacks of its training."""
    copies: list[seqkit.Sequential] = []

    class Copies(seqkit.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            copies.extend([copy.deepcopy(self.model), pickle.loads(pickle.dumps(self.model))])

    model = compiled()
    model.fit(X, Y, callbacks=[Copies()])
    for one in copies:
        assert one.progress is None
        np.testing.assert_array_equal(one.predict(X), model.predict(X))


def test_a_loss_that_overflows_is_not_blamed_on_the_targets() -> None:
    with pytest.raises(NonFiniteError, match="in the loss itself, of outputs as large as"):
        compiled(optimizer=SGD(1e30)).fit(X, Y, 4, 3, seed=0)
    with pytest.raises(NonFiniteError, match="values are in sample_weight"):
        compiled().fit(X, Y, sample_weight=np.full(12, np.nan))
    with pytest.raises(NonFiniteError, match="values are in y"):
        compiled().fit(X, np.full(12, np.nan))


def test_the_loss_of_a_loaded_model(tmp_path: Path) -> None:
    model = compiled(seqkit.CRF(3), outputs=3)
    model.fit(X, RNG.integers(0, 3, (12, 5)), epochs=2)
    model.save(tmp_path / "tagger.safetensors")
    loaded = seqkit.load(tmp_path / "tagger.safetensors")
    assert isinstance(loaded.loss, seqkit.CRF)
    scores = loaded.predict(X)
    np.testing.assert_array_equal(loaded.loss.decode(scores), model.loss.decode(scores))
    for name, array in model.loss.params.items():
        np.testing.assert_array_equal(loaded.loss.params[name], array)


@pytest.mark.parametrize(
    ("loss", "optimizer", "what"),
    [
        (Huber(0.1), Adam(0.01), "arguments of the loss was .*1.0.* and is .*0.1"),
        (Huber(), Adam(0.01, beta_1=0.1), "arguments of the optimizer"),
        (Huber(), Adam(0.01, l2=0.1), "arguments of the optimizer"),
        (Huber(), Adam(CosineDecay(0.01, 9)), "arguments of the optimizer"),
    ],
)
def test_training_is_not_resumed_with_another_set_up(tmp_path: Path, loss: Any, optimizer: Any, what: str) -> None:
    compiled(Huber(), Adam(0.01)).fit(X, Y, callbacks=[seqkit.Checkpoint(tmp_path)])
    with pytest.raises(ConfigError, match=f"is from another training: .*{what}"):
        compiled(loss, optimizer).fit(X, Y, epochs=2, resume=tmp_path)
    same = compiled(Huber(), Adam(0.5))  # the rate is that of the file, which a callback may have changed
    assert same.fit(X, Y, epochs=2, resume=tmp_path).epoch == [0, 1]
    assert same.optimizer.learning_rate == 0.01


def test_a_loss_with_arguments_as_a_metric(tmp_path: Path) -> None:
    model = compiled(metrics=[Huber(0.3)])
    model.fit(X, Y, callbacks=[seqkit.Checkpoint(tmp_path)])
    loaded = seqkit.load(tmp_path / "step-0000000001.safetensors")
    assert loaded.evaluate(X, Y)[1] == pytest.approx(Huber(0.3)(Y, loaded.predict(X))[0], rel=1e-6)
    with pytest.raises(ConfigError, match="the loss crf has parameters of its own"):
        compiled(metrics=[seqkit.CRF(1)])
