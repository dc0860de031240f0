"""The kit itself: layers that are right pass it, layers that are wrong fail the check named for their fault."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checks.broken import BROKEN, HARMFUL, RIGHT, name_of
from click.testing import Result as Answer

import seqkit
from seqkit import registry
from seqkit.equations import Cell, tanh
from seqkit.errors import ConfigError, UnknownLayerError
from seqkit.layer import Layer
from seqkit.testing import CHECKS, check_isolated, check_layer
from seqkit.testing.runner import hint_of, run_check
from seqkit.testing.subject import Subject


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, and in no other test, the layers have names."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    for name, cls in (RIGHT | {name_of(broken): broken for broken in BROKEN}).items():
        registry.register(name)(cls)


@pytest.mark.parametrize("name", RIGHT)
def test_layers_that_are_right(name: str) -> None:
    report = check_layer(name)
    assert report.passed, report


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_layers_that_are_wrong(broken: type[Layer]) -> None:
    result = run_check(BROKEN[broken], Subject(broken))
    assert result.outcome == "failed", result
    assert result.message
    assert result.hint


def test_every_check_finds_something() -> None:
    """Here, or in test_mutants.py."""
    import test_mutants

    elsewhere = {check for check, *_ in test_mutants.LINES.values()} | set(test_mutants.METHODS.values())
    assert set(CHECKS) - set(BROKEN.values()) - elsewhere == set()
    assert len(CHECKS) >= 35
    assert len(BROKEN) >= 20


# ---- in a process of its own ---------------------------------------------------------------------


@pytest.mark.parametrize("harmful", HARMFUL, ids=lambda harmful: harmful.__name__)
def test_layers_that_harm_the_process(harmful: type[Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    """One check fails, and says where; all others are run."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    check, message = HARMFUL[harmful]
    seen: list[str] = []
    report = check_isolated(
        f"checks.broken:{harmful.__name__}", time_limit=2.0, on_result=lambda result: seen.append(result.name)
    )
    by_name = {result.name: result for result in report.results}
    assert seen == list(by_name) == list(CHECKS)
    assert by_name[check].outcome == "failed"
    assert message in by_name[check].message
    assert {result.name for result in report.failures} <= {check, "check_docstring"}


# ---- what is said --------------------------------------------------------------------------------


def test_report() -> None:
    """Numbers, the property and a hint for people; the same for programs."""
    report = check_layer("broken_halfagradient")
    failure = next(result for result in report.failures if result.name == "check_vectors")
    assert not report.passed
    text = str(report)
    assert text.startswith("broken_halfagradient: ")
    assert "FAILED check_vectors: gradient of x for a loss of y: relative error 1.0e+00" in text
    assert "A layer that takes vectors has exact gradients" in text
    assert "not applicable, it draws no random numbers: check_random_state" in text
    document = json.loads(json.dumps(report.as_dict()))
    assert document["subject"] == "broken_halfagradient"
    assert document["passed"] is False
    assert {result["name"] for result in document["results"]} == set(CHECKS)
    assert failure.message in [result["message"] for result in document["results"]]


def test_expected_failures() -> None:
    reasons = {result.name: "half of it" for result in check_layer("broken_halfagradient").failures}
    report = check_layer("broken_halfagradient", expected_failures=reasons)
    assert report.passed
    assert f"{len(reasons)} expected" in report.summary
    report = check_layer("right_scale", expected_failures={"check_gradients": "no idea"})
    assert [result.message for result in report.failures] == ["passes, but is expected to fail: no idea"]
    with pytest.raises(ConfigError, match="no check named 'check_gradient'; did you mean 'check_gradients'"):
        check_layer("right_scale", expected_failures={"check_gradient": ""})


TESTS = """
import seqkit
from seqkit.testing import parametrize_layer_checks

class Wrong(seqkit.Layer):
    "Its gradient is half of what it is."
    def forward(self, x, lengths=None, state=None, training=True):
        return 2.0 * x, None
    def backward(self, dy, cache, dstate=None, input_grad=True):
        return 1.0 * dy, ()

@parametrize_layer_checks(Wrong, expected_failures={"check_gradients": "half", "check_docstring": "none"})
def test_wrong(check):
    check()

@parametrize_layer_checks("last_step", seqkit.Dense(3), seqkit.Dense(4))
def test_right(check):
    check()
"""


def test_tests_of_pytest(tmp_path: Path) -> None:
    """Passed, skipped with a reason, expected, and failed where an expected failure passes."""
    (tmp_path / "test_own.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_own.py"]
    path = {"PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
    output = subprocess.run(command, cwd=tmp_path, env=os.environ | path, capture_output=True, text=True).stdout
    for line in (
        r"XFAIL test_own.py::test_wrong\[Wrong-check_gradients\] - half",
        r"FAILED test_own.py::test_wrong\[Wrong-check_docstring\]",
        r"PASSED test_own.py::test_right\[last_step-check_gradients\]",
        r"PASSED test_own.py::test_right\[dense1-check_gradients\]",
        r"PASSED test_own.py::test_right\[dense2-check_gradients\]",
        r"SKIPPED .* it draws no random numbers",
    ):
        assert re.search(f"^{line}", output, flags=re.MULTILINE), output


# ---- what is checked -----------------------------------------------------------------------------


def test_subjects() -> None:
    """A name, a class, an unbuilt layer; sizes that it can be built with."""

    class Heads(Cell):
        gates, states = ("n",), ("h",)

        def __init__(self, heads: int = 4, **options: Any) -> None:
            super().__init__(**options)
            self.heads_of_mine = heads

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            return {"h": tanh(x.n + U.n @ s.h)}

    class Divisible(seqkit.Recurrent):
        def __init__(self, units: int, **options: Any) -> None:
            super().__init__(Heads, units, **options)
            if units % 4:
                raise ConfigError("units must be divisible by 4")

    assert Subject(Heads)("float32").units == 18
    layer = Subject(Divisible)("float64")
    assert (layer.units, layer.dtype, layer.return_sequences) == (20, "float64", True)
    given = seqkit.Recurrent(Heads, 3, heads=2, return_sequences=False)
    found = Subject(given)("float32", go_backwards=True)
    assert (found.units, found.options, found.go_backwards) == (3, {"heads": 2}, True)
    assert not given.built
    assert Subject(seqkit.Recurrent(Heads(heads=8), 3))("float32").cell.heads_of_mine == 8
    assert Subject("embedding")("float32").input_dim == 18
    assert Subject("checks.broken:Plain")("float32").units == 18
    assert Subject("right_wrapper")("float32").input_size == 18
    with pytest.raises(ConfigError, match="is built already"):
        Subject(seqkit.GRU(3).build(2))


def test_subjects_that_cannot_be() -> None:
    class Odd(Layer):
        def __init__(self, path: str) -> None:
            pass

        forward = backward = None  # type: ignore[assignment]

    with pytest.raises(ConfigError, match=r"Odd: nothing is known about its argument 'path' \(str\); check an unbuilt"):
        Subject(Odd)("float32")
    with pytest.raises(UnknownLayerError, match="did you mean 'lstm'"):
        Subject("lsmt")("float32")
    report = check_layer("lsmt")
    assert [result.name for result in report.failures] == ["check_build"]
    assert "UnknownLayerError: no layer named 'lsmt'" in report.failures[0].message
    assert len(report.results) == len(CHECKS)


# ---- the command ---------------------------------------------------------------------------------


def test_command(run: Callable[..., Answer]) -> None:
    answer = run("plugins", "check", "simple_rnn")
    assert answer.stdout.startswith("simple_rnn: ")
    assert " passed" in answer.stdout


def test_command_in_json(run: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    document = json.loads(run("plugins", "check", "checks.broken:Silent", "--json", code=1).stdout)
    assert [result["name"] for result in document["results"] if result["outcome"] == "failed"] == ["check_docstring"]
    document = json.loads(
        run("plugins", "check", "checks.broken:Silent", "--expect", "check_docstring", "--json").stdout
    )
    assert document["passed"] is True


def test_command_with_wrong_words(run: Callable[..., Answer]) -> None:
    assert "no check named 'check_x'" in run("plugins", "check", "gru", "--expect", "check_x", code=1).output
    assert "time_limit must be a positive number" in run("plugins", "check", "gru", "--time-limit", "0", code=1).output


def test_every_check_is_explained() -> None:
    """The page lists all checks by the first words of their docstrings."""
    page = (Path(__file__).parent.parent / "docs" / "testing-a-layer.md").read_text()
    listed = re.findall(r"^- `(check_\w+)`: (.+)$", page, flags=re.MULTILINE)
    properties = {name: " ".join(hint_of(name).split("\n\n")[0].split()) for name in CHECKS}
    assert [name for name, _ in listed] == list(CHECKS)
    assert {name: text.lower() for name, text in listed} == {name: text.lower() for name, text in properties.items()}
