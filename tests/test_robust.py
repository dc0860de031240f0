"""Around the numbers: Ctrl-C, fork, threads, memory, floating-point settings, long and empty input.

What may hang or end the process runs in a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks.subjects import maker, registered
from checks.zoo import ZOO

import seqkit
from seqkit.equations import run_reference
from seqkit.testing.data import Data, assert_close, assert_same_bits, run

TESTS = Path(__file__).parent


def start(script: str, **environment: str) -> subprocess.Popen[str]:
    """Run a script in a process of its own."""
    path = os.pathsep.join([str(TESTS), str(Path(seqkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(script)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(script: str, **environment: str) -> str:
    process = start(script, **environment)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, out + err
    return out


# ---- Ctrl-C ------------------------------------------------------------------------------------

# CPython 3.11 lets an interrupt at the jump of `try: while True:` slip past the `except`; a for loop is safe.
LONG_CALLS = {
    "forward": "layer.forward(np.broadcast_to(x, (40, 300_000, 16)), training=False)",
    "one sequence": "layer.forward(np.broadcast_to(x, (1, 2_000_000, 16)), training=False)",
    "pipeline": "stack.forward(np.broadcast_to(x, (1, 1_000_000, 16)), training=False)",
    "both directions": "both.forward(np.broadcast_to(x, (8, 1_000_000, 16)), training=False)",
    "forward and backward": "for _ in forever: layer.backward(y[:, -1], layer.forward(small)[1])",
    "steps": "for _ in forever: layer.step(small[:, 0])",
    "product": "for _ in forever: seqkit._core.matmul(np.ones((3000, 3000)), np.ones((3000, 3000)))",
}


@pytest.mark.parametrize("call", LONG_CALLS)
def test_ctrl_c(call: str) -> None:
    """A long call ends within a second of Ctrl-C; the layer is as it was and works again."""
    process = start(
        f"""
        import itertools, sys
        import numpy as np, seqkit
        forever = itertools.repeat(None)
        x = np.ones((1, 1, 16), np.float32)
        small = np.random.default_rng(0).normal(size=(8, 200, 16)).astype(np.float32)
        layer = seqkit.LSTM(256).build(16, seed=0)
        both = seqkit.Bidirectional(seqkit.GRU(128)).build(16, seed=0)
        stack = seqkit.Sequential([seqkit.GRU(16, return_sequences=True), seqkit.GRU(200)], seed=0).build(16)
        y = layer(small)[:, None]
        before = {{name: array.copy() for name, array in layer.params.items()}}
        expected = layer(small)
        for _ in range(3):
            try:
                print("started", flush=True)
                {LONG_CALLS[call]}
            except KeyboardInterrupt:
                print("stopped", flush=True)
            assert (layer(small) == expected).all()
            assert all((layer.params[name] == array).all() for name, array in before.items())
        """
    )
    try:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == "started\n", process.communicate(timeout=60)
            time.sleep(0.3)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopped\n", process.communicate(timeout=60)
            assert time.monotonic() - sent < 1.0
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    finally:
        process.kill()


# ---- fork --------------------------------------------------------------------------------------

BEFORE_FORK = """
import os, sys, time, multiprocessing
import numpy as np, seqkit
from seqkit.testing.data import Data, run
from checks.subjects import maker

seqkit.set_num_threads(2)
layer = maker("lstm", 64, 16)("float32")
data = Data.draw(layer, [30] * 40)
expected = run(layer, data)
assert layer.plan(data.x.shape, training=True).threads == 2 or not seqkit._core.openmp

def same(_=None):
    found = run(layer, data)
    return all(found[name].tobytes() == array.tobytes() for name, array in expected.items())
"""


def test_children_after_fork() -> None:
    """Children of a process that has used threads compute the same bits, and so do their children;
    the parent goes on as before."""
    script = """
        def child(depth):
            pid = os.fork()
            if pid == 0:
                good = same() and (depth == 0 or child(depth - 1) == 0)
                os._exit(0 if good else 1)
            end = time.monotonic() + 60
            while time.monotonic() < end:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(0.01)
            os.kill(pid, 9)
            return "hangs"

        print([child(0), child(1), child(0)], same())
    """
    assert output_of(BEFORE_FORK + textwrap.dedent(script)) == "[0, 0, 0] True\n"


def test_a_pool_of_forked_processes() -> None:
    script = """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map_async(same, range(6)).get(timeout=60), same())
    """
    assert output_of(BEFORE_FORK + textwrap.dedent(script)) == "[True, True, True, True, True, True] True\n"


def test_fork_before_the_first_call() -> None:
    """Parent and child may both start threads after the fork."""
    script = """
        import os
        import numpy as np, seqkit
        layer = seqkit.LSTM(64, return_sequences=True).build(16, seed=0)
        pid = os.fork()
        x = np.random.default_rng(0).normal(size=(64, 30, 16)).astype("f4")
        with seqkit.threads(1):
            expected = layer(x)
        same = bool((layer(x) == expected).all())
        if pid == 0:
            os._exit(0 if same else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), same)
    """
    assert output_of(script, SEQKIT_NUM_THREADS="2") == "0 True\n"


# ---- threads of the caller ---------------------------------------------------------------------


def stream(layer: Any, x: np.ndarray) -> np.ndarray:
    state, outputs = None, []
    for t in range(x.shape[1]):
        y, state = layer.step(x[:, t], state)
        outputs.append(y)
    return np.stack(outputs, axis=1)


def backward_of(layer: Any, x: np.ndarray) -> np.ndarray:
    y, cache = layer.forward(x)
    return layer.backward(y, cache)[0]


@pytest.mark.parametrize("call", [lambda layer, x: layer(x), stream, backward_of], ids=["forward", "steps", "backward"])
def test_threads_that_share_a_layer(call: Callable[..., np.ndarray]) -> None:
    """Eight threads at once, each with sizes of its own, get the bits of one."""
    layer = maker("lstm", 33, 7)("float32")
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(*rng.integers(1, 30, 2), 7)).astype("f4") for _ in range(48)]
    expected = [call(layer, x) for x in batches]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda x: call(layer, x), batches * 2))
    finally:
        sys.setswitchinterval(interval)
    for n, (one, other) in enumerate(zip(found, expected * 2, strict=True)):
        assert_same_bits({"it": one}, {"it": other}, f"batch {n}")


def test_threads_are_counted() -> None:
    before = seqkit.num_threads()
    with seqkit.threads(3):
        assert seqkit.num_threads() == 3
        with seqkit.threads(None):
            assert seqkit.num_threads() == before
        assert seqkit.num_threads() == 3
    assert seqkit.num_threads() == before
    with pytest.raises(ZeroDivisionError), seqkit.threads(3):
        1 / 0  # noqa: B018
    assert seqkit.num_threads() == before


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "2", 10**6])
def test_wrong_numbers_of_threads(wrong: Any) -> None:
    before = seqkit.num_threads()
    with pytest.raises(ValueError, match="set_num_threads: expected an integer"):
        seqkit.set_num_threads(wrong)
    assert seqkit.num_threads() == before


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SEQKIT_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),
        ({"SEQKIT_NUM_THREADS": "0", "OMP_NUM_THREADS": "none"}, None),
    ],
)
def test_threads_from_the_environment(
    environment: dict[str, str], expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEQKIT_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        seqkit.set_num_threads(None)
        default = seqkit.num_threads()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert seqkit.num_threads() == default  # until it is looked up anew
        seqkit.set_num_threads(None)
        assert seqkit.num_threads() == (expected or default)
    finally:
        monkeypatch.undo()
        seqkit.set_num_threads(None)


# ---- floating-point settings ---------------------------------------------------------------------


def subnormals_work() -> bool:
    tiny = np.full(64, np.finfo(np.float32).tiny)
    return bool((tiny / 2 > 0).all() and (tiny / 2 * 2 == tiny).all())


def test_subnormal_numbers_work_after_a_call() -> None:
    """The engine flushes them to 0 for itself only."""

    def call(_: int) -> bool:
        layer = maker("lstm", 64, 16)("float32")
        run(layer, Data.draw(layer, [20] * 40))
        layer.step(np.ones((1, 16), "f4"))
        seqkit._core.matmul(np.ones((200, 200)), np.ones((200, 200)))
        return subnormals_work()

    assert subnormals_work()
    with seqkit.threads(2):
        assert call(0)
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(call, range(4)))


def test_overflow_and_nan_of_one_sequence_are_its_own() -> None:
    """NaN and infinity in one row leave the others' bits alone, forward and backward."""
    layer = maker("lstm", 17, 5)("float32")
    data = Data.draw(layer, [6] * 8)
    expected = run(layer, data)
    x = data.x.copy()
    x[2, 3, 1], x[5, 0] = np.nan, np.inf
    found = run(layer, Data(x, data.lengths, data.state, data.dy, data.dstate))
    others = [0, 1, 3, 4, 6, 7]
    for name in ("y", "dx", "final 0", "dinitial 1"):
        assert_same_bits({name: found[name][others]}, {name: expected[name][others]}, "neighbours of NaN")
    assert np.isnan(found["y"][2, 3:]).all()
    assert_same_bits({"y": found["y"][2, :3]}, {"y": expected["y"][2, :3]}, "steps before NaN")
    assert np.isnan(found["grad weight_ih"]).any()


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow() -> None:
    """300 calls of changing shapes, after some, need no more memory than those."""
    rng = np.random.default_rng(0)
    layer = maker("lstm", 32, 8)("float32")
    both = seqkit.Bidirectional(seqkit.GRU(16, return_sequences=True)).build(8, seed=0)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def calls(count: int) -> None:
        for n in range(count):
            batch, time = (40, 60) if n == 0 else rng.integers(1, 40, 2)
            data = Data.draw(layer, rng.integers(0, time + 1, batch), time=int(time))
            run(layer, data)
            layer.forward(data.x, data.lengths)  # a tape that nobody asks for
            layer.step(data.x[:, 0], data.state)
            both([row[:length] for row, length in zip(data.x, data.lengths, strict=True)])
            layer.params["bias"] = layer.params["bias"] * 0.99

    calls(40)
    before = resident()
    calls(300)
    assert resident() - before < 8 * 2**20


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registered())
def test_a_thousand_steps(name: str) -> None:
    layer = maker(name, 8, 3)("float64")
    data = Data.draw(layer, [1000, 999])
    y, final = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state)
    found = run(layer, data)
    assert_close(found["y"], y, 1e-10, "y after a thousand steps")
    assert_close(found["final 0"], final[0], 1e-10, "state after a thousand steps")
    assert all(np.isfinite(array).all() for array in found.values())


@pytest.mark.parametrize(("batch", "time"), [(300, 250), (70_000, 1), (1, 70_000)])
def test_many_rows_of_few_units(batch: int, time: int) -> None:
    """More steps than 65536 in a batch: rows as by themselves, gradients as the sum of two halves."""
    layer = maker("gru", 2, 1)("float64")
    data = Data.draw(layer, [time] * batch)
    whole = run(layer, data)
    for rows in ([0], [batch - 1], list(range(0, batch, max(1, batch // 7)))):
        found = run(layer, data.rows(rows))
        assert_same_bits(found, {"y": whole["y"][rows], "dx": whole["dx"][rows]}, f"rows {rows[:1]}")
    half = batch // 2
    parts = [run(layer, data.rows(slice(0, half))), run(layer, data.rows(slice(half, batch)))] if half else [whole]
    for name in ("grad weight_ih", "grad weight_hh", "grad bias", "grad bias_hn"):
        assert_close(sum(part[name] for part in parts), whole[name], 1e-9, name)


def test_a_step_of_no_streams() -> None:
    layer = maker("gru", 5, 3)("float32")
    y, state = layer.step(np.zeros((0, 3), "f4"))
    assert y.shape == state[0].shape == (0, 5)


@pytest.mark.parametrize("name", ["ManyGates", "ThreeStates", "Means"])
def test_more_threads_than_rows_and_processors(name: str) -> None:
    layer = maker(ZOO[name], 150, 40)("float32")
    data = Data.draw(layer, [60, 7, 59])
    with seqkit.threads(1):
        expected = run(layer, data)
    with seqkit.threads(17):
        assert_same_bits(run(layer, data), expected, "17 threads for 3 rows")
