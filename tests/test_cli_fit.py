"""``seqkit fit`` and ``predict``: results, files that agree with each other, a clear error for every broken file."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit.data.files import locate
from seqkit.tasks import forecast

FAST = ["--units", "3", "--epochs", "2", "--threads", "1"]


@pytest.fixture
def groups(tmp_path):
    """A table of 30 sequences with a class and a number each, and what it holds."""
    rng = np.random.default_rng(8)
    rows, truth = ["who,day,a,b,kind,size"], {}
    for i in range(30):
        kind = "up" if rng.random() < 0.5 else "down"
        values = rng.normal(size=(rng.integers(2, 6), 2)) + (3 if kind == "up" else -3)
        truth[f"s{i}"] = (kind, round(float(values[:, 0].sum()), 3))
        rows += [f"s{i},d{t},{a:.5f},{b:.5f},{kind},{truth[f's{i}'][1]}" for t, (a, b) in enumerate(values)]
    (tmp_path / "groups.csv").write_text("\n".join(rows) + "\n")
    return truth


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


# fit: a forecast


def test_forecast_prints_one_json_document(run):
    result = run("fit", "sunspots", *FAST, "--json")
    facts = json.loads(result.stdout)
    assert {"rmse", "persistence_rmse", "seasonal_naive_rmse", "seconds", "model", "plot"} <= set(facts)
    assert facts["persistence_rmse"] == pytest.approx(32.898, abs=1e-3)
    assert facts["seasonal_naive_rmse"] == pytest.approx(37.244, abs=1e-3)
    assert (facts["model"], facts["plot"]) == ("sunspots.safetensors", "sunspots.png")
    assert Path("sunspots.png").read_bytes().startswith(b"\x89PNG")
    assert "held out 1949 to 2008 (60)" in result.stderr
    assert "epoch 2/2" in result.stderr


def test_forecast_prints_what_it_understood_before_it_trains(run):
    result = run("fit", "sunspots", *FAST)
    order = ["309 rows", "held out 1949 to 2008 (60)", "network: lstm with 3 units", "RMSE"]
    assert sorted(order, key=(result.stderr + result.stdout).index) == order
    quiet = run("fit", "sunspots", *FAST, "--quiet")
    assert "309 rows" not in result.stdout + quiet.stdout
    assert quiet.stderr == ""
    without_time = [line for line in result.stdout.splitlines() if not line.startswith("seconds")]
    assert without_time == [line for line in quiet.stdout.splitlines() if not line.startswith("seconds")]


def test_json_and_quiet_leave_standard_error_empty(run):
    assert run("fit", "sunspots", *FAST, "--json", "--quiet").stderr == ""


def test_saved_forecast_agrees_with_the_printed_error(run):
    facts = json.loads(run("fit", "sunspots", *FAST, "--json", "--out", "m.safetensors", "--plot", "p.png").stdout)
    assert (facts["model"], facts["plot"]) == ("m.safetensors", "p.png")
    rows = table(run("predict", "m.safetensors", "sunspots", "--threads", "1").stdout)
    errors = [float(row["forecast"]) - float(row["sunspots"]) for row in rows if row["time"].isdigit()][-60:]
    assert facts["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-9)
    assert (rows[0]["time"], rows[-2]["time"]) == ("1722", "2008")
    assert (rows[-1]["time"], rows[-1]["sunspots"]) == ("+1", "")
    assert run("predict", "m.safetensors", "sunspots", "--out", "p.csv").stdout == ""
    assert table(Path("p.csv").read_text()) == rows
    document = json.loads(run("predict", "m.safetensors", "sunspots", "--json").stdout)
    assert [row["forecast"] for row in document] == [float(row["forecast"]) for row in rows]
    assert document[-1]["sunspots"] is None
    low = json.loads(run("predict", "m.safetensors", "sunspots", "--json", "--precision", "int8").stdout)
    assert low == list(forecast.rows(seqkit.load("m.safetensors").quantize("int8"), locate("sunspots")))
    assert low != document


def test_options_of_a_forecast(run):
    Path("a.csv").write_text("t,x,y\n" + "".join(f"{t},{np.sin(t):.4f},{t * 37 % 11}\n" for t in range(90)))
    options = ["--column", "y", "--window", "4", "--horizon", "2", "--holdout", "15", "--season", "11", "--cell", "gru"]
    facts = json.loads(run("fit", "a.csv", *FAST, *options, "--layers", "2", "--bidirectional", "--json").stdout)
    assert facts["column"] == "y"
    assert facts["seasonal_naive_rmse"] == 0.0
    model = seqkit.Sequential.load("a.safetensors")
    assert [layer.name for layer in model.layers] == ["bidirectional", "bidirectional", "dense"]
    kept = {key: model.metadata[key] for key in ("window", "horizon", "holdout", "season")}
    assert kept == {"window": 4, "horizon": 2, "holdout": 15, "season": 11}
    facts = json.loads(run("fit", "a.csv", *FAST, "--target", "x", "--json").stdout)
    assert facts["seasonal_naive_rmse"] is None
    assert "seasonal" not in run("fit", "a.csv", *FAST, "--target", "x").stdout


def test_seed_and_threads(run):
    def rmse(*options):
        return json.loads(run("fit", "sunspots", "--units", "4", "--epochs", "3", "--json", *options).stdout)["rmse"]

    assert rmse("--seed", "1", "--threads", "1") == rmse("--seed", "1", "--threads", "2")
    assert rmse("--seed", "1", "--threads", "1") != rmse("--seed", "2", "--threads", "1")


def test_threads_are_used_while_it_runs(run, monkeypatch):
    used, predict, before = [], seqkit.Sequential.predict, seqkit.num_threads()

    def watched(*arguments, **options):
        used.append(seqkit.num_threads())
        return predict(*arguments, **options)

    monkeypatch.setattr(seqkit.Sequential, "predict", watched)
    run("fit", "sunspots", "--units", "3", "--epochs", "1", "--threads", "3")
    run("predict", "sunspots.safetensors", "sunspots", "--threads", "5")
    assert set(used) == {3, 5}
    assert seqkit.num_threads() == before


def test_without_matplotlib_the_model_is_saved_and_the_picture_is_not(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("fit", "sunspots", *FAST, "--json")
    assert json.loads(result.stdout)["plot"] is None
    assert "no picture was drawn: matplotlib is missing; install it with: pip install matplotlib" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["sunspots.safetensors"]


def test_the_model_is_there_when_the_picture_fails(run):
    Path("p.png").symlink_to("/no/such/folder/p.png")
    run("fit", "sunspots", *FAST, "--plot", "p.png", code=1)
    assert Path("sunspots.safetensors").exists()


# fit: sequences


def test_classify_a_table(run, groups):
    options = ["--id", "who", "--label", "kind", "--ignore", "size", "--json"]
    result = run("fit", "groups.csv", "--units", "4", "--epochs", "20", "--threads", "1", *options)
    facts = json.loads(result.stdout)
    assert (facts["task"], facts["accuracy"]) == ("classify", 1.0)
    assert "30 of 2 to 5 steps, 2 features: a, b" in result.stderr
    rows = table(run("predict", "groups.safetensors", "groups.csv").stdout)
    assert {row["id"]: row["label"] for row in rows} == {name: kind for name, (kind, _) in groups.items()}
    assert sum(row["predicted"] == row["label"] for row in rows) >= 29
    lines = [line.split(",") for line in Path("groups.csv").read_text().splitlines()]
    Path("bare.csv").write_text("".join(f"{line[3]},{line[0]},{line[2]}\n" for line in lines))
    bare = table(run("predict", "groups.safetensors", "bare.csv").stdout)
    assert [{**row, "label": groups[row["id"]][0]} for row in bare] == rows


def test_regress_a_table(run, groups):
    options = ["--id", "who", "--target", "size", "--json"]
    facts = json.loads(run("fit", "groups.csv", "--units", "8", "--epochs", "40", "--threads", "1", *options).stdout)
    assert facts["task"] == "regress"
    assert facts["rmse"] < 0.5 * facts["mean_rmse"]
    rows = table(run("predict", "groups.safetensors", "groups.csv").stdout)
    assert {row["id"]: float(row["size"]) for row in rows} == {name: size for name, (_, size) in groups.items()}
    errors = [float(row["predicted_size"]) - float(row["size"]) for row in rows]
    assert np.sqrt(np.mean(np.square(errors))) < 0.5 * facts["mean_rmse"]


def test_test_sets(run):
    head, cases = "@classLabel true a b\n@data\n", ["1,2:5,6:a\n", "3,1:2,9:b\n", "4,4,2:1,2,3:a\n"]
    Path("D_TRAIN.ts").write_text(head + "".join(cases))
    Path("other.ts").write_text(head + cases[0])
    Path("D_TEST.ts").write_text(head + cases[0] + cases[1])
    assert "training on 3 sequences, testing on 2 of D_TEST.ts" in run("fit", "D_TRAIN.ts", *FAST).stderr
    assert "testing on 1 of other.ts" in run("fit", "D_TRAIN.ts", *FAST, "--test", "other.ts").stderr
    rng = np.random.default_rng(0)
    np.savez("a.npz", x=rng.normal(size=(9, 4)), y=np.arange(9) % 2, x_test=rng.normal(size=(2, 3)), y_test=[0, 1])
    assert "training on 9 sequences, testing on 2 of a.npz" in run("fit", "a.npz", *FAST).stderr
    np.savez("b.npz", x=rng.normal(size=(10, 4)), y=rng.normal(size=10))
    assert "training on 8 sequences, testing on 2 of b.npz" in run("fit", "b.npz", *FAST).stderr


def test_a_test_set_that_does_not_fit_is_told_before_training(run):
    x = np.random.default_rng(0).normal(size=(12, 4, 2))
    train = {"x": x, "y": ["a", "b"] * 6}
    for test, message in (
        ({"x_test": x[:, :, :1], "y_test": train["y"]}, "the test set has 1 features, expected 2 as in training"),
        ({"x_test": x, "y_test": ["a", "c"] * 6}, "class 'c' is not in the training data, which has a, b"),
        ({"x_test": x}, "the sequences have no classes"),
        ({"y": x[:, 0], "x_test": x, "y_test": x[:, 0, 0]}, "targets are y, expected y1, y2 as in training"),
    ):
        np.savez("d.npz", **train | test)
        result = run("fit", "d.npz", *FAST, code=1)
        assert message in result.stderr
        assert "epoch 1" not in result.stderr


# fit: twenty files that cannot be used


def numbered(values):
    return "t,a\n" + "".join(f"{t},{value}\n" for t, value in enumerate(values))


SEQUENCES = ["--id", "id", "--label", "k"]
TS = "@classLabel true a b\n@data\n"
MALFORMED = [
    ("empty.csv", "", [], "the file is empty"),
    ("header.csv", "a,b\n", [], "a header but no row"),
    ("binary.csv", bytes(range(256)) * 4, [], "the file is not UTF-8 text"),
    ("ragged.csv", "t,a\n1,2\n3,4,5\n", [], "line 3: the row has 3 cells, expected 2"),
    ("missing.csv", numbered([1, 2, "", 4]), [], "line 4, column 'a': the value is missing"),
    ("nan.csv", numbered([1, "nan", 3]), [], "line 3, column 'a': the value is missing"),
    ("word.csv", numbered([1, "many", 3]), [], "line 3, column 'a': 'many' is not a finite number"),
    ("infinite.csv", numbered([1, 2, "-inf"]), [], "line 4, column 'a': '-inf' is not a finite number"),
    ("comma.csv", "t;a\n1;1.5\n2;2,5\n", [], "write decimals with a point"),
    ("column.csv", numbered(range(50)), ["--column", "b"], "column 'b' does not exist; there are t, a"),
    ("choice.csv", "a,b\n1,2\n1,3\n", [], "2 columns hold numbers (a, b); choose one with --column"),
    ("constant.csv", numbered([7] * 60), [], "column 'a' is constant (7)"),
    ("short.csv", numbered([1, 5, 2, 8, 3]), [], "the series is too short: 5 values"),
    ("backwards.csv", "year,a\n2003,1\n2002,2\n2001,3\n", [], "'year' runs backwards"),
    ("id.csv", "id,a,k\nx,1,u\n", ["--id", "who", "--label", "k"], "column 'who' does not exist; there are id, a, k"),
    ("labels.csv", "id,a,k\nx,1,u\nx,2,v\n", SEQUENCES, "sequence 'x' has 'v' here and 'u' in line 2"),
    ("flat.csv", "id,a,b,k\n" + "".join(f"{i},{i},5,k{i % 2}\n" for i in range(9)), SEQUENCES, "'b' is constant (5)"),
    ("one.csv", "id,a,k\n" + "".join(f"{i},{i},u\n" for i in range(9)), SEQUENCES, "every sequence is of class 'u'"),
    ("gap.ts", TS + "1,2:3,4:a\n1,?:3,4:b\n", [], "line 4, dimension 1: a value is missing ('?')"),
    ("class.ts", TS + "1,2:c\n", [], "class 'c' is not declared; @classLabel has a, b"),
    ("unlabelled.ts", "@classLabel false\n@data\n" + "1,2\n3,5\n" * 5, [], "have no classes"),
    ("text.npz", b"not an archive", [], "is not an .npz archive"),
    ("book.xlsx", b"PK", [], "files of kind '.xlsx' are not known"),
]


@pytest.mark.parametrize(("name", "content", "options", "phrase"), MALFORMED, ids=[case[0] for case in MALFORMED])
def test_malformed_files_are_told_what_is_wrong(run, name, content, options, phrase):
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    for extra in ([], ["--json"]):
        result = run("fit", name, *FAST, *options, *extra, code=1)
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert name in errors[0]
        assert phrase in errors[0]
        assert "rmse" not in result.stdout
    assert result.stdout == ""
    assert [path.name for path in Path().iterdir()] == [name]


def test_files_that_are_not_there(run):
    assert "there is no file 'no.csv'; embedded data sets are sunspots" in run("fit", "no.csv", code=1).stderr
    assert "is a folder" in run("fit", ".", code=1).stderr
    assert "must be a folder that exists" in run("fit", "sunspots", "--out", "no/m.safetensors", code=1).stderr
    assert "must be a folder that exists" in run("fit", "sunspots", "--plot", "no/p.png", code=1).stderr
    assert list(Path().iterdir()) == []
