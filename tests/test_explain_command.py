"""``seqkit explain``: what is printed agrees with the library, files are written, wrong names are said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit import explain
from seqkit.data.files import locate
from seqkit.data.text import Vocabulary
from seqkit.tasks.samples import samples


@pytest.fixture
def sunspots(run) -> str:
    run("fit", "sunspots", "--units", "4", "--epochs", "3", "--threads", "1", "--quiet")
    return "sunspots.safetensors"


@pytest.fixture
def groups(run) -> str:
    """A model of 30 sequences of two classes, and their file, groups.csv."""
    rng, rows = np.random.default_rng(8), ["who,day,a,b,kind"]
    for i in range(30):
        kind = "up" if rng.random() < 0.5 else "down"
        values = rng.normal(size=(rng.integers(2, 6), 2)) + (3 if kind == "up" else -3)
        rows += [f"s{i},d{t},{a:.5f},{b:.5f},{kind}" for t, (a, b) in enumerate(values)]
    Path("groups.csv").write_text("\n".join(rows) + "\n")
    fast = ["--units", "4", "--epochs", "3", "--threads", "1", "--quiet", "--cell", "gru", "--bidirectional"]
    run("fit", "groups.csv", "--id", "who", "--label", "kind", "--ignore", "day", *fast)
    return "groups.safetensors"


def test_a_forecast(run, sunspots: str) -> None:
    facts = json.loads(run("explain", sunspots, "sunspots", "--json", "--threads", "1").stdout)
    model = seqkit.load(sunspots)
    found = samples(model, locate("sunspots"), 200)
    assert len(found.x) == 200
    told = explain.summary(model, found.x, target=found.targets, features=["sunspots"])
    assert facts["layers"] == told.to_dict()["layers"]
    assert facts["gradient_by_lag"]["norm"] == told.lags.norm.tolist()
    last = json.loads(run("predict", sunspots, "sunspots", "--json").stdout)[-1]
    values = found.values[-1][:, 0]
    change = (last["forecast"] - values[-1]) / model.metadata["scale"]
    assert facts["sequence"]["id"] == "2008"
    assert facts["sequence"]["output"] == pytest.approx(change, abs=1e-5)
    why = explain.integrated_gradients(model, found.x[-1:])
    assert facts["sequence"]["saliency"] == why.by_step[0].tolist()
    assert facts["sequence"]["largest"][0]["step"] == int(np.abs(why.by_step[0]).argmax())


def test_the_windows_of_a_series_and_what_they_should_forecast(sunspots: str) -> None:
    model = seqkit.load(sunspots)
    found = samples(model, locate("sunspots"), 5)
    next_of = dict(zip(found.ids, found.targets[:, 0], strict=True))
    for name, window in zip(found.ids[:-1], found.values, strict=False):
        following = found.values[found.ids.index(name) + 1][-1, 0]
        assert next_of[name] == pytest.approx((following - window[-1, 0]) / model.metadata["scale"])
    assert np.isnan(next_of["2008"])


def test_sequences(run, groups: str) -> None:
    result = run("explain", groups, "groups.csv", "--sequence", "s3", "--target", "up")
    assert result.stderr == ""
    assert "0.backward: gru, 4 units" in result.stdout
    facts = json.loads(run("explain", groups, "groups.csv", "--sequence", "3", "--target", "1", "--json").stdout)
    rows = {row["id"]: row for row in json.loads(run("predict", groups, "groups.csv", "--json").stdout)}
    true = rows["s3"]["probability"] if rows["s3"]["predicted"] == "up" else 1 - rows["s3"]["probability"]
    assert (facts["sequence"]["id"], facts["sequence"]["target"]) == ("s3", "up")
    assert facts["sequence"]["output"] == pytest.approx(true, abs=1e-6)
    assert f"output up is {facts['sequence']['output']:.4g}" in result.stdout
    followed = {one["what"] for layer in facts["layers"] for unit in layer["follows"] for one in unit}
    assert followed <= {"a", "b", "position", "class up", "class down"}
    assert len(json.loads(run("explain", groups, "groups.csv", "--most", "3", "--json").stdout)["layers"]) == 2


def test_files(run, groups: str) -> None:
    pytest.importorskip("matplotlib")
    options = ["--out", "page.html", "--plot", "gates.png", "--tape", "tape", "--names", "z,h", "--layer", "0.backward"]
    run("explain", groups, "groups.csv", *options)
    assert "groups.safetensors: s0" in Path("page.html").read_text()
    assert Path("gates.png").read_bytes().startswith(b"\x89PNG")
    recorded = explain.Tape.load("tape")
    assert list(recorded) == [f"0.{direction}.{name}" for direction in ("forward", "backward") for name in ("z", "h")]
    found = samples(seqkit.load(groups), locate("groups.csv"), 200)
    expected = explain.tape(seqkit.load(groups), found.x, ["z"])
    np.testing.assert_array_equal(recorded["0.backward.z"], expected["0.backward.z"])


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_text(run, unit: str) -> None:
    lines = ["the cat sat on the mat", "a dog ran", "", "the dog sat"] * 40
    Path("text.txt").write_text("\n".join(lines))
    vocabulary = Vocabulary.fit(lines, unit, unknown=unit == "words", least=1)
    if unit == "characters":
        vocabulary = Vocabulary.fit(["\n".join(lines)], unit, unknown=False)
    layers = [seqkit.Embedding(len(vocabulary), 4), seqkit.GRU(5, return_sequences=True), seqkit.Dense(len(vocabulary))]
    model = seqkit.Sequential(layers, seed=0).build()
    model.metadata = {"vocabulary": vocabulary.facts()}
    model.save("text.safetensors")
    found = samples(model, Path("text.txt"), 3)
    assert len(found.x) == 3
    if unit == "words":
        assert found.texts == [["the", "cat", "sat", "on", "the", "mat"], ["a", "dog", "ran"], ["the", "dog", "sat"]]
    else:
        assert "".join(map("".join, found.texts)) == "\n".join(lines)[:600]
    Path("windows.txt").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    assert samples(model, Path("windows.txt"), 3).texts == found.texts
    Path("latin.txt").write_bytes(b"caf\xe9")
    assert "the file is not UTF-8 text" in run("explain", "text.safetensors", "latin.txt", code=1).stderr
    run("explain", "text.safetensors", "text.txt", "--most", "3", "--sequence", "1", "--out", "p.html")
    assert json.dumps(found.texts[1])[1:-1] in Path("p.html").read_text()
    facts = json.loads(run("explain", "text.safetensors", "text.txt", "--most", "3", "--json", "--target", "a").stdout)
    assert facts["sequence"]["target"] == "'a'"
    why = explain.integrated_gradients(model, found.x[:1], vocabulary.ids["a"])
    assert facts["sequence"]["saliency"] == why.by_step[0].tolist()
    symbols = {one["what"] for unit in facts["layers"][0]["follows"] for one in unit}
    assert symbols & set(map(repr, vocabulary.symbols))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sequence", "s99"], "--sequence s99: no such name, and no number up to 29"),
        (["--target", "left"], "--target left: no such output; there are down, up"),
        (["--sequence", "\u00b2"], "--sequence \u00b2: no such name"),
        (["--target", "\u00b2"], "--target \u00b2: no such output"),
        (["--out", "nowhere/page.html"], "must be a folder that exists"),
        (["--plot", "p.png", "--layer", "9.forward"], "no recurrent layer '9.forward'"),
        (["--tape", "t", "--names", "q"], "no value named 'q'"),
    ],
)
def test_wrong_names(run, groups: str, options: list[str], message: str) -> None:
    result = run("explain", groups, "groups.csv", *options, code=1)
    assert message in result.stderr
