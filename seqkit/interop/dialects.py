"""How other libraries write recurrent layers down: one row for each format and cell, and nowhere else.

Legend: G gates, H units, I input features.

A row says in which order a format stores its gates, which way its matrices lie, how many biases it has and what its
options mean.  :meth:`Dialect.read` makes seqkit's parameters of its arrays, :meth:`Dialect.write` its arrays of
seqkit's parameters, of one direction of one layer.  Every row is proven by random vectors and by its mutants in
``tests/test_dialects.py``, and is shown in ``docs/dialects.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from seqkit.errors import ConvertError, ShapeError
from seqkit.recurrent import Recurrent
from seqkit.registry import create

Blocks = dict[str, np.ndarray]
"""What of an array belongs to each gate, by the gate's name."""

CANDIDATE = "n"
"""The GRU's gate whose product with the state the reset gate multiplies."""


@dataclass(frozen=True)
class Dialect:
    """One kind of layer in one format.

    Attributes
    ----------
    format : str
        "torch", "keras", "onnx" or "rtneural".
    kind : str
        Registered name of seqkit's cell.
    gates : tuple of str
        Seqkit's names of the gates, in the format's order.
    rows : bool
        Whether matrices are (G*H, I) and multiply columns; else they are (I, G*H).
    peepholes : tuple of str
        Gates that see the cell state, in the format's order.
    two_biases : bool
        Whether a layer with a bias always has a second one, of the product with the state.
    resets : tuple of bool
        Values of `reset_after` that the format has; empty for cells without a reset gate.
    bias, reset, update, clip, padding : str
        For people: what the format means by them.
    """

    format: str
    kind: str
    gates: tuple[str, ...]
    rows: bool
    peepholes: tuple[str, ...] = ()
    two_biases: bool = False
    resets: tuple[bool, ...] = ()
    bias: str = "none"
    reset: str = "none"
    update: str = "none"
    clip: str = "none"
    padding: str = "none"

    def read(
        self,
        kernel: np.ndarray,
        recurrent: np.ndarray,
        bias: np.ndarray | None = None,
        recurrent_bias: np.ndarray | None = None,
        peepholes: np.ndarray | None = None,
        *,
        reset_after: bool = True,
        gates: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Seqkit's parameters of the format's arrays, in the same dtype.

        Parameters
        ----------
        kernel, recurrent : arrays (G*H, I) and (G*H, H), or (I, G*H) and (H, G*H) where not `rows`
            Weights of the input and of the state; with a projection the state has fewer numbers than H.
        bias, recurrent_bias : arrays (G*H,), optional
            They are summed where the equations only add them, and are ``bias`` and ``bias_hn`` where not.
        peepholes : array (3*H,) or (3, H), optional
            Weights of the cell state.
        reset_after : bool
            Of a GRU: whether the reset gate multiplies the product, instead of the state before it.
        gates : sequence of str, optional
            The cell's, where it has not all of its kind, as with a coupled forget gate; other weights are dropped.

        Raises
        ------
        ShapeError
            If the arrays do not belong together.
        ConvertError
            If the format has no such reset.

        Examples
        --------
        >>> import numpy as np
        >>> of_keras = find("keras", "gru").read(np.array([[1, 2, 3]]), np.array([[4, 5, 6]]))  # z, r, n
        >>> of_keras["weight_ih"].tolist()
        [[2], [1], [3]]
        """
        self._check_reset(reset_after)
        inputs = self._split(kernel if self.rows else kernel.T, self.gates, "kernel", 2)
        units = len(inputs[self.gates[0]])
        states = self._split(recurrent if self.rows else recurrent.T, self.gates, "recurrent", 2, units)
        own = gates or _gates(self.kind)
        params = {"weight_ih": _join(inputs, own), "weight_hh": _join(states, own)}
        given = {"bias": bias, "recurrent_bias": recurrent_bias}
        biases = {
            name: self._split(array, self.gates, name, 1, units) for name, array in given.items() if array is not None
        }
        params |= self._read_biases(biases, reset_after, own)
        if peepholes is not None:
            flat = peepholes.reshape(-1) if peepholes.shape == (len(self.peepholes), units) else peepholes
            blocks = self._split(flat, self.peepholes, "peepholes", 1, units)
            params["weight_ch"] = np.stack([blocks[gate] for gate in self._peepholes(own)])
        return params

    def _read_biases(self, biases: dict[str, Blocks], reset_after: bool, own: Sequence[str]) -> dict[str, np.ndarray]:
        if not biases:
            return {}
        zeros = {gate: np.zeros_like(block) for gate, block in next(iter(biases.values())).items()}
        first, second = biases.get("bias", zeros), biases.get("recurrent_bias", zeros)
        apart = (CANDIDATE,) if self.resets and reset_after else ()
        with np.errstate(invalid="ignore", over="ignore"):  # whoever reads a file says what he thinks of infinities
            summed = {gate: first[gate] if gate in apart else first[gate] + second[gate] for gate in first}
        return {"bias": _join(summed, own), **{f"bias_h{gate}": second[gate].copy() for gate in apart}}

    def write(
        self, params: Mapping[str, np.ndarray], *, reset_after: bool = True, gates: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The format's arrays of seqkit's parameters: arguments for :meth:`read`, which gives `params` again.

        A second bias that the format must have is 0 where ours is one sum, and so are weights of gates that are not
        among the cell's `gates`.

        Examples
        --------
        >>> import numpy as np
        >>> params = {"weight_ih": np.array([[1], [2], [3]]), "weight_hh": np.array([[4], [5], [6]])}  # r, z, n
        >>> find("keras", "gru").write(params)["kernel"].tolist()
        [[2, 1, 3]]
        """
        self._check_reset(reset_after)
        own = gates or _gates(self.kind)
        kernel, recurrent = (
            _filled(self._split(params[name], own, name, 2), self.gates) for name in ("weight_ih", "weight_hh")
        )
        arrays = (
            {"kernel": kernel, "recurrent": recurrent} if self.rows else {"kernel": kernel.T, "recurrent": recurrent.T}
        )
        if "bias" in params:
            arrays |= self._write_biases(params, own)
        if "weight_ch" in params:
            blocks = dict(zip(self._peepholes(own), params["weight_ch"], strict=True))
            arrays["peepholes"] = _filled(blocks, self.peepholes)
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def _write_biases(self, params: Mapping[str, np.ndarray], own: Sequence[str]) -> dict[str, np.ndarray]:
        bias = _filled(self._split(params["bias"], own, "bias", 1), self.gates)
        apart = f"bias_h{CANDIDATE}"
        if not self.two_biases and apart not in params:
            return {"bias": bias}
        second = self._split(np.zeros_like(bias), self.gates, "recurrent_bias", 1)
        if apart in params:
            second[CANDIDATE] = params[apart]
        return {"bias": bias, "recurrent_bias": _join(second, self.gates)}

    def _peepholes(self, own: Sequence[str]) -> list[str]:
        """Rows of ``weight_ch``, in our order."""
        return [gate for gate in _gates(self.kind) if gate in self.peepholes and gate in own]

    def _check_reset(self, reset_after: bool) -> None:
        if self.resets and reset_after not in self.resets:
            raise ConvertError(
                f"{self.format} {self.kind}: reset_after={reset_after} cannot be represented; {self.reset}."
            )

    def _split(self, array: np.ndarray, gates: Sequence[str], name: str, ndim: int, units: int | None = None) -> Blocks:
        rows = len(array) if array.ndim == ndim else -1
        wrong = rows % len(gates) != 0 if units is None else rows != len(gates) * units
        if rows < 1 or wrong:
            expected = f"{len(gates)} gates of {'equal' if units is None else units} units"
            raise ShapeError(f"{self.format} {self.kind}: {name} has shape {array.shape}, expected {expected}.")
        return dict(zip(gates, np.split(array, len(gates)), strict=True))


def _join(blocks: Mapping[str, np.ndarray], gates: Sequence[str]) -> np.ndarray:
    return np.concatenate([blocks[gate] for gate in gates])


def _filled(blocks: Blocks, gates: Sequence[str]) -> np.ndarray:
    """Blocks in this order, 0 where there is none."""
    zeros = np.zeros_like(next(iter(blocks.values())))
    return _join({gate: blocks.get(gate, zeros) for gate in gates}, gates)


@lru_cache(maxsize=64)
def _gates(kind: str) -> tuple[str, ...]:
    """The gates in our order."""
    layer = create(kind, 1)
    assert isinstance(layer, Recurrent)
    return layer.cell.gates


_torch = partial(
    Dialect,
    "torch",
    rows=True,
    two_biases=True,
    bias="bias_ih + bias_hh",
    padding="packed sequences: each direction inside the length, zeros after it; else padding is read like data",
)
_keras = partial(
    Dialect,
    "keras",
    rows=False,
    bias="one",
    padding="masked steps keep the state, wherever they are, and repeat the last output (0 under Bidirectional)",
)
_onnx = partial(
    Dialect,
    "onnx",
    rows=True,
    two_biases=True,
    bias="Wb + Rb",
    clip="bounds the sums that enter the gates' activations, not the cell state that enters h",
    padding="each direction inside its sequence_lens, where the reverse one starts; zeros after it",
)
_rtneural = partial(Dialect, "rtneural", rows=False, bias="one", padding="none, it runs streams")

_AFTER = "after the product, n = tanh(x + r (U h + b))"
_BEFORE = "before the product, n = tanh(x + U (r h) + b)"
_TWO = "two rows, the input's and the state's"
_UPDATE = "h' = z h + (1 - z) n"
_CELL = "c' = f c + i g"
_COUPLED = f"{_CELL}; input_forget=1: f = 1 - i, in place of the forget gate"

DIALECTS = (
    _torch("lstm", ("i", "f", "g", "o"), update=_CELL),
    _torch("gru", ("r", "z", "n"), resets=(True,), reset=_AFTER, update=_UPDATE),
    _torch("simple_rnn", ("h",)),
    _keras("lstm", ("i", "f", "g", "o"), update=_CELL),
    _keras(
        *("gru", ("z", "r", "n")),
        resets=(True, False),
        bias=f"reset_after=True: {_TWO}; False: one",
        reset=f"reset_after=True: {_AFTER}; False: {_BEFORE}",
        update=_UPDATE,
    ),
    _keras("simple_rnn", ("h",)),
    _onnx("lstm", ("i", "o", "f", "g"), update=_COUPLED),
    _onnx("peephole", ("i", "o", "f", "g"), peepholes=("i", "o", "f"), update=_COUPLED),
    _onnx(
        *("gru", ("z", "r", "n")),
        resets=(True, False),
        reset=f"linear_before_reset=1: {_AFTER}; 0: {_BEFORE}",
        update=_UPDATE,
    ),
    _onnx("simple_rnn", ("h",)),
    _rtneural("lstm", ("i", "f", "g", "o"), update=_CELL),
    _rtneural("gru", ("z", "r", "n"), resets=(True,), bias=_TWO, reset=_AFTER, update=_UPDATE),
)


def find(format: str, kind: str) -> Dialect:
    """The row of a format and a cell.

    Raises
    ------
    ConvertError
        If the format has no such layer; the message lists those it has.

    Examples
    --------
    >>> find("onnx", "lstm").gates
    ('i', 'o', 'f', 'g')
    """
    rows = {row.kind: row for row in DIALECTS if row.format == format}
    if kind not in rows:
        raise ConvertError(f"{format}: there is no layer for {kind!r}, only for {', '.join(rows) or 'no cell at all'}.")
    return rows[kind]
