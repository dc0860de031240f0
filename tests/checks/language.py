"""Cells that use what the equations have beyond gates, states and vectors."""

from __future__ import annotations

from typing import Any

from seqkit.equations import (
    Cell,
    Parameter,
    exp,
    group_norm,
    largest,
    matrix,
    maximum,
    mean,
    scalar,
    sigmoid,
    softplus,
    tanh,
    total,
    vector,
)

Step = dict[str, Any]


class SomeBiases(Cell):
    """A bias for the second and the fourth of four gates, of which the third reads no input."""

    gates, states, biases = ("a", "b", "c", "d"), ("h",), ("b", "d")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a, b = sigmoid(x.a + U.a @ s.h), tanh(x.b)
        return {"h": a * b + tanh(U.c @ s.h) * sigmoid(x.d + x.b)}


class NoBiases(Cell):
    """None at all, though biases are allowed."""

    gates, states, biases = ("a",), ("h",), ()

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": tanh(x.a + U.a @ s.h)}


class Scalars(Cell):
    """Learned numbers for all units: alone, in rows, beside a vector, as a new state, and multiplied by U."""

    gates, states = ("a", "b"), ("h", "c")

    def parameters(self) -> dict[str, Parameter]:
        return {"zeta": scalar(), "v": vector(), "scales": scalar("one", "two", "three", initializer=0.5)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a = tanh(x.a + U.a @ s.h + p.zeta)
        b = sigmoid(p.scales.one * x.b + p.v) * p.scales.two
        return {"h": a * b + U.b @ p.scales.three, "c": p.zeta + 0.5 * s.c}


class Reductions(Cell):
    """Every reduction: of states, columns, parameters and reductions, over all units, and multiplied by U."""

    gates, states = ("a", "b", "c"), ("h", "c")
    kinks = True

    def parameters(self) -> dict[str, Parameter]:
        return {"v": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a = tanh(x.a + U.a @ s.h + 0.3 * total(s.c * p.v) - largest(s.h))
        soft = exp(x.b - largest(x.b))
        b = soft / total(soft)  # softmax
        c = tanh(x.c + U.c @ largest(a - b) + U.b @ total(a * b)) * mean(largest(p.v) + s.c)
        return {"h": a - total(b * b) + largest(-c), "c": 0.5 * s.c + c}


class Groups(Cell):
    """Reductions over groups of units, of another number for each, and the norm that is made of them."""

    gates, states = ("a", "b"), ("h", "c")
    kinks = True

    def __init__(self, groups: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.groups = groups

    def parameters(self) -> dict[str, Parameter]:
        return {"gain": vector(initializer="ones"), "shift": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        n = self.groups
        a = tanh(group_norm(x.a + U.a @ s.h, n, 1 + p.gain, p.shift, epsilon=0.01))
        b = sigmoid(x.b + U.b @ mean(a, n)) * mean(largest(s.c, 2 * n), n)
        h = tanh(a * b + total(a / 20, n) * largest(b, 3 * n))
        return {"h": h, "c": tanh(0.6 * s.c + total(mean(x.a, n) * s.h, 2 * n))}


class Heads(Cell):
    """Units in groups that see only themselves through U, and matrices with other numbers of groups, one of them not
    square, in one sum with a full matrix and in a later stage."""

    gates, states = ("f", "n", "k"), ("h", "m")

    def __init__(self, heads: int = 2, others: int = 1, wide: int = 6, **options: Any) -> None:
        super().__init__(**options)
        self.heads, self.others, self.wide = heads, others, wide

    def sizes(self) -> dict[str, Any]:
        return {"m": self.wide}

    def parameters(self) -> dict[str, Parameter]:
        return {
            "full": matrix(),
            "V": matrix(heads=self.others),
            "up": matrix(self.wide, "units", heads=self.heads),
            "down": matrix("units", self.wide, heads=self.heads),
        }

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + U.f @ s.h + p.full @ s.h)
        n = tanh(x.n + U.n @ (f * s.h) + p.V @ s.h + p.down @ s.m)
        h = (1 - f) * s.h + f * n
        return {"h": h, "m": 0.5 * s.m + tanh(p.up @ (h * tanh(x.k + U.k @ s.h)))}


class Exponential(Cell):
    """The sLSTM of Beck et al. (2024): exponential gates, kept in range by a running maximum m, and a normaliser n.

    c and n are both smaller by exp(m) than in the paper's plain equations, so their quotient is the same, whatever m
    starts from; zeros will do.
    """

    gates, states = ("i", "f", "z", "o"), ("h", "c", "n", "m")
    kinks = True

    def __init__(self, forget: str = "sigmoid", **options: Any) -> None:
        super().__init__(**options)
        self.forget = forget

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f_raw = x.f + U.f @ s.h
        log_f = f_raw if self.forget == "exp" else -softplus(-f_raw)
        log_i = x.i + U.i @ s.h
        m = maximum(log_f + s.m, log_i)
        i, f = exp(log_i - m), exp(log_f + s.m - m)
        c = f * s.c + i * tanh(x.z + U.z @ s.h)
        n = f * s.n + i
        return {"h": sigmoid(x.o + U.o @ s.h) * c / n, "c": c, "n": n, "m": m}


class TwoLayers(Cell):
    """Two LSTM layers in one cell: the second reads the new output of the first."""

    gates, states = ("i", "f", "g", "o"), ("h", "c", "below", "c_below")

    def parameters(self) -> dict[str, Parameter]:
        matrices = {f"{kind}_{gate}": matrix() for kind in ("W", "R") for gate in self.gates}
        return matrices | {"b": vector(*self.gates)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        def lstm(sums: list[Any], c: Any) -> tuple[Any, Any]:
            i, f, g, o = sums
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            return sigmoid(o) * tanh(c), c

        below, c_below = lstm([getattr(x, k) + getattr(U, k) @ s.below for k in self.gates], s.c_below)
        h, c = lstm(
            [getattr(p, f"W_{k}") @ below + getattr(p, f"R_{k}") @ s.h + getattr(p.b, k) for k in self.gates], s.c
        )
        return {"h": h, "c": c, "below": below, "c_below": c_below}


LANGUAGE = {cell.__name__: cell for cell in (SomeBiases, NoBiases, Scalars, Reductions, Exponential, TwoLayers)}
