"""What a cell keeps of its memory at a step, read from its equations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqkit.equations.symbols import Node
from seqkit.equations.trace import trace
from seqkit.errors import ConfigError
from seqkit.recurrent import Recurrent


@dataclass(frozen=True)
class Retention:
    r"""The factor of the old state in the new one, :math:`s_t = f_t s_{t-1} + \dots`.

    Attributes
    ----------
    state : str
        The state that is kept.
    value : str
        Name of the value that says how much of it.
    opposite : bool
        Whether f is 1 minus the value.
    zoneout : float
        Share of the state that stays in any case (Krueger et al., 2017).
    """

    state: str
    value: str
    opposite: bool = False
    zoneout: float = 0.0

    def __str__(self) -> str:
        return f"1 - {self.value}" if self.opposite else self.value

    def factor(self, value: np.ndarray) -> np.ndarray:
        """f, from the named value."""
        kept = 1 - value if self.opposite else value
        return self.zoneout + (1 - self.zoneout) * kept


def retention(layer: Recurrent, gate: str | None = None) -> Retention | None:
    """How a layer keeps its state: f of an LSTM, z of a GRU; None where no gate does.

    The factor of a state in its new value is looked for in the cell's equations: a value that has a name, or 1 minus
    one.

    Parameters
    ----------
    layer : Recurrent
    gate : str, optional
        The factor where it is another one: "f", or "1 - f".

    Raises
    ------
    ConfigError
        If the cell has no value of this name.

    Examples
    --------
    >>> import seqkit
    >>> str(retention(seqkit.LSTM(4))), str(retention(seqkit.GRU(4))), retention(seqkit.SimpleRNN(4))
    ('f', 'z', None)
    """
    program = trace(layer.cell)
    named = {id(node): name for name, node in program.names.items()}
    if gate is not None:
        name, opposite = gate.removeprefix("1 - "), gate.startswith("1 - ")
        if name not in program.names:
            raise ConfigError(f"{layer.name}: no value named {gate!r}; there are {', '.join(program.names)}.")
        return Retention(memory_state(layer), name, opposite)
    for state in (*program.states[1:], program.states[0]):  # where there are several, the first one shows the others
        new = program.results[state]
        for factor in _factors(new, state) if _paths(new, state) == 1 else ():
            for opposite, node in _candidates(factor):
                if id(node) in named:
                    return Retention(state, named[id(node)], opposite, _zoneout(layer, state))
    return None


def memory_state(layer: Recurrent) -> str:
    """The state that a gate keeps; of other cells the first one."""
    found = retention(layer)
    return layer.cell.states[0] if found is None else found.state


def half_life(factor: np.ndarray) -> np.ndarray:
    r"""Steps after which half of a state is left, :math:`\ln 2 / -\overline{\ln f}`, for each unit.

    The mean of the logarithm is over all steps; the half-life is 0 where a factor was 0, infinite where all were 1 or
    more.

    Parameters
    ----------
    factor : ndarray, (N, units)
        f at N steps.

    Examples
    --------
    >>> half_life(np.array([[0.5, 0.25, 1.0], [0.5, 1.0, 1.0]])).tolist()
    [1.0, 1.0, inf]
    """
    with np.errstate(divide="ignore"):
        mean = np.log(np.maximum(factor, 0.0).astype(np.float64)).mean(axis=0)
        return np.where(mean >= 0, np.inf, -np.log(2) / mean)


def _factors(node: Node, state: str) -> Iterator[Node]:
    """What the old state is multiplied by, in a sum."""
    if node.operation == "add":
        for operand in node.operands:
            yield from _factors(operand, state)
    elif node.operation == "mul":
        for factor, other in (node.operands, node.operands[::-1]):
            if other.operation == "state" and other.detail == state:
                yield factor


def _paths(node: Node, state: str) -> int:
    """How often the old state comes into the new one, other than through a function or a product with a matrix."""
    if node.operation == "state":
        return int(node.detail == state)
    return sum(_paths(operand, state) for operand in node.operands) if node.operation in ("add", "sub", "mul") else 0


def _candidates(factor: Node) -> Iterator[tuple[bool, Node]]:
    """The value that a factor is; else the one that it is 1 minus."""
    yield False, factor
    if factor.operation == "sub" and factor.operands[0].operation == "constant" and factor.operands[0].detail == 1.0:
        yield True, factor.operands[1]


def _zoneout(layer: Recurrent, state: str) -> float:
    return layer.zoneout if isinstance(layer.zoneout, float) else layer.zoneout.get(state, 0.0)
