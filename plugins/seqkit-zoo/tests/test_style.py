"""The package keeps what it promises: short steps, nothing backward by hand, sources, names."""

from __future__ import annotations

import ast
import inspect
import re
import statistics
import textwrap

import pytest
from cells import CELLS


def step_lines(cell: type) -> int:
    """Lines of the body of `step`, without its docstring."""
    function = ast.parse(textwrap.dedent(inspect.getsource(cell.step))).body[0]
    assert isinstance(function, ast.FunctionDef)
    _docstring, *body = function.body
    return body[-1].end_lineno - body[0].lineno + 1


def test_steps_are_short() -> None:
    assert statistics.median(map(step_lines, CELLS.values())) <= 15
    assert max(map(step_lines, CELLS.values())) <= 25


@pytest.mark.parametrize("name", CELLS)
def test_cell_says_where_it_comes_from(name: str) -> None:
    cell = CELLS[name]
    assert cell.name == name
    assert re.search(r"Source: .+(\d{4}\.\d{4,5}|doi)", inspect.getdoc(cell), re.DOTALL), "paper with its address"
    assert ".. math::" in inspect.getdoc(cell)
    assert not [method for method in vars(cell) if "backward" in method]
