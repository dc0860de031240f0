"""Models of PyTorch beside PyTorch itself: outputs, gradients, files that it writes and reads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConvertError, LoadError, SeqkitError, UnsafeFileError
from seqkit.interop.proof import prove
from seqkit.interop.torch import from_torch, mapping, read, state_dict

torch = pytest.importorskip("torch")
nn = torch.nn
packing = torch.nn.utils.rnn
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

RANDOM = 120


def drawn(seed: int) -> tuple[Any, dict[str, Any]]:
    """A random recurrent module, batch second or first, and what from_torch must be told."""
    rng = np.random.default_rng(seed)
    kind = ("LSTM", "GRU", "RNN", "LSTM")[seed % 4]
    options = {name: bool(rng.integers(2)) for name in ("bias", "bidirectional", "batch_first")}
    inputs, units, layers = (int(rng.integers(1, high)) for high in (9, 12, 4))
    told: dict[str, Any] = {}
    if kind == "LSTM" and seed % 4 == 3 and units > 1:
        options["proj_size"] = int(rng.integers(1, units))
    if kind == "RNN":
        options["nonlinearity"] = told["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    torch.manual_seed(seed)
    return getattr(nn, kind)(inputs, units, layers, **options).eval(), told


def batch(module: Any, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Padded sequences and their lengths; what is behind the ends must not matter."""
    lengths = rng.integers(1, 9, 4)
    return rng.standard_normal((4, 8, module.input_size)).astype(np.float32), lengths


def packed(module: Any, x: Any, lengths: np.ndarray) -> tuple[Any, Any]:
    """Padded output, batch first, and final h of a module on packed sequences."""
    x = x if module.batch_first else x.transpose(0, 1)
    sequences = packing.pack_padded_sequence(x, lengths, batch_first=module.batch_first, enforce_sorted=False)
    y, state = module(sequences)
    padded, _ = packing.pad_packed_sequence(y, batch_first=True, total_length=8)
    return padded, state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("seed", range(RANDOM))
def test_random_modules(seed: int, tmp_path: Path) -> None:
    """By module, by state dict and by file: the same outputs, and those of PyTorch."""
    module, told = drawn(seed)
    x, lengths = batch(module, np.random.default_rng(seed))
    with torch.no_grad():
        expected, h = (tensor.numpy() for tensor in packed(module, torch.from_numpy(x), lengths))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    models = from_torch(module), from_torch(module.state_dict(), **told), from_torch(tmp_path / "m.pt", **told)
    for model in models:
        y, _ = model.forward(x, lengths=lengths, training=False)
        assert np.abs(y - expected).max() < 1e-6
    last, _ = from_torch(module.state_dict(), return_sequences=False, **told).forward(
        x, lengths=lengths, training=False
    )
    final = np.concatenate(list(h[-1 - module.bidirectional :]), axis=1)
    assert np.abs(last - final).max() < 1e-6


@pytest.mark.parametrize("seed", range(0, RANDOM, 3))
def test_gradients(seed: int) -> None:
    """Of the input and of every weight, in float64, from a random gradient of the output."""
    module, _ = drawn(seed)
    module, rng = module.double(), np.random.default_rng(seed)
    x, lengths = batch(module, rng)
    tensor = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    y, _ = packed(module, tensor, lengths)
    dy = rng.standard_normal(y.shape)
    y.backward(torch.from_numpy(dy))
    model = from_torch(module)
    _, cache = model.forward(x.astype(np.float64), lengths=lengths, training=True)
    found = model.backward(dy, cache, input_grad=True)
    dx = found[0] if isinstance(found, tuple) else found
    assert close(dx, tensor.grad.numpy())
    for name, (ours, theirs) in matched(model, module).items():
        assert close(ours, theirs), name


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max() < 1e-11 * max(1, np.abs(b).max()))


def matched(model: Any, module: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Gradients of ours beside those of PyTorch, by PyTorch's names; of two biases each has that of the sum."""
    theirs = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    pairs = {}
    layers = model.layers if isinstance(model, seqkit.Sequential) else [model]
    for number, layer in enumerate(layers):
        for direction, prefix in enumerate(("forward.", "backward.") if module.bidirectional else ("",)):
            suffix = f"_l{number}{'_reverse' * direction}"
            grads = {key.removeprefix(prefix): grad for key, grad in layer.grads.items() if key.startswith(prefix)}
            names = {"weight_ih": "weight_ih", "weight_hh": "weight_hh", "weight_hr": "weight_hr", "bias": "bias_ih"}
            for ours, foreign in names.items():
                if ours in grads:
                    pairs[foreign + suffix] = grads[ours], theirs[foreign + suffix]
            if "bias_hn" in grads:
                pairs["bias_hh" + suffix] = grads["bias_hn"], theirs["bias_hh" + suffix][-layer_units(layer) :]
    return pairs


def layer_units(layer: Any) -> int:
    return layer.forward_layer.units if isinstance(layer, seqkit.Bidirectional) else layer.units


@pytest.mark.parametrize("seed", range(24))
def test_both_oracles(seed: int) -> None:
    """PyTorch made of the arrays, the reference and the model agree, also behind the ends."""
    module, told = drawn(seed)
    for imported in (read(module), read(module.state_dict(), return_sequences=False, **told)):
        inputs = imported.draw(np.random.default_rng(seed))
        y, peer = imported.run(inputs)["y"], imported.peer().run(inputs)["y"]
        assert y.shape == peer.shape
        assert np.abs(y - peer).max() < 1e-6
        assert np.abs(imported.reference().run(inputs)["y"] - peer).max() < 1e-6


def test_enough_modules_of_every_kind() -> None:
    modules = [drawn(seed)[0] for seed in range(RANDOM)]
    for name in ("LSTM", "GRU", "RNN"):
        kind = [module for module in modules if type(module).__name__ == name]
        assert len(kind) >= 30
        for option in ("bias", "bidirectional", "batch_first"):
            assert {getattr(module, option) for module in kind} == {True, False}
        assert {module.num_layers for module in kind} == {1, 2, 3}
    assert sum(module.proj_size > 0 for module in modules) >= 20
    assert {module.nonlinearity for module in modules if isinstance(module, nn.RNN)} == {"tanh", "relu"}


# ---- whole models ----------------------------------------------------------------------------------------


class Output(nn.Module):
    def forward(self, pair: Any) -> Any:
        return pair[0]


class LastOutput(nn.Module):
    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first

    def forward(self, pair: Any) -> Any:
        return pair[0][:, -1] if self.batch_first else pair[0][-1]


class LastState(nn.Module):
    def __init__(self, directions: int = 1) -> None:
        super().__init__()
        self.directions = directions

    def forward(self, pair: Any) -> Any:
        h = pair[1][0] if isinstance(pair[1], tuple) else pair[1]
        return torch.cat(list(h[-self.directions :]), dim=1)


class FirstOutput(nn.Module):
    def forward(self, pair: Any) -> Any:
        return pair[0][:, 0]


class Scaled(nn.Module):
    def forward(self, pair: Any) -> Any:
        return pair[0] * 2


class Fancy(nn.LSTM):
    """A subclass, which might compute anything."""


def whole_models() -> Iterator[tuple[str, Any, bool]]:
    """Name, module, and whether time comes first."""
    first = {"batch_first": True}
    yield "linear", nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2, bias=False), nn.Softmax(dim=-1)), False
    yield "output", nn.Sequential(nn.LSTM(3, 4, 2, **first), Output(), nn.Linear(4, 2), nn.Sigmoid()), False
    both = nn.GRU(3, 4, 2, bidirectional=True, dropout=0.2, **first)
    yield "last output", nn.Sequential(both, LastOutput(), nn.Dropout(0.3), nn.Linear(8, 2)), False
    yield "last state", nn.Sequential(nn.LSTM(3, 4, 2, bidirectional=True, **first), LastState(2)), False
    functions = nn.Sequential(
        nn.Tanh(), nn.Linear(3, 4), nn.ReLU(), nn.Sigmoid(), nn.GRU(4, 3, **first), Output(), nn.ReLU()
    )
    yield "functions by themselves", functions, False
    named = OrderedDict(enc=nn.GRU(3, 5), pick=Output(), skip=nn.Identity(), head=nn.Sequential(nn.Linear(5, 2)))
    yield "time first", nn.Sequential(named), True
    yield "projected", nn.Sequential(nn.LSTM(3, 6, proj_size=2, **first), Output(), nn.LSTM(2, 3, **first)), False


@pytest.mark.parametrize("case", list(whole_models()), ids=lambda case: case[0])
def test_whole_models_by_module(case: tuple[str, Any, bool], tmp_path: Path) -> None:
    _, module, time_first = case
    model, x = from_torch(module.eval()), np.random.default_rng(0).standard_normal((3, 6, 3)).astype(np.float32)
    with torch.no_grad():
        given = torch.from_numpy(x.swapaxes(0, 1).copy() if time_first else x)
        expected = module(given)
    expected = (expected[0] if isinstance(expected, tuple) else expected).numpy()
    expected = expected.swapaxes(0, 1) if time_first else expected
    assert np.abs(model.predict(x) - expected).max() < 1e-6
    torch.save(module.state_dict(), tmp_path / "m.pt")
    again = from_torch(tmp_path / "m.pt", mapping=mapping(model))
    assert np.array_equal(again.predict(x), model.predict(x))
    back = {name: torch.from_numpy(array) for name, array in state_dict(model).items()}
    module.load_state_dict(back, strict=True)
    with torch.no_grad():
        theirs = module(given)
    theirs = (theirs[0] if isinstance(theirs, tuple) else theirs).numpy()
    assert np.abs((theirs.swapaxes(0, 1) if time_first else theirs) - expected).max() < 1e-6


def test_embedding_and_every_proof() -> None:
    module = nn.Sequential(
        nn.Embedding(9, 3, padding_idx=0), nn.LSTM(3, 4, batch_first=True), Output(), nn.Linear(4, 2)
    )
    imported = read(module)
    proof = prove(imported)
    assert proof.oracle == f"PyTorch {torch.__version__}"
    assert proof.holds
    assert proof.error < 1e-6
    inputs = imported.draw(np.random.default_rng(1))
    for oracle in (imported.reference(), imported.peer()):
        assert np.abs(oracle.run(inputs)["y"] - imported.run(inputs)["y"]).max() < 1e-6
    ids = np.random.default_rng(0).integers(0, 9, (3, 5))
    with torch.no_grad():
        assert np.abs(imported.model.predict(ids) - module(torch.from_numpy(ids)).numpy()).max() < 1e-6


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_step_by_step(kind: str) -> None:
    torch.manual_seed(0)
    cell = getattr(nn, kind)(3, 4)
    layer, x = from_torch(cell), np.random.default_rng(0).standard_normal((2, 6, 3)).astype(np.float32)
    state = None
    with torch.no_grad():
        for t in range(6):
            state = cell(torch.from_numpy(x[:, t]), state)
            h = state[0] if isinstance(state, tuple) else state
            assert np.abs(layer(x)[:, t] - h.numpy()).max() < 1e-6


def hooked() -> Any:
    module = nn.LSTM(3, 4)
    module.register_forward_hook(lambda module, inputs, output: None)
    return module


REFUSED: dict[str, tuple[Any, str]] = {
    "convolution": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Conv1d(3, 3, 1))),
        "module '1.0' is .*Conv1d",
    ),
    "subclass": (lambda: Fancy(3, 4), "Fancy"),
    "subclass of the same name": (lambda: type("LSTM", (nn.LSTM,), {})(3, 4), "LSTM, which is not read"),
    "subclass inside": (lambda: nn.Sequential(Fancy(3, 4), Output()), "module '0' is .*Fancy"),
    "first output": (lambda: nn.Sequential(nn.GRU(3, 4, batch_first=True), FirstOutput()), "module '1' is FirstOutput"),
    "scaled": (lambda: nn.Sequential(nn.GRU(3, 4), Scaled()), "module '1' is Scaled"),
    "no extraction": (lambda: nn.Sequential(nn.GRU(3, 4), nn.Linear(4, 1)), "module '1' is Linear"),
    "last step of the wrong axis": (lambda: nn.Sequential(nn.GRU(3, 4), LastOutput()), "module '1' is LastOutput"),
    "half of the states": (
        lambda: nn.Sequential(nn.GRU(3, 4, bidirectional=True), LastState(1)),
        "module '1' is LastState",
    ),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0"), "LSTM"),
    "hooks": (hooked, "has hooks"),
    "softmax over time": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=1)), "dim=1"),
    "a table of bounded rows": (lambda: nn.Sequential(nn.Embedding(3, 4, max_norm=1.0)), "Embedding"),
    "quantized": (lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 4))), "not read"),
    "nothing": (lambda: nn.Sequential(), "no part"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", REFUSED)
def test_modules_that_are_refused(kind: str) -> None:
    make, words = REFUSED[kind]
    module = make()
    with pytest.raises(ConvertError, match=words):
        from_torch(module)


def test_arguments_beside_a_module() -> None:
    for options in ({"prefix": "a"}, {"dropout": 0.1}, {"mapping": {}}, {"key": "a"}, {"return_sequences": False}):
        with pytest.raises(ConvertError, match="only dtype can be given"):
            from_torch(nn.GRU(2, 3), **options)


def test_extraction_leaves_the_mode() -> None:
    module = nn.Sequential(nn.GRU(3, 4), Output()).train()
    from_torch(module)
    assert module[1].training
    from_torch(module.eval())
    assert not module[1].training


# ---- files -----------------------------------------------------------------------------------------------


def test_half_precision_files(tmp_path: Path) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        module = nn.GRU(3, 4).to(dtype)
        torch.save(module.state_dict(), tmp_path / "m.pt")
        layers = from_torch(tmp_path / "m.pt", dtype="float32"), from_torch(module, dtype="float64")
        for layer in layers:
            assert np.array_equal(layer.params["weight_hh"], module.weight_hh_l0.detach().float().numpy())


def test_views_that_share_a_storage(tmp_path: Path) -> None:
    base = torch.randn(20, 12)
    views = {"weight_ih_l0": base[4:16, ::5], "weight_hh_l0": base[:12, 3:6].t().contiguous().t()}
    views |= {"bias_ih_l0": base[3], "bias_hh_l0": base[:12, 7]}
    torch.save(views, tmp_path / "m.pt")
    layer = from_torch(tmp_path / "m.pt")
    assert np.array_equal(layer.params["weight_ih"], views["weight_ih_l0"].numpy())
    assert np.array_equal(layer.params["weight_hh"], views["weight_hh_l0"].numpy())


def test_checkpoints_with_an_optimizer(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(5, 2, 3))[0].sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "best": 0.5, "model_state_dict": module.state_dict(), "optim": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "m.pt")
    assert np.array_equal(from_torch(tmp_path / "m.pt").params["weight_hh"], module.weight_hh_l0.detach().numpy())


@pytest.mark.filterwarnings("ignore")
def test_files_that_hold_more_than_tensors(tmp_path: Path) -> None:
    path, module = tmp_path / "m.pt", nn.LSTM(3, 4)
    torch.save(module, path)
    with pytest.raises(UnsafeFileError, match=r"needs 'torch.nn.modules.rnn.LSTM', and code is not run"):
        from_torch(path)
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(LoadError, match=r"before 1.6"):
        from_torch(path)
    torch.jit.script(module).save(path)
    with pytest.raises(ConvertError, match=r"TorchScript"):
        from_torch(path)
    torch.save({"w": torch.eye(3).to_sparse()}, path)
    with pytest.raises(ConvertError, match=r"sparse"):
        from_torch(path)
    torch.save(module.state_dict(), path, pickle_protocol=4)
    with pytest.raises(SeqkitError, match=r"protocol"):
        from_torch(path)
    for other in (torch.eye(3).to_sparse(), torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8)):
        with pytest.raises(ConvertError, match=r"'weight_ih_l0' is sparse, quantized or without numbers"):
            from_torch({"weight_ih_l0": other})


def test_pytorch_reads_what_comes_back(tmp_path: Path) -> None:
    load_file = pytest.importorskip("safetensors.torch").load_file
    save_file = pytest.importorskip("safetensors.numpy").save_file
    module = nn.LSTM(3, 4, 2, bidirectional=True)
    model = from_torch(module)
    save_file(state_dict(model), tmp_path / "m.safetensors")
    other = nn.LSTM(3, 4, 2, bidirectional=True)
    other.load_state_dict(load_file(tmp_path / "m.safetensors"), strict=True)
    x = torch.randn(5, 2, 3)
    assert torch.allclose(module(x)[0], other(x)[0], atol=1e-6, rtol=0)
    again = from_torch(other)
    assert all(np.array_equal(again.params[name], model.params[name]) for name in model.params)
