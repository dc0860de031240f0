"""Every program in docs/examples runs, in its quick form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
NEEDS = {
    "chorales": "jsb",
    "generate_text": "tinyshakespeare",
    "shakespeare": "tinyshakespeare",
    "spoken_digits": "fsdd",
}
SAYS = {
    "adding_problem": "not solved - wrong:",
    "autoencoder": "of the variance is written again",
    "chorales": "nats per frame",
    "embedded_reber": "512 strings  wrong in training",
    "generate_text": "--- temperature 0.8",
    "inside_the_gates": "the two most important numbers are the marked ones in",
    "lstm_attention": "LSTM and attention: test accuracy",
    "periodic_functions": "PeepholeLSTM",
    "shakespeare": "bits per character",
    "spike_intervals": "not solved - wrong:",
    "spoken_digits": "test accuracy:",
    "temporal_order": "not solved - wrong:",
    "timed_spikes": "PeepholeLSTM",
    "translation": "of 50 unseen dates are exactly right",
}


def run(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=120)


def test_all_are_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} - {"common"} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_quick(name: str) -> None:
    if name in NEEDS and not (SHARED / NEEDS[name]).exists():
        pytest.skip("the data is not here; set SEQKIT_DATA")
    if name == "spoken_digits":
        pytest.importorskip("scipy", reason="SciPy is not installed")
    done = run(name, "--quick", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout


def test_missing_data_is_said(tmp_path: Path) -> None:
    nothing = {name: str(tmp_path) for name in ("SEQKIT_DATA", "SEQKIT_CACHE")}
    done = run("chorales", "--quick", SEQKIT_OFFLINE="1", **nothing)
    assert done.returncode == 1
    assert "skipped" in done.stderr
    assert "set SEQKIT_DATA to the folder that holds jsb" in done.stderr
