"""Cases on which seqkit is compared with other libraries: what is run, what its arrays are called, how it is kept.

A case holds the arrays `given` to both sides and those `expected` back, in seqkit's layout.
`<at>` is the place of a cell, "<layer>/<direction>", for instance ``1/reverse``; `<state>` is h or c.

=========  ===================================  ==========================================================
given      ``x``                                (B, T, I); the padding is NaN, so that reading it shows
given      ``params/<at>/<name>``               as in ``layer.params``
given      ``state/<at>/<state>``               (B, H), the initial state; 0 where the case gives none
given      ``upstream/y``                       (B, T, D*H), gradient of the output; the padding is NaN
given      ``upstream/<at>/<state>``            (B, H), gradient of the final state
expected   ``y``, ``final/<at>/<state>``        output and final state
expected   ``grad/x``, ``grad/params/<at>/...``  (losses, ...): a first axis for the loss, in the order of
expected   ``grad/state/<at>/<state>``          ``spec.losses``: upstream on y only, on h only, on c only
=========  ===================================  ==========================================================

Given numbers are multiples of 2**-16 below 2: float32 holds them, and the sum of two biases, exactly.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]

STATES = {"lstm": ("h", "c"), "peephole": ("h", "c")}


@dataclass(frozen=True)
class Spec:
    """One network and the size of its data; `lengths` None is a full batch."""

    cell: str
    directions: tuple[str, ...] = ("forward",)
    layers: int = 1
    inputs: int = 5
    units: int = 7
    batch: int = 4
    time: int = 6
    lengths: tuple[int, ...] | None = None
    initial: bool = True

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states of the cell."""
        return STATES.get(self.cell, ("h",))

    @property
    def losses(self) -> tuple[str, ...]:
        """What each loss looks at: the output alone, or one final state alone."""
        return ("y", *self.states)

    @property
    def places(self) -> list[str]:
        """Every cell of the network, layer by layer, then by direction."""
        return [f"{layer}/{direction}" for layer in range(self.layers) for direction in self.directions]

    @property
    def inside(self) -> np.ndarray:
        """Boolean (B, T): which steps are inside their sequence."""
        lengths = np.full(self.batch, self.time) if self.lengths is None else np.array(self.lengths)
        return np.arange(self.time) < lengths[:, None]

    def stack(self, arrays: Arrays, prefix: str, state: str) -> np.ndarray:
        """One state of every place as (layers * D, B, H), as PyTorch and ONNX have it."""
        return np.stack([arrays[f"{prefix}/{at}/{state}"] for at in self.places])

    def unstack(self, prefix: str, stacked: Arrays) -> Arrays:
        """The inverse of :meth:`stack` for all states."""
        places = enumerate(self.places)
        return {f"{prefix}/{at}/{state}": stacked[state][k] for k, at in places for state in self.states}


@dataclass(frozen=True)
class Case:
    """Arrays given and expected (by dtype), and which library the expected ones come from (by dtype)."""

    spec: Spec
    given: Arrays
    expected: dict[str, Arrays]
    source: dict[str, str]

    def __post_init__(self) -> None:
        """The NaN of the padding must not reach a peer's answer."""
        for expected in self.expected.values():
            assert all(np.isfinite(array).all() for array in expected.values())


def grid(rng: np.random.Generator, *shape: int, bound: float = 1.0) -> np.ndarray:
    """Uniform numbers within `bound` on the grid of 2**-16, as float32."""
    return (np.round(rng.uniform(-bound, bound, shape) * 2**16) / 2**16).astype(np.float32)


def draw_data(spec: Spec, rng: np.random.Generator) -> Arrays:
    """All `given` arrays of a case except its parameters."""
    padding = ~spec.inside
    x = grid(rng, spec.batch, spec.time, spec.inputs)
    dy = grid(rng, spec.batch, spec.time, spec.units * len(spec.directions))
    x[padding] = dy[padding] = np.nan
    given = {"x": x, "upstream/y": dy}
    for at in spec.places:
        for state in spec.states:
            given[f"state/{at}/{state}"] = grid(rng, spec.batch, spec.units) * np.float32(spec.initial)
            given[f"upstream/{at}/{state}"] = grid(rng, spec.batch, spec.units)
    return given


def save(path: Path, case: Case) -> None:
    """Write a case as one compressed .npz file."""
    source = {dtype: case.source[dtype] for dtype in case.expected}
    arrays: dict[str, Any] = {"about": json.dumps({"spec": asdict(case.spec), "source": source})}
    for group, members in {"given": case.given, **case.expected}.items():
        arrays |= {f"{group}/{name}": array for name, array in members.items()}
    np.savez_compressed(path, **arrays)


def load(path: Path) -> Case:
    """Read what :func:`save` wrote."""
    groups: dict[str, Arrays] = {}
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        for key in file.files:
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = file[key]
    plain = about["spec"].items()  # JSON has no tuples
    spec: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in plain}
    return Case(Spec(**spec), groups["given"], {dtype: groups[dtype] for dtype in about["source"]}, about["source"])
