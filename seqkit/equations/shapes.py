"""Shapes: the sizes of a program in a layer of given units and input.

Legend: F features that W multiplies, I features of the input: F and those of raw inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqkit.equations.cell import Parameter
from seqkit.equations.program import Program
from seqkit.equations.sizes import Size
from seqkit.errors import ShapeError


@dataclass(frozen=True)
class Shapes:
    """How large everything is that a program computes with.

    Parameters
    ----------
    program : Program
        A traced step.
    units, features : int
        What the sizes "units" and "features" stand for.
    """

    program: Program
    units: int
    features: int

    @classmethod
    def of_input(cls, program: Program, units: int, input_size: int) -> Shapes:
        """Shapes for inputs of `input_size` features.

        Raises
        ------
        ShapeError
            If the features cannot be shared out between W and the raw inputs.
        """
        raw = list(program.inputs.values())
        fixed = sum(size if isinstance(size, int) else units for size in raw if size != "features")
        shares = raw.count("features") + reads_w(program)
        features, left = divmod(input_size - fixed, shares) if shares else (0, input_size - fixed)
        if left or features < bool(shares):
            raise ShapeError(
                f"{program.name}: {input_size} features do not make {input_text(program)}; give x as many features "
                f"as the cell reads at a step."
            )
        return cls(program, units, features)

    @classmethod
    def of_params(
        cls,
        program: Program,
        declared: Mapping[str, Parameter],
        params: Mapping[str, np.ndarray],
        units: int | None = None,
    ) -> Shapes:
        """Shapes that parameters of these shapes belong to; None of them may tell the `units`."""
        features = params["weight_ih"].shape[1]
        if units is not None:
            return cls(program, units, features)
        sizes, states = program.sizes, program.states
        known: list[tuple[list[Size], int]] = [
            ([sizes[gate] for gate in gates_of(program, kind)], len(params[name]))
            for kind, name in (("x", "weight_ih"), ("U", "weight_hh"))
        ]
        heads = next((count for (kind, _), count in program.heads.items() if kind == "U"), 1)
        known.append(([sizes[states[0]]], heads * params["weight_hh"].shape[1]))
        for name, parameter in declared.items():
            *shape, last = params[name].shape
            known += [
                ([size], n) for size, n in zip(parameter.dimensions, (*shape, parameter.heads * last), strict=True)
            ]
        for parts, total in known:
            if units := parts.count("units"):
                others = sum(features if size == "features" else int(size) for size in parts if size != "units")
                return cls(program, (total - others) // units, features)
        return cls(program, 1, features)

    @property
    def w_features(self) -> int:
        """Features that W multiplies: none where no gate reads x."""
        return self.features if reads_w(self.program) else 0

    def size(self, size: Size) -> int:
        """A size as a number."""
        if isinstance(size, str):
            return self.units if size == "units" else self.features
        return size

    def shape(self, sizes: Iterable[Size]) -> tuple[int, ...]:
        """Sizes as numbers."""
        return tuple(map(self.size, sizes))

    @cached_property
    def states(self) -> tuple[int, ...]:
        """Sizes of the states."""
        return self.shape(self.program.sizes[state] for state in self.program.states)

    def named(self, names: Iterable[str]) -> dict[str, int]:
        """Sizes of values that have names."""
        states = dict(zip(self.program.states, self.states, strict=True))
        return {name: states.get(name, self.size(self.program.names[name].size)) for name in names}

    @cached_property
    def inputs(self) -> dict[str, tuple[int, int]]:
        """First feature and number of features of every raw input."""
        found, first = {}, self.w_features
        for name, size in self.program.inputs.items():
            found[name] = first, self.size(size)
            first += self.size(size)
        return found

    @cached_property
    def input_size(self) -> int:
        """I."""
        return self.w_features + sum(size for _, size in self.inputs.values())

    @cached_property
    def input_gates(self) -> dict[str, slice]:
        """The gates that read x, and their rows of ``weight_ih``."""
        return self._rows(gates_of(self.program, "x"))

    @cached_property
    def biases(self) -> dict[str, slice]:
        """The gates that have a bias, and their rows of it."""
        return self._rows(self.program.biases)

    @cached_property
    def recurrent_gates(self) -> dict[str, slice]:
        """The gates that are multiplied by U, and their rows of ``weight_hh``."""
        return self._rows(gates_of(self.program, "U"))

    def _rows(self, gates: Iterable[str]) -> dict[str, slice]:
        rows, first = {}, 0
        for gate in gates:
            size = self.size(self.program.sizes[gate])
            rows[gate] = slice(first, first + size)
            first += size
        return rows


def gates_of(program: Program, kind: str) -> tuple[str, ...]:
    """The gates that read x (kind "x") or are multiplied by U ("U"), in order."""
    terms = {term[:2] for column in program.columns for term in column.detail}
    return tuple(gate for gate in program.gates if (kind, gate) in terms)


def reads_w(program: Program) -> bool:
    """Whether there is a W: whether any gate reads x."""
    return bool(gates_of(program, "x"))


def input_text(program: Program) -> str:
    """What the features of x are, in order."""
    parts = ["features for W"] if reads_w(program) else []
    parts += [f"{name} ({'1 number' if size == 1 else size})" for name, size in program.inputs.items()]
    return ", then ".join(parts)
