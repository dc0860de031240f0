"""What the cells with a cell state, an input gate, a forget gate and an output gate have in common."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, OppositeOf
from seqkit.equations.activation import Choice
from seqkit.equations.cell import Initializer
from seqkit.options import by_name


class LongShortTerm(Cell):
    """Base class of LSTM cells: gates i, f, g and o, states h and c; a subclass writes its ``step``.

    Parameters
    ----------
    unit_forget_bias : bool
        Whether the bias of f starts at 1 (Jozefowicz, Zaremba and Sutskever, "An empirical exploration of recurrent
        network architectures", 2015).
    output_activation : str or mapping, optional
        ``self.output_activation``, the function of the new cell state, where it is another one than `activation`.
    forget_gate : {"own", "coupled"}
        With "coupled", ``self.coupled`` is true and there is no gate f: the forget gate is :math:`1 - i`, without
        weights of its own (Greff et al., "LSTM: a search space odyssey", 2017).
    **options
        As of :class:`~seqkit.equations.cell.Cell`.
    """

    gates: tuple[str, ...] = ("i", "f", "g", "o")
    states = ("h", "c")

    def __init__(
        self,
        unit_forget_bias: bool = True,
        output_activation: Choice | None = None,
        forget_gate: str = "own",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.unit_forget_bias = unit_forget_bias
        self.output_activation = self.activation
        if output_activation is not None:
            self.output_activation = self._function("output_activation", output_activation)
        self.coupled = by_name({"own": False, "coupled": True}, forget_gate, "forget_gate")
        if self.coupled:
            self.gates = ("i", "g", "o")

    def initial_bias(self, gate: str) -> Initializer | OppositeOf:
        """1 for the forget gate, if asked for."""
        return float(self.unit_forget_bias and gate == "f")
