"""Every program in docs/examples runs, in its quick form."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import seqkit
from seqkit.data.text import Vocabulary

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
NEEDS = {
    "activity": "BasicMotions",
    "airline": "Airline",
    "chorales": "jsb",
    "classification": "JapaneseVowels",
    "generate_text": "tinyshakespeare",
    "sensor_anomalies": "nab",
    "shakespeare": "tinyshakespeare",
    "spoken_digits": "fsdd",
    "tagging": "tinyshakespeare",
    "text_classification": "tinyshakespeare",
}
ZOO = Path(__file__).parent.parent / "plugins" / "seqkit-zoo"
SAYS = {
    "activity": "test accuracy:",
    "adding_problem": "not solved - wrong:",
    "airline": "seasonal naive RMSE 73.6",
    "autoencoder": "of the variance is written again",
    "chorales": "nats per frame",
    "classification": "mean accuracy of 1 seeds:",
    "embedded_reber": "512 strings  wrong in training",
    "generate_text": "--- temperature 0.8",
    "health_records": "GRU-D                        AUC",
    "inside_the_gates": "the two most important numbers are the marked ones in",
    "lstm_attention": "LSTM and attention: test accuracy",
    "periodic_functions": "PeepholeLSTM",
    "sensor_anomalies": "false alarms",
    "shakespeare": "bits per character",
    "spike_intervals": "not solved - wrong:",
    "spoken_digits": "test accuracy:",
    "tagging": "LSTM, crf",
    "temporal_order": "not solved - wrong:",
    "text_classification": "always the most frequent class",
    "timed_spikes": "PeepholeLSTM",
    "translation": "of 50 unseen dates are exactly right",
}


def run(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    paths = [os.environ.get("PYTHONPATH", ""), str(ZOO)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(command, capture_output=True, text=True, env=environment | variables, timeout=120)


def test_all_are_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} - {"common"} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_quick(name: str) -> None:
    if name in NEEDS and not (SHARED / NEEDS[name]).exists():
        pytest.skip("the data is not here; set SEQKIT_DATA")
    if name in ("airline", "classification", "sensor_anomalies"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
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


def test_texts_of_a_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "great", "lovely"], "bad": ["poor", "dull", "awful"]}
    rows = [(" ".join(["the", "film", "was", *rng.choice(words[label], 2)]), label) for label in [*words] * 40]
    (tmp_path / "films.csv").write_text("review,verdict\n" + "".join(f"{text},{label}\n" for text, label in rows))
    saved = tmp_path / "films.safetensors"
    options = ["--csv", str(tmp_path / "films.csv"), "--text", "review", "--label", "verdict", "--save", str(saved)]
    done = run("text_classification", *options, "--seeds", "1", "--units", "8", "--epochs", "20")
    assert done.returncode == 0, done.stderr
    assert "64 texts to train on, 16 to test, 2 classes" in done.stdout
    assert "LSTM: accuracy 1.0000" in done.stdout
    model = seqkit.load(saved)
    vocabulary = Vocabulary.of(model.metadata["vocabulary"])
    answers = model.predict([vocabulary.encode(text) for text in ("a dull thing, poor", "great, lovely")]).argmax(
        axis=1
    )
    assert [model.metadata["classes"][n] for n in answers] == ["bad", "good"]


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module(name)


def test_records_of_the_challenge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = example("health_records", monkeypatch)
    (tmp_path / "set-a").mkdir()
    (tmp_path / "Outcomes-a.txt").write_text(
        "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n7,6,1,5,-1,0\n8,16,8,8,2,1\n"
    )
    (tmp_path / "set-a" / "7.txt").write_text(
        "Time,Parameter,Value\n00:00,RecordID,7\n00:00,Age,54\n00:00,Height,-1\n01:30,HR,73\n25:00,HR,70\n25:00,pH,7.4\n"
    )
    (tmp_path / "set-a" / "8.txt").write_text("Time,Parameter,Value\n00:00,RecordID,8\n00:00,Age,80\n")
    x, y = records.challenge(tmp_path)
    assert y.tolist() == [0, 1]
    assert x[0].tolist() == [  # Age, HR, pH: values, masks, hours since
        [54, 0, 0, 1, 0, 0, 0, 0, 0],
        [0, 73, 0, 0, 1, 0, 1.5, 1.5, 1.5],
        [0, 70, 7.4, 0, 1, 1, 25, 23.5, 25],
    ]
    assert x[1].tolist() == [[80, 0, 0, 1, 0, 0, 0, 0, 0]]


def test_area_under_the_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    true, score = rng.integers(2, size=400), rng.integers(20, size=400) / 19  # with ties
    found = example("health_records", monkeypatch).auc(true, score)
    assert found == pytest.approx(metrics.roc_auc_score(true, score), abs=1e-12)


def test_what_words_lose_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tagging = example("tagging", monkeypatch)
    text = SimpleNamespace(train="ROMEO:\nO, she doth teach! The torches\n", test="to burn.\n\nNurse:\nAy me?\n")
    monkeypatch.setattr(tagging.common, "load", lambda name: text)
    speeches = tagging.speeches()
    assert speeches[0][:3] == [("o", "A,"), ("she", " "), ("doth", " ")]
    assert [tagging.restored(*zip(*speech, strict=True)) for speech in speeches] == [
        "O, she doth teach! The torches to burn.",
        "Ay me?",
    ]
    assert tagging.scores(["A", "A,", " ", " "], ["A", "A", " ", "A"]) == "accuracy 0.5000, F1 0.4000"
