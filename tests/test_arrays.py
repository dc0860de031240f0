"""Arrays of other libraries are read in place, or refused with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.arrays import as_array
from seqkit.errors import DTypeError
from seqkit.rows import Rows

FLOAT = np.dtype(np.float32)


class Tensor:
    """An array that can nothing but DLPack; `device` is where it says that it lies."""

    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self.array, self.device = array, device
        self.shape, self.ndim = array.shape, array.ndim

    def __len__(self) -> int:
        return len(self.array)

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


class NeedsGradient(Tensor):
    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("it needs a gradient")


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 5, 4), dtype=np.float32)


def trained(x: Any, y: Any, **options: Any) -> np.ndarray:
    model = seqkit.Sequential([seqkit.LSTM(3), seqkit.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(x, y, epochs=2, batch_size=2, seed=1, **options)
    return model.predict(x)


def test_nothing_is_copied(x: np.ndarray) -> None:
    assert np.shares_memory(as_array(Tensor(x), "demo"), x)
    assert np.shares_memory(Rows.of_array(Tensor(x), None, FLOAT, "demo", 4).array, x)
    turned = x.transpose(1, 0, 2)  # strides are read as they are
    assert np.shares_memory(Rows.of_array(Tensor(turned), None, FLOAT, "demo", 4).array, x)


def test_layers_give_the_same_bits(x: np.ndarray) -> None:
    lengths = np.array([5, 2, 4])
    for layer in (seqkit.LSTM(6), seqkit.Bidirectional(seqkit.GRU(3)), seqkit.Dense(2), seqkit.Dropout(0.5)):
        expected = layer(x, lengths=lengths)
        np.testing.assert_array_equal(layer(Tensor(x), lengths=Tensor(lengths)), expected)


def test_lists(x: np.ndarray) -> None:
    layer = seqkit.LSTM(6, return_sequences=True).build(4, seed=0)
    rows = [x[0], x[1, :2], x[2, :3]]
    expected = layer(rows)
    for other in ([Tensor(row) for row in rows], [row.tolist() for row in rows], tuple(map(Tensor, rows))):
        for got, wanted in zip(layer(other), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(as_array([Tensor(x[0]), Tensor(x[1])], "demo"), x[:2])


def test_ids_states_and_steps(x: np.ndarray) -> None:
    embedding = seqkit.Embedding(9, 2).build(seed=0)
    ids = np.array([[1, 8, 3]])
    np.testing.assert_array_equal(embedding(Tensor(ids)), embedding(ids))
    layer = seqkit.GRU(6).build(4, seed=0)
    state = (np.ones((3, 6), np.float32),)
    np.testing.assert_array_equal(layer(Tensor(x), state=(Tensor(state[0]),)), layer(x, state=state))
    np.testing.assert_array_equal(layer.step(Tensor(x[:, 0].copy()))[0], layer.step(x[:, 0])[0])


def test_models(x: np.ndarray) -> None:
    y, weights = np.array([[1.0], [2.0], [0.5]]), np.array([1.0, 0.5, 2.0])
    expected = trained(x, y, sample_weight=weights)
    np.testing.assert_array_equal(trained(Tensor(x), Tensor(y), sample_weight=Tensor(weights)), expected)
    rows = [x[0], x[1, :2], x[2, :3]]
    np.testing.assert_array_equal(trained(list(map(Tensor, rows)), y), trained(rows, y))


def test_parameters(x: np.ndarray) -> None:
    layer = seqkit.GRU(6).build(4, seed=0)
    layer.params["bias"] = Tensor(np.arange(18.0))
    assert layer.params["bias"].tolist() == list(range(18))


def test_a_device_is_refused(x: np.ndarray) -> None:
    for call in (seqkit.LSTM(6), seqkit.Dense(2), lambda x: trained(x, [1.0, 2.0, 3.0])):
        with pytest.raises(
            DTypeError, match=r"x is a .* Tensor on a device \(DLPack number 2\); move it to main memory"
        ):
            call(Tensor(x, device=2))


def test_what_cannot_be_handed_over_is_refused(x: np.ndarray) -> None:
    for call in (seqkit.LSTM(6), seqkit.Dense(2), lambda x: trained(x, [1.0, 2.0, 3.0])):
        with pytest.raises(
            DTypeError, match=r"NeedsGradient .*it needs a gradient.* x\.detach\(\)\.cpu\(\)\.float\(\)"
        ):
            call(NeedsGradient(x))
    with pytest.raises(DTypeError, match=r"x: a sequence is a .*it needs a gradient"):
        trained([NeedsGradient(x[0]), NeedsGradient(x[1])], [1.0, 2.0])


@pytest.mark.peers
def test_torch(x: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    tensor, layer = torch.from_numpy(x), seqkit.LSTM(6)
    assert np.shares_memory(Rows.of_array(tensor, None, FLOAT, "demo", 4).array, x)
    np.testing.assert_array_equal(layer(tensor, lengths=torch.tensor([5, 2, 4])), layer(x, lengths=[5, 2, 4]))
    for bad in (
        tensor.clone().requires_grad_(),
        tensor.bfloat16(),
        tensor.to_sparse(),
        torch.empty(3, 5, 4, device="meta"),
    ):
        with pytest.raises(DTypeError, match="lstm: x is a torch Tensor that cannot be read as it is"):
            layer(bad)


@pytest.mark.peers
def test_jax(x: np.ndarray) -> None:
    jax = pytest.importorskip("jax")
    array, layer = jax.numpy.asarray(x), seqkit.LSTM(6)
    assert as_array(array, "demo").ctypes.data == array.unsafe_buffer_pointer()
    np.testing.assert_array_equal(layer(array), layer(x))
