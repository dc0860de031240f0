"""Who may import whom: a module imports only from lower floors.

The table is read from the sources, imports inside functions and ``cimport`` included.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "seqkit"  # the sources: an installed package has no .pyx

# From the ground up.  Modules of one floor do not import each other, except inside one folder,
# and there never in a circle.
FLOORS = (
    ("errors",),
    ("_core",),
    ("available", "discovery", "limits", "arrays"),
    (
        "options",
        "safetensors_header",
        "pools",
        "arena_pool",
        "parameters",
        "generators",
        "counter",
        "inputs",
        "sequences",
        "equations",
    ),
    ("data", "checkpoint", "plan"),
    ("activations", "initializers", "steps", "windows", "rows", "streams", "packing", "native", "long_short_term"),
    ("layer", "masks", "cell_arrays"),
    ("sequence_layer", "execution", "importing", "parts"),
    ("state_pool", "segments"),
    ("recurrent",),
    ("chain", "recorded"),
    ("registry",),
    ("wrapper", "catalog", "composite", "merge", "wiring", "attention"),
    ("graph",),
    ("cells", "layers"),
    ("stack",),
    ("training", "summary", "generation"),
    ("saving",),
    ("model",),
    ("seq2seq",),
    ("bench", "build", "datasets", "tasks", "precision", "scaffold", "testing", "interop", "explain"),
    ("estimators", "doctor"),
    ("cli",),
    ("__main__",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
SIBLINGS = ("cells", "layers")  # files of these folders do not know each other


def sources() -> dict[str, list[Path]]:
    """Files of every module by dotted name without "seqkit.", but for the roof."""
    found: dict[str, list[Path]] = {}
    for ending in ("*.py", "*.pyx", "*.pxd"):
        for path in sorted(PACKAGE.rglob(ending)):
            name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
            if name != "__init__":
                found.setdefault(name, []).append(path)
    return found


SOURCES = sources()


def modules_of(text: str, python: bool = True) -> Iterator[str]:
    """Dotted names of the modules of seqkit that a source imports, without "seqkit."; "" is the roof."""
    for module, names in imports_of_python(text) if python else imports_of_cython(text):
        if module.split(".")[0] != "seqkit":
            continue
        full = [f"{module}.{name}".removeprefix("seqkit.") for name in names]
        known = [name for name in full if name in SOURCES]
        yield from known if len(known) == len(full) > 0 else [*known, module.removeprefix("seqkit").removeprefix(".")]


def imports_of_python(text: str) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ("seqkit." if node.level else "") + (node.module or ""), [alias.name for alias in node.names]


def imports_of_cython(text: str) -> Iterator[tuple[str, list[str]]]:
    flat = re.sub(r"\(([^)]*)\)", lambda match: match[1].replace("\n", " "), text)
    for module, names in re.findall(r"^\s*from ([\w.]+) c?import (.+)$", flat, flags=re.MULTILINE):
        yield module, [name.split(" as ")[0].strip() for name in names.split(",") if name.strip()]
    yield from ((module, []) for module in re.findall(r"^\s*c?import ([\w.]+)", flat, flags=re.MULTILINE))


def targets(name: str) -> set[str]:
    """Modules that a module imports."""
    return {target for path in SOURCES[name] for target in modules_of(path.read_text(), path.suffix == ".py")}


def test_every_kind_of_import_is_seen() -> None:
    text = "def f():\n    from seqkit.layer import Layer\nimport seqkit.rows as r, numpy\nimport seqkit"
    assert sorted(modules_of(text + "\nfrom seqkit import _core, LSTM")) == ["", "", "_core", "layer", "rows"]
    assert list(modules_of("from seqkit.training import losses, batches")) == ["training.losses", "training.batches"]
    assert list(modules_of("from .layer import Layer")) == ["layer"]
    text = (
        "from seqkit._core.calls cimport (\n    A, B,\n    C,\n)\nfrom libc.stdlib cimport free\n  cimport seqkit.rows"
    )
    assert sorted(modules_of(f"{text}\nfrom seqkit._core cimport machine", python=False)) == [
        "_core.calls",
        "_core.machine",
        "rows",
    ]
    assert [path.suffix for path in SOURCES["_core.calls"]] == [".pyx", ".pxd"]


def test_every_module_has_its_floor() -> None:
    assert {name.split(".")[0] for name in SOURCES} == set(FLOOR)


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_down(name: str) -> None:
    here = name.split(".")[0]
    for target in targets(name):
        there = target.split(".")[0]
        assert there in FLOOR, f"{name} imports {target or 'the roof'}, which is not a module below it"
        if there == here:
            assert here not in SIBLINGS, f"{name} imports its sibling {target}"
        else:
            assert FLOOR[there] < FLOOR[here], f"{name} (floor {FLOOR[here]}) imports {target} (floor {FLOOR[there]})"


def test_no_circles() -> None:
    graph = {name: targets(name) - {name} for name in SOURCES}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(SOURCES)  # raises CycleError


def test_equations_know_no_layers_and_the_core_only_its_tables() -> None:
    """What a cell's author touches does not load the engine's callers."""
    allowed = {"errors", "equations", "_core"}
    used = {target.split(".")[0] for name in SOURCES if name.startswith("equations") for target in targets(name)}
    assert used <= allowed


def test_errors_import_nothing() -> None:
    assert not targets("errors")
    assert [module for module, _ in imports_of_python(SOURCES["errors"][0].read_text())] == ["__future__"]
