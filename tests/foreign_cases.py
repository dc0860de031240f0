"""Cases on which the references of ``seqkit/interop/reference`` are compared with the libraries themselves.

A case is what one function of a reference is called with: `arrays` by name and `options` of plain types.  A name with a
slash is a part of a collection: ``weights/0``, ``weights/1`` are a list, ``state_dict/weight_ih_l0`` is of a dict.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Frozen = dict[str, tuple["Case", list[np.ndarray]]]
"""Cases and what the library answered, by name."""


@dataclass(frozen=True)
class Case:
    """One call of a reference."""

    function: str
    arrays: Arrays
    options: dict[str, Any]


def part(arrays: Arrays, name: str) -> Any:
    """An array, the dict or the list of the arrays whose names begin so; None where there is none."""
    if name in arrays:
        return arrays[name]
    found = {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}
    return tuple(found.values()) if all(key.isdigit() for key in found) and found else found or None


def answer(case: Case, module: ModuleType) -> list[np.ndarray]:
    """What a reference computes, as a flat list."""
    function = getattr(module, case.function)
    names = dict.fromkeys(key.split("/")[0] for key in case.arrays)
    arguments = {name: part(case.arrays, name) for name in names}
    return flat(function(**arguments, **case.options))


def flat(result: Any) -> list[np.ndarray]:
    """Arrays of a result that may be nested."""
    if not isinstance(result, (tuple, list)):
        return [np.asarray(result)]
    return [array for one in result for array in flat(one)]


def assert_same(got: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    """Every array, to `tolerance` of its largest number."""
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1, np.abs(other).max(initial=0)))


def save(path: Path, frozen: Frozen) -> None:
    """Cases and their answers in one file."""
    entries: Arrays = {}
    for name, (case, results) in frozen.items():
        about = {key: value for key, value in asdict(case).items() if key != "arrays"}
        entries[f"{name}:about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        entries |= {f"{name}:given:{key}": array for key, array in case.arrays.items()}
        entries |= {f"{name}:answer:{number}": array for number, array in enumerate(results)}
    np.savez_compressed(path, allow_pickle=False, **entries)


def load(path: Path) -> Frozen:
    """What :func:`save` kept."""
    with np.load(path, allow_pickle=False) as file:
        entries = dict(file)
    frozen = {}
    for name in (key.removesuffix(":about") for key in entries if key.endswith(":about")):
        about = json.loads(entries[f"{name}:about"].tobytes())
        given, answers = f"{name}:given:", f"{name}:answer:"
        arrays = {key.removeprefix(given): entries[key] for key in entries if key.startswith(given)}
        results = [entries[key] for key in entries if key.startswith(answers)]
        frozen[name] = Case(arrays=arrays, **about), results
    return frozen
