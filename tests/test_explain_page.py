"""The file of a page: what it forbids, what is in it; figures. How it behaves is tested in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import explain
from seqkit.errors import ConfigError

ATTACK = "</script><script>alert(1)</script>"
IDS = np.random.default_rng(0).integers(0, 5, (3, 14))


@pytest.fixture(scope="module")
def model() -> seqkit.Sequential:
    layers = [seqkit.Embedding(5, 4), seqkit.Bidirectional(seqkit.GRU(6, return_sequences=True)), seqkit.Dense(5)]
    return seqkit.Sequential(layers, seed=0).build()


def embedded(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def table(given: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(given["data"]), "<f4").reshape(-1, given["columns"])


def test_the_policy_allows_one_script_and_one_style_and_nothing_else(model: Any, tmp_path: Path) -> None:
    text = explain.page(model, IDS, tmp_path / "page.html", title=ATTACK).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    scripts, styles = (
        re.findall(r"<script>(.*?)</script>", text, re.DOTALL),
        re.findall(r"<style>(.*?)</style>", text, re.DOTALL),
    )
    for kind, [content] in (("script-src", scripts), ("style-src", styles)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert not re.search(r"https?://|url\(|@import|\bsrc=|href=", text)
    assert "alert(1)<" not in text
    assert "innerHTML" not in text


def test_strange_texts_cannot_end_the_data(model: Any, tmp_path: Path) -> None:
    words = [ATTACK, "<!--", "]]>", "{{script}}", "\u2028&quot;"]
    options: dict[str, Any] = {"text": [words[n] for n in IDS[1]], "features": words, "outputs": words, "sequence": 1}
    text = explain.page(model, IDS, tmp_path / "page.html", **options).read_text()
    assert len(re.findall(r"</?script", text)) == 4
    data = embedded(text)
    assert data["text"] == options["text"]
    assert data["outputs"] == words


def test_numbers_are_those_of_the_arrays(model: Any, tmp_path: Path) -> None:
    data = embedded(explain.page(model, IDS, tmp_path / "page.html", sequence=2).read_text())
    recorded = explain.tape(model, IDS[2:])
    assert [layer["name"] for layer in data["layers"]] == ["1.forward", "1.backward"]
    for layer in data["layers"]:
        for name, given in layer["values"].items():
            np.testing.assert_array_equal(table(given), recorded[f"{layer['name']}.{name}"][0])
    np.testing.assert_array_equal(table(data["output"]), model.predict(IDS[2:])[0])
    saliency = table(data["saliency"])
    assert saliency.shape == (14, 14)  # what the output of each step depends on
    for step in (0, 9):
        found = explain.integrated_gradients(model, IDS[2:], step=step)
        np.testing.assert_allclose(saliency[step], found.by_step[0], atol=1e-6)


def test_of_a_model_that_gives_a_vector_the_output_so_far_is_shown(tmp_path: Path) -> None:
    model = seqkit.Sequential([seqkit.Bidirectional(seqkit.LSTM(4)), seqkit.Dense(2)], seed=0).build(3)
    x = np.random.default_rng(1).standard_normal((2, 50, 3)).astype(np.float32)
    lengths, raw = np.array([50, 40]), np.random.default_rng(2).standard_normal((40, 3))
    path = explain.page(model, x, tmp_path / "p.html", lengths=lengths, sequence=1, inputs=raw, method="gradient")
    data = embedded(path.read_text())
    assert (data["steps"], data["saliency"]["columns"]) == (40, 1)
    np.testing.assert_allclose(table(data["input"]), raw, atol=1e-6)
    outputs = table(data["output"])
    for end in (1, 17, 40):
        np.testing.assert_array_equal(outputs[end - 1], model.predict(x[1:, :end])[0])
    found = explain.saliency(model, x[1:], lengths=[40], times_input=True)
    np.testing.assert_allclose(table(data["saliency"])[:, 0], found.by_step[0, :40], atol=1e-6)


def test_layers_that_read_other_steps_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    layers = [seqkit.GRU(4), seqkit.RepeatVector(3), seqkit.GRU(5, return_sequences=True), seqkit.Dense(1)]
    model = seqkit.Sequential(layers, seed=0).build(2)
    data = embedded(explain.page(model, np.ones((1, 8, 2)), tmp_path / "p.html").read_text())
    assert [layer["name"] for layer in data["layers"]] == ["0.forward"]
    assert any("2.forward" in note for note in data["notes"])


def test_figures(model: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = explain.figure(
        model, IDS, tmp_path / "gates.png", layer="1.backward", names=["z", "h"], text=list("abcdefghijklmn")
    )
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")
    maps = [axes.images[0].get_array() for axes in drawn.axes if axes.images]
    found = explain.summary(model, IDS)
    order = found.layers[1].ranked()
    recorded = explain.tape(model, IDS[:1])
    np.testing.assert_allclose(maps[1], recorded["1.backward.z"][0].T[order])
    np.testing.assert_allclose(maps[2], recorded["1.backward.h"][0].T[order])
    lags = explain.figure_of_lags(found.lags, tmp_path / "lags.svg").axes[0]
    np.testing.assert_allclose(lags.lines[0].get_ydata(), found.lags.norm)
    lives = explain.figure_of_half_lives(found).axes[0]
    assert sum(patch.get_height() for patch in lives.patches) == 12
    x = np.random.default_rng(1).standard_normal((1, 30, 2))
    plain = explain.figure(seqkit.GRU(3).build(2, seed=0), x, features=["a", "b"])
    np.testing.assert_allclose([line.get_ydata() for line in plain.axes[0].lines], x[0].T)


def test_wrong_calls(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.html"
    with pytest.raises(ConfigError, match="sequence 3 has no steps or is not among 0 to 2"):
        explain.page(model, IDS, path, sequence=3)
    with pytest.raises(ConfigError, match="method is 'guess', expected one of integrated_gradients, gradient"):
        explain.page(model, IDS, path, method="guess")
    with pytest.raises(ConfigError, match="no recurrent layer that reads every step"):
        explain.page(seqkit.Sequential([seqkit.Dense(2)]).build(3), np.ones((1, 4, 3)), path)
    with pytest.raises(ConfigError, match=r"no recurrent layer '7\.forward'; there are 1\.forward, 1\.backward"):
        explain.figure(model, IDS, layer="7.forward")
    assert not path.exists()


def test_many_features_and_outputs_are_thinned_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vocabulary of outputs would make a page of hundreds of megabytes."""
    monkeypatch.setattr("seqkit.explain.page_data.MOST_BYTES_OF_TABLE", 4 * 12 * 10)
    model = seqkit.Sequential([seqkit.GRU(3, return_sequences=True), seqkit.Dense(40)], seed=1).build(30)
    x = np.random.default_rng(2).standard_normal((1, 12, 30)) * np.linspace(1, 9, 30)
    names = [f"word {k}" for k in range(40)]
    data = embedded(explain.page(model, x, tmp_path / "wide.html", outputs=names).read_text())
    largest = np.sort(np.argsort(-np.abs(model.predict(x)[0]).max(axis=0))[:10])
    assert data["outputs"] == [names[column] for column in largest]
    shown = np.frombuffer(base64.b64decode(data["output"]["data"]), "<f4").reshape(12, 10)
    np.testing.assert_array_equal(shown, model.predict(x)[0][:, largest])
    read = np.sort(np.argsort(-np.abs(x[0]).max(axis=0))[:10])
    assert data["features"] == [f"feature {column}" for column in read]
    shown = np.frombuffer(base64.b64decode(data["input"]["data"]), "<f4").reshape(12, 10)
    np.testing.assert_array_equal(shown, x[0][:, read].astype("f4"))
    assert [note[:22] for note in data["notes"]] == ["10 of 30 features are ", "10 of 40 outputs are s"]


def test_there_is_a_name_for_each(model: seqkit.Sequential, tmp_path: Path) -> None:
    for options, message in (
        ({"features": ["a", "b"]}, "2 names are given for 5 ids"),
        ({"outputs": ["a", "b"]}, "2 names are given for 5 outputs"),
    ):
        with pytest.raises(ConfigError, match=message):
            explain.page(model, IDS, tmp_path / "page.html", **options)  # type: ignore[arg-type]
    names = np.array(["a", "b", "c", "d", "e"])  # as those of classes of an estimator are
    shown = explain.page(model, IDS, tmp_path / "page.html", outputs=names, features=names)  # type: ignore[arg-type]
    assert embedded(shown.read_text())["outputs"] == names.tolist()
    with pytest.raises(ConfigError, match="3 names are given for 2 features"):
        explain.summary(seqkit.GRU(2).build(2), np.ones((2, 9, 2)), features=["a", "b", "c"])
    assert len(explain.summary(model, IDS, features=[*names, "never seen"]).layers) == 2


def test_what_a_stateful_model_would_give_at_every_step(tmp_path: Path) -> None:
    """Each of the runs over the beginnings of a sequence begins anew."""
    model = seqkit.Sequential([seqkit.GRU(3, stateful=True), seqkit.Dense(1)], seed=1).build(2)
    x = np.random.default_rng(3).standard_normal((1, 40, 2))
    data = embedded(explain.page(model, x, tmp_path / "page.html").read_text())
    shown = np.frombuffer(base64.b64decode(data["output"]["data"]), "<f4")
    for step in (0, 31, 32, 39):
        model.reset_states()
        np.testing.assert_array_equal(shown[step], model.predict(x[:, : step + 1], batch_size=1)[0, 0])
