"""The command line: exit codes, one JSON document, files that agree with each other, clear errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit import registry
from seqkit.cli.info import environment

FAST = ["--units", "3", "--epochs", "2", "--threads", "1"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
COMMAND = [sys.executable, "-P", "-c", "from seqkit.cli import main; main(prog_name='seqkit')"]


# the group


def test_help_lists_every_command_without_importing_numpy():
    program = (
        "import sys\nfrom seqkit.cli import main\ntry: main(['--help'])\n"
        "finally: sys.stderr.write(' '.join(m for m in ('numpy', 'matplotlib') if m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-P", "-c", program], env=ENVIRONMENT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    listed = result.stdout.split("Commands:")[1]
    names = ["fit", "predict", "detect", "explain", "datasets", "convert", "bench", "layers"]
    names += ["plugins", "info", "doctor", "completion"]
    assert [line.split()[0] for line in listed.strip().splitlines()] == names


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["fit"],
        ["fit", "sunspots", "--nonsense"],
        ["fit", "sunspots", "--units", "0"],
        ["fit", "sunspots", "--units", "many"],
        ["fit", "sunspots", "--dropout", "1"],
        ["fit", "sunspots", "--learning-rate", "0"],
        ["fit", "sunspots", "--threads", "0"],
        ["fit", "sunspots", "--threads", "100000"],
        ["fit", "sunspots", "--window", "-3"],
        ["fit", "sunspots", "--cell", "gur"],
        ["fit", "sunspots", "--cell", "dense"],
        ["fit", "sunspots", "--label", "sunspots"],
        ["fit", "sunspots", "--test", "other.csv"],
        ["fit", "sunspots", "--id", "year"],
        ["fit", "sunspots", "--id", "year", "--label", "a", "--target", "b"],
        ["fit", "sunspots", "--id", "year", "--label", "sunspots", "--window", "3"],
        ["fit", "sunspots", "--id", "year", "--label", "sunspots", "--plot", "a.png"],
        ["predict", "model"],
        ["layers", "gur"],
        ["layers", "--equations"],
        ["info", "extra"],
    ],
)
def test_wrong_usage(run, arguments):
    result = run(*arguments, code=2)
    assert result.stdout == ""
    assert "Usage: seqkit" in result.stderr
    assert list(Path().iterdir()) == []


def test_usage_errors_say_what_to_do(run):
    assert "did you mean 'gru'?" in run("fit", "sunspots", "--cell", "gur", code=2).stderr
    assert "did you mean 'gru'?" in run("layers", "gur", code=2).stderr
    assert "--id needs either --label" in run("fit", "sunspots", "--id", "year", code=2).stderr
    assert "--label is for sequences" in run("fit", "sunspots", "--label", "sunspots", code=2).stderr
    Path("a.ts").write_text("@data\n1,2\n")
    assert "--id is for tables; .ts files say themselves" in run("fit", "a.ts", "--id", "x", code=2).stderr


# predict


def test_predict_refuses_what_does_not_fit(run, write):
    write("a.csv", "who,a,kind\n" + "".join(f"{i},{i * 3 % 7},{'uv'[i % 2]}\n" for i in range(9)))
    run("fit", "a.csv", *FAST, "--id", "who", "--label", "kind")
    assert "column 'who' does not exist" in run("predict", "a.safetensors", "sunspots", code=1).stderr
    assert "cannot be read" in run("predict", "no.safetensors", "a.csv", code=1).stderr
    assert "not a safetensors file" in run("predict", "a.csv", "a.csv", code=1).stderr


# layers and info


def test_layers_are_listed_with_their_packages(run):
    lines = run("layers").stdout.splitlines()
    assert lines[0].split() == ["name", "target", "package", "remark"]
    listed = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert set(listed) == set(registry.names())
    assert listed["lstm"] == ["seqkit.cells.lstm:LSTM", "seqkit", seqkit.__version__]
    document = json.loads(run("layers", "--json").stdout)
    assert [entry["name"] for entry in document] == registry.names()


def test_a_broken_layer_is_listed_with_its_error(run, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN, "broken", "seqkit_no_such_package:Layer")
    (line,) = (line for line in run("layers").stdout.splitlines() if line.startswith("broken"))
    assert "cannot be imported: ModuleNotFoundError" in line
    assert "cannot be imported" in run("fit", "sunspots", "--cell", "broken", code=1).stderr


def test_equations_and_program(run):
    equations = run("layers", "gru", "--equations").stdout
    assert "h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]" in equations
    assert run("layers", "gru").stdout == equations
    program = run("layers", "gru", "--program").stdout
    assert "stage 0" in program
    both = run("layers", "gru", "--equations", "--program").stdout
    assert both == equations + "\n" + program
    document = json.loads(run("layers", "gru", "--equations", "--program", "--json").stdout)
    assert document == {"name": "gru", "equations": equations.rstrip("\n"), "program": program.rstrip("\n")}
    assert "'dense' has no equations" in run("layers", "dense", "--equations", code=1).stderr


def test_info(run):
    facts = json.loads(run("info", "--json").stdout)
    assert facts == environment()
    assert facts["numpy"] == np.__version__
    assert facts["instruction_set"] in facts["supported_instruction_sets"]
    assert facts["threads"] == seqkit.num_threads()
    text = run("info").stdout
    assert f"instruction set             {facts['instruction_set']}\n" in text


# a real process


def test_interrupted_training_ends_with_130(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(50, 20)), y=np.arange(50) % 2)
    arguments = [*COMMAND, "fit", "a.npz", "--epochs", "1000000", "--threads", "1"]
    with subprocess.Popen(arguments, env=ENVIRONMENT, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (line := process.stderr.readline()).startswith("epoch"):
            assert line  # what the data are, before training
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert (process.returncode, rest.strip()) == (130, "interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_reader_that_goes_away_is_no_traceback(run):
    run("fit", "sunspots", *FAST, "--quiet")
    arguments = [*COMMAND, "predict", "sunspots.safetensors", "sunspots"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, env=ENVIRONMENT, text=True, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
