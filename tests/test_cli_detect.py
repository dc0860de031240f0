"""``seqkit detect``: what it finds, files that agree with each other, and what it says where it cannot."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from seqkit.estimators import SequenceAnomalyDetector

T = 600


@pytest.fixture
def series(tmp_path: Path) -> np.ndarray:
    """``machine.csv``: a pulse every 50 minutes, of which one is missing."""
    t = np.arange(T)
    values = (t % 50 < 20) * 5.0 + 0.3 * np.random.default_rng(0).normal(size=T)
    values[400:420] -= 5.0
    rows = [f"m{step},{step % 7},{value!r}" for step, value in enumerate(values.tolist())]
    (tmp_path / "machine.csv").write_text("\n".join(["minute,other,heat", *rows]) + "\n")
    return values


def test_what_is_written_agrees(run, series):
    arguments = ("--column", "heat", "--train", "0.4", "--smoothing", "16", "--threads", "1")
    files = ("--out", "s.csv", "--save", "d.safetensors", "--plot", "p.png")
    facts = json.loads(run("detect", "machine.csv", *arguments, *files, "--json").stdout)
    detector = SequenceAnomalyDetector(season="auto", smoothing=16, warmup=240, random_state=0).fit(series[:240])
    (alarm,) = detector.alarms(series)[0]
    assert 400 <= alarm.start < 405
    first, last = f"m{alarm.start}", f"m{alarm.end - 1}"
    expected = {"first": first, "last": last, "peak": f"m{alarm.peak}", "score": round(alarm.score, 3)}
    assert facts["alarms"] == [expected]
    assert (facts["column"], facts["season"], facts["threshold"]) == ("heat", 50, 3.0)
    table = list(csv.DictReader(Path("s.csv").read_text().splitlines()))
    np.testing.assert_array_equal([float(row["score"]) for row in table], detector.score_steps(series)[0])
    assert [float(row["heat"]) for row in table] == series.tolist()
    assert [row["time"] for row in table if row["alarm"] == "1"] == [f"m{t}" for t in range(alarm.start, alarm.end)]
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    again = json.loads(run("detect", "machine.csv", "--column", "heat", "--model", "d.safetensors", "--json").stdout)
    assert again["alarms"] == facts["alarms"]


def test_for_people(run, series):
    result = run("detect", "machine.csv", "--column", "heat", "--train", "0.4", "--season", "50", "--smoothing", "16")
    assert "training on m0 to m239 (240 values)" in result.stderr
    assert "first  last  peak  score" in result.stdout
    quiet = run("detect", "machine.csv", "--column", "other", "--season", "none", "--train", "0.4", "--quiet")
    assert quiet.stderr == ""
    assert "season" not in quiet.stdout


def test_what_cannot_be_done(run, series):
    assert "12 values are too few" in run("detect", "machine.csv", "--column", "heat", "--train", "0.02", code=1).stderr
    long = run("detect", "machine.csv", "--column", "heat", "--season", "500", code=1)
    assert "no sequence is longer than a season of 500 steps" in long.stderr
    assert "is for training" in run("detect", "machine.csv", "--model", "d", "--seed", "1", code=2).stderr
    assert "Invalid value for '--season'" in run("detect", "machine.csv", "--season", "soon", code=2).stderr
    run("fit", "sunspots", "--units", "2", "--epochs", "1", "--threads", "1")
    assert (
        "not a SequenceAnomalyDetector" in run("detect", "sunspots", "--model", "sunspots.safetensors", code=1).stderr
    )
    assert "no/s.csv cannot be written" in run("detect", "machine.csv", "--out", "no/s.csv", code=1).stderr
