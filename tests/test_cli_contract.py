"""What every command owes its users: help that teaches, exit codes, one sentence for every error, completion."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import seqkit
from seqkit import doctor
from seqkit.cli import TRACEBACK, main
from seqkit.cli.predict import ROWS
from seqkit.cli.progress import Progress
from seqkit.errors import DataError

FAST = ("--units", "3", "--epochs", "1", "--threads", "1", "--quiet")
HOME = str(Path(seqkit.__file__).parents[1])
SLOW_EXAMPLES = ("seqkit bench", "seqkit plugins check")  # each takes seconds; they are only parsed
NOT_HERE = (
    "fetch",
    "SEQKIT_CACHE",
    "sensor.csv",
    "detector.safetensors",
    "X_TEST.ts",
    "sales.csv",
    "walks.csv",
    "model.pt",
    "my_package",
)


def commands(group: Any = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its name, groups included."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield (*path, name), command
            if isinstance(command, click.Group):
                yield from commands(command, (*path, name))


COMMANDS = dict(commands())


def examples() -> Iterator[str]:
    """The lines under "Examples" of every help text."""
    for command in COMMANDS.values():
        text = f"{command.help}\n{command.epilog or ''}"
        lines = text.split("Examples", 1)[-1].splitlines()[1:]
        yield from (line.partition("#")[0].strip() for line in lines if " seqkit " in f" {line}")


# help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_for_and_gives_examples(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], prog_name="seqkit")
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[0].startswith(f"Usage: seqkit {' '.join(path)}")
    assert lines[2].endswith((".", ":")) or len(lines[2]) > 40
    shown = lines[lines.index(next(line for line in lines if line.startswith("Examples"))) + 1 :]
    assert 2 <= len([line for line in shown if "seqkit " in line]) <= 4
    assert max(map(len, result.output.splitlines())) <= 120


@pytest.mark.parametrize("width", [40, 80, 200])
def test_help_at_any_width(width: int) -> None:
    for path in COMMANDS:
        result = CliRunner().invoke(main, [*path, "-h"], terminal_width=width)
        assert result.exit_code == 0
        assert "Examples" in result.output


def test_examples_are_accepted_and_run(run: Any) -> None:
    run("fit", "sunspots", *FAST)
    for line in dict.fromkeys(examples()):
        words = [word for word in re.split(r" [|>] ", line)[0].split() if not word.startswith("SEQKIT_")]
        if line.startswith("eval") or ">>" in line:
            continue
        assert words[0] == "seqkit"
        if line.startswith(SLOW_EXAMPLES) or any(name in line for name in NOT_HERE) or words[1] == "doctor":
            parsed(words[1:])
        else:
            run(*words[1:], *(FAST if words[1] == "fit" else ()))


def parsed(words: list[str]) -> None:
    """Options and arguments are accepted; nothing is run."""
    command: Any = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    command.make_context("seqkit", words)


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if path not in {("plugins",), ("completion",), ("datasets",)}], ids=" ".join
)
def test_every_result_can_be_json(path: tuple[str, ...]) -> None:
    assert "--json" in {name for param in COMMANDS[path].params for name in param.opts}


# errors


def test_mistyped_commands_and_options(run: Any) -> None:
    assert "no command 'fti'; did you mean 'fit'?" in run("fti", code=2).stderr
    assert "no command 'chek'; did you mean 'check'?" in run("plugins", "chek", code=2).stderr
    assert "there are fit, predict" in run("zzzz", code=2).stderr
    assert "did you mean 'sunspots'?" in run("fit", "sunspts", code=1).stderr
    assert "--units" in run("fit", "sunspots", "--unit", "3", code=2).stderr
    assert "No such option" in run("--nonsense", code=2).stderr


def test_an_error_with_json_is_a_sentence_beside_it(run: Any) -> None:
    """Nothing half is printed: standard output is one document or nothing."""
    for arguments in (["fit", "no.csv", "--json"], ["predict", "no.safetensors", "no.csv", "--json"]):
        result = run(*arguments, code=1)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")


def test_a_fault_of_ours_is_a_sentence_too(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqkit.cli import info

    def fail() -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr(info, "environment", fail)
    assert "Error: ZeroDivisionError: oh no. This is a fault of seqkit" in run("info", code=1).stderr
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, ["info"], catch_exceptions=False)


VALUES = ("", "nonsense", "-1", "0", "nan", "inf", "1e999", "99999999999999999999", "../..", "\udcff", "ä,ö")


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if command.params], ids=" ".join)
def test_nonsense_values_end_with_a_sentence(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every option and every argument, with values that make no sense: exit code 1 or 2, or a harmless 0."""
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[path]
    required = ["missing.file" for param in command.params if isinstance(param, click.Argument) and param.required]
    if path == ("bench",):
        required = ["--fail-above", "2"]  # needs --compare: what is accepted is not measured
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_flag and "--time-limit" not in param.opts:
            for value in VALUES:
                check(CliRunner().invoke(main, [*path, *required, param.opts[0], value]), (*path, param.opts[0], value))
    values = () if path == ("plugins", "new") else VALUES[:2] if path == ("plugins", "check") else VALUES
    for value in values if required and path != ("bench",) else ():
        check(CliRunner().invoke(main, [*path, *[value] * len(required)]), (*path, value))


def check(result: Any, what: Any) -> None:
    """No traceback, no fault of ours."""
    assert result.exit_code in (0, 1, 2), (what, result.output)
    assert result.exception is None or isinstance(result.exception, SystemExit), (what, result.exception)
    assert "fault of seqkit" not in result.output, (what, result.output)
    assert "Traceback" not in result.output, what
    if result.exit_code and what[:2] != ("plugins", "check"):  # whose report says what failed
        assert "Error: " in result.stderr, what


@pytest.mark.parametrize("target", ["folder", "no/such/folder/x", "/proc/x", "folder/"])
def test_outputs_that_cannot_be_written(run: Any, target: str) -> None:
    Path("folder").mkdir()
    run("fit", "sunspots", *FAST)
    for arguments in (
        ["fit", "sunspots", *FAST, "--out", target],
        ["predict", "sunspots.safetensors", "sunspots", "--out", target],
        ["convert", "sunspots.safetensors", target],
    ):
        result = CliRunner().invoke(main, arguments)
        check(result, arguments)
        assert result.exit_code in (1, 2), (arguments, result.output)
        assert str(Path(target).parent if target.startswith("/proc") else Path(target)) in result.stderr


def test_pictures_that_cannot_be_drawn_are_said_before_the_work(run: Any) -> None:
    """Of a kind that there is not, or none at all; nothing is trained for nothing."""
    run("fit", "sunspots", *FAST)
    before = sorted(Path().iterdir())
    for arguments in (
        ("fit", "sunspots", *FAST, "--out", "new.safetensors"),
        ("detect", "sunspots", "--save", "new.safetensors"),
        ("explain", "sunspots.safetensors", "sunspots", "--out", "new.html"),
        ("bench", "--cell", "gru", "--quick", "--save", "new.json"),
    ):
        for name in ("picture.xyz", "picture"):
            assert f"{name}: no picture has the ending" in run(*arguments, "--plot", name, code=1).stderr
    assert sorted(Path().iterdir()) == before


def test_a_column_may_have_any_name(run: Any, tmp_path: Path) -> None:
    """What matplotlib would read as a formula, and names that the columns of a forecast have."""
    for name in (r"$\frac{$", "time", "forecast"):
        values = [float(n * n % 17) for n in range(60)]
        Path("odd.csv").write_text("\n".join([name, *map(str, values)]))
        run("fit", "odd.csv", *FAST)
        row = list(csv.reader(run("predict", "odd.safetensors", "odd.csv").stdout.splitlines()))
        window = 60 - len(row) + 2
        assert row[0] == ["time", name if name.startswith("$") else f"true {name}", "forecast"]
        assert [(line[0], float(line[1])) for line in row[1:-1]] == [(str(n + 1), values[n]) for n in range(window, 60)]
        run("explain", "odd.safetensors", "odd.csv", "--plot", "odd.png")


def test_a_file_is_written_whole_or_not(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run("fit", "sunspots", *FAST)
    Path("old.csv").write_text("old")

    def broken(*arguments: Any) -> Iterator[dict[str, Any]]:
        yield {"time": "1", "forecast": 2.0}
        raise DataError("no more")

    monkeypatch.setitem(ROWS, "forecast", broken)
    assert "no more" in run("predict", "sunspots.safetensors", "sunspots", "--out", "old.csv", code=1).stderr
    assert Path("old.csv").read_text() == "old"


def test_progress_fits_into_the_line_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(9)
    shown.on_epoch_end(0, {"loss": 0.125, "val_loss": 0.5})
    assert capsys.readouterr().err.replace("\x1b[K", "") == "\repoch 1/9  loss 0.1"


def test_what_is_no_number_is_wrong_usage(run: Any) -> None:
    """NaN is above no limit and below none: a gate would never close."""
    for arguments in (
        ("bench", "--compare", "old.json", "--fail-above"),
        ("convert", "a.onnx", "b.onnx", "--tolerance"),
        ("detect", "sunspots", "--train"),
        ("fit", "sunspots", "--learning-rate"),
    ):
        for value in ("nan", "inf", "-1"):
            Path("old.json").touch()
            message = run(*arguments, value, code=2).stderr
            assert "is not a finite number" in message or "is not in the range" in message


def test_what_is_no_layer_is_said(run: Any) -> None:
    report = run("plugins", "check", "os:path", code=1).stdout
    assert "expected a class of a cell or layer, or an unbuilt layer" in report


def test_the_version(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of sources that are not installed."""
    monkeypatch.setattr(metadata, "version", lambda name: 1 / 0)
    assert run("--version").stdout == f"seqkit {seqkit.__version__}\n"


def real(*arguments: str | bytes, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    command = [sys.executable, "-P", "-m", "seqkit", *arguments]
    return subprocess.run(
        command, env=os.environ | {"PYTHONPATH": HOME} | environment, cwd=folder, capture_output=True, timeout=60
    )


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """File names are bytes: data and models of any name are read and written."""
    name = b"caf\xe9.csv"
    with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:
        file.write("value\n" + "".join(f"{n * n % 17}\n" for n in range(60)))
    done = real("fit", name, *FAST, folder=tmp_path, LC_ALL="C.UTF-8")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert b"caf\xe9.safetensors" in b"".join(sorted(os.listdir(os.fsencode(tmp_path))))
    done = real("explain", b"caf\xe9.safetensors", name, "--out", "page.html", folder=tmp_path, LC_ALL="C.UTF-8")
    assert done.returncode == 0, done.stderr
    assert "<h1>caf?.safetensors: 60</h1>" in (tmp_path / "page.html").read_text()
    done = real("predict", b"caf\xe9.safetensors", b"no\xff.csv", folder=tmp_path, LC_ALL="C")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert b"Traceback" not in done.stderr


def test_colours_are_for_terminals_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ("package.versions",))
    monkeypatch.delenv("NO_COLOR", raising=False)
    for terminal, refused, coloured in ((True, "", True), (True, "1", False), (False, "", False)):
        result = CliRunner().invoke(main, ["doctor"], color=terminal, env={"NO_COLOR": refused})
        assert result.stdout.lstrip("\x1b[32m").startswith("ok ")
        assert ("\x1b[" in result.stdout) is coloured


# completion


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers behind a line: the printed script runs in it, and asks the command."""
    program = f"""
        seqkit() {{ "{sys.executable}" -P -c 'from seqkit.cli import main; main(prog_name="seqkit")' "$@"; }}
        env() {{ while [[ $1 == *=* ]]; do local -x "$1"; shift; done; "$@"; }}
        eval "$(seqkit completion bash)"
        [[ "{line}" == *" " ]] && COMP_WORDS=({line} "") || COMP_WORDS=({line})
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _seqkit_completion seqkit
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", program], env=os.environ | {"PYTHONPATH": HOME}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [name for name in done.stdout.split("\n") if name]


def test_bash_completes(tmp_path: Path) -> None:
    assert completed("seqkit pr", tmp_path) == ["predict"]
    assert completed("seqkit fit --bi", tmp_path) == ["--bidirectional"]
    assert completed("seqkit fit --cell pee", tmp_path) == ["peephole"]
    assert completed("seqkit layers emb", tmp_path) == ["embedding"]
    assert "sunspots" in completed("seqkit fit sun", tmp_path)
    assert completed("seqkit predict --precision i", tmp_path) == ["int8"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"fit", "predict", "doctor", "completion"}),
        ("plugins ", {"list", "new", "check"}),
        ("bench --cell lstm,gr", {"lstm,gru"}),
        ("convert --from ker", {"keras"}),
        ("completion z", {"zsh"}),
    ],
)
def test_what_a_shell_is_told(words: str, expected: set[str]) -> None:
    *before, last = words.split(" ")
    asked = {"_SEQKIT_COMPLETE": "zsh_complete", "COMP_WORDS": f"seqkit {words}", "COMP_CWORD": str(len(before) + 1)}
    result = CliRunner().invoke(main, [], prog_name="seqkit", env=asked, complete_var="_SEQKIT_COMPLETE")
    offered = set(result.output.split("\n")[1::3])
    assert offered >= expected
    assert all(name.startswith(last) for name in offered)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_of_shells(run: Any, shell: str) -> None:
    script = run("completion", shell).stdout
    assert f"_SEQKIT_COMPLETE={shell}_complete" in script
    assert re.search(r"\bseqkit\b", script)


def test_an_interrupted_run_and_a_reader_that_goes(tmp_path: Path) -> None:
    """The rest of the exit codes: 3 is in the tests of bench, 130 and a closed pipe in those of the command line."""
    document = json.loads(real("layers", "--json", folder=tmp_path).stdout)
    assert len(document) > 10
    command = f'"{sys.executable}" -P -m seqkit layers lstm --program | head -n 1'
    done = subprocess.run(
        ["bash", "-c", command], env=os.environ | {"PYTHONPATH": HOME}, cwd=tmp_path, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
