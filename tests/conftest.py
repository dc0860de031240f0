"""Tools that several test files share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from packages import Site

from seqkit import discovery, registry
from seqkit.bench.peers import WORKERS
from seqkit.cli import main
from seqkit.layer import Layer, State
from seqkit.sequences import valid_steps

# A shell ignores Ctrl-C in what it starts in the background, and so would the programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def slope() -> Callable[[Callable[[], float], np.ndarray], np.ndarray]:
    """Gradient of a function by central differences, changing `array` in place and back."""

    def gradient(function: Callable[[], float], array: np.ndarray, width: float = 1e-6) -> np.ndarray:
        result = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + width
            above = function()
            array[place] = kept - width
            below = function()
            array[place] = kept
            result[place] = (above - below) / (2 * width)
        return result

    return gradient


class Tally(Layer):
    """The smallest recurrent layer: ``h_t = h_{t-1} + w * x_t``, all of them or the last one."""

    name = "tally"

    def __init__(self, return_sequences: bool = False, stateful: bool = False, input_shape: Any = None) -> None:
        self.return_sequences, self.stateful, self.input_shape = return_sequences, stateful, input_shape

    def config(self) -> dict[str, Any]:
        return {
            "return_sequences": self.return_sequences,
            "stateful": self.stateful,
            "input_shape": self.input_shape and list(self.input_shape),
        }

    @property
    def returns_sequences(self) -> bool:
        return self.return_sequences

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": rng.normal(size=self.input_size)}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        batch, time, _ = x.shape
        inside = np.ones((batch, time), bool) if lengths is None else valid_steps(lengths, batch, time)
        sums = np.cumsum(np.where(inside[..., None], x, 0).astype(self.dtype), axis=1)
        start = self._state[0] if self._state is not None else np.zeros((batch, x.shape[2]), self.dtype)
        last = start + self.params["weight"] * np.where(inside[..., None], x, 0).sum(axis=1, dtype=self.dtype)
        if self.stateful:
            self._state = (last,)
        h = start[:, None] + self.params["weight"] * sums
        return (h * inside[..., None] if self.return_sequences else last), (sums, inside)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        sums, inside = cache
        if self.return_sequences:
            dh = np.where(inside[..., None], dy, 0)
        else:
            dh = np.zeros_like(sums)
            dh[:, -1:] = dy[:, None]
        self.grads["weight"] += (dh * sums).sum(axis=(0, 1))
        later = np.cumsum(dh[:, ::-1], axis=1)[:, ::-1]
        return (later * self.params["weight"] * inside[..., None] if input_grad else None), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        before = 0 if state is None else state[0]
        h = before + self.params["weight"] * x_t
        return h, (h,)


@pytest.fixture
def tally() -> type[Tally]:
    """A recurrent layer of a few lines, for tests that are not about recurrent layers."""
    return Tally


@dataclass
class Ragged:
    """Seven random sequences of 3 features, their lengths, and a way to pad such lists."""

    lengths: np.ndarray = field(default_factory=lambda: np.array([2, 5, 0, 1, 4, 3, 5]))

    def __post_init__(self) -> None:
        rng = np.random.default_rng(3)
        self.rows = [rng.normal(size=(length, 3)) for length in self.lengths]

    def pad(self, rows: list[np.ndarray], fill: float = np.nan) -> np.ndarray:
        """(7, 5, ...) with `fill`, at first NaN, past the end of every row."""
        array = np.full((len(rows), max(self.lengths), *rows[0].shape[1:]), fill)
        for target, row in zip(array, rows, strict=True):
            target[: len(row)] = row
        return array


@pytest.fixture
def ragged() -> Ragged:
    """Sequences of every length from 0 to 5."""
    return Ragged()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file into an empty folder and give its path."""

    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


@pytest.fixture
def jagged() -> list[np.ndarray]:
    """Distinct random sequences of different lengths with three features."""
    rng = np.random.default_rng(5)
    return [rng.normal(size=(length, 3)) for length in (4, 1, 6, 2)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``seqkit`` with some arguments in an empty folder and check its exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, prog_name="seqkit")
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers or installs is forgotten after it."""
    own = {name: cls for name, cls in registry._registered.items() if name in registry.BUILT_IN}
    monkeypatch.setattr(registry, "_registered", own)
    monkeypatch.setattr(discovery, "_installed", None)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: None) -> Iterator[Site]:
    """Install packages; what they import is gone after the test."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site.folder)):
            del sys.modules[name]


FAKE_PEER = """
import os, sys
import numpy as np
from seqkit.bench.peers.protocol import by_direction, serve

engine = "seqkit._core" in sys.modules

def load(threads):
    if {behaviour!r} == "missing":
        raise ImportError("there is no fake")
    return f"Fake {{threads}} {{os.environ['OMP_NUM_THREADS']}} {{engine}}", prepare

def prepare(case, arrays):
    if (case["cell"], case["mode"]) != ("simple_rnn", "infer"):
        raise NotImplementedError("not this one")
    if {behaviour!r} == "error":
        raise ValueError("no luck")
    if {behaviour!r} == "crash":
        os._exit(3)
    print("what a library prints", flush=True)
    own = by_direction(arrays)["forward"]
    y = np.zeros_like(arrays["dy"])
    for t in range(case["time"]):
        z = arrays["x"][:, t] @ own["weight_ih"].T + own["bias"]
        y[:, t] = np.tanh(z + y[:, t - 1] @ own["weight_hh"].T if t else z)
    if {behaviour!r} == "wrong":
        y[0, -1, -1] += 0.001
    return {{"y": y}}, (lambda: os._exit(3)) if {behaviour!r} == "late crash" else (lambda: None)

serve(load)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Add a peer to the known ones that behaves as told."""

    def make(behaviour: str) -> str:
        module = f"fake_peer_{behaviour.replace(' ', '_')}"
        (tmp_path / f"{module}.py").write_text(FAKE_PEER.format(behaviour=behaviour))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(WORKERS, "fake", module)
        return "fake"

    return make
