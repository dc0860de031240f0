"""Cells made to visit every corner of the equations; none of them is from a paper."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import (
    Cell,
    Parameter,
    absolute,
    clip,
    exp,
    layer_norm,
    log,
    matrix,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    softplus,
    softsign,
    sqrt,
    tanh,
    vector,
    where,
)

Step = dict[str, Any]


class ExtraMatrices(Cell):
    """Declared matrices beside U, on a state and on a computed vector, in one sum."""

    gates, states = ("f", "n"), ("h",)

    def parameters(self) -> dict[str, Parameter]:
        return {"V": matrix(), "Q": matrix()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + U.f @ s.h + p.Q @ s.h)
        n = tanh(x.n + U.n @ (f * s.h) + p.V @ s.h)
        return {"h": (1 - f) * s.h + f * n}


class ManyProducts(Cell):
    """Products of several computed vectors, and a product of what depends on a product."""

    gates, states = ("r", "z", "n", "m"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        r, z = sigmoid(x.r + U.r @ s.h), sigmoid(x.z + U.z @ s.h)
        n = tanh(x.n + U.n @ (r * s.h) + U.m @ (z * s.h))
        m = tanh(x.m + U.r @ (n * r))
        return {"h": z * s.h + (1 - z) * m + n}


class LateState(Cell):
    """A state that is multiplied in the last stage of the step only."""

    gates, states = ("r", "n", "q"), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        r = sigmoid(x.r + U.r @ s.c)
        c = tanh(x.n + U.n @ (r * s.c) + U.q @ s.h)
        return {"h": tanh(x.q * c + s.h), "c": c}


class OneMatrixTwice(Cell):
    """U.f multiplies two vectors in one sum."""

    gates, states = ("f", "n"), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = tanh(x.f + U.f @ s.h + U.f @ s.c)
        n = tanh(x.n + U.n @ (f * s.h) + U.n @ (f * s.c))
        return {"h": n, "c": 0.5 * s.c + f}


class OneMatrixInTwoColumns(Cell):
    """U.f multiplies vectors of two different stages."""

    gates, states = ("f", "n"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + U.f @ s.h)
        n = tanh(x.n + U.f @ (f * s.h))
        return {
            "h": n + 0.3 * s.h,
        }


class LayerNorm(Cell):
    """Means over units, of columns and of a computed state."""

    gates, states = ("i", "g", "o"), ("h", "c")

    def parameters(self) -> dict[str, Parameter]:
        return {"norm": vector("gain", "shift"), "gain": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        i = sigmoid(layer_norm(x.i + U.i @ s.h, p.norm.gain, p.norm.shift))
        g = tanh(layer_norm(x.g + U.g @ s.h, epsilon=0.01))
        c = i * g + (1 - i) * s.c
        o = sigmoid(x.o + U.o @ s.h)
        return {"h": o * tanh(layer_norm(c, 1.0 + p.gain)), "c": c}


class Means(Cell):
    """Means of states, columns, means and products, and a product of a mean."""

    gates, states = ("a", "b"), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        level = mean(s.h) + mean(s.c * s.h)
        a = tanh(x.a + U.a @ mean(s.c) + level)
        b = mean(mean(x.b) * a) + mean(U.b @ a)
        return {"h": mean(a - s.h) + tanh(a + b), "c": mean(x.a) - a * b}


class Kinks(Cell):
    """Everything that chooses."""

    gates, states = ("a", "b"), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a, b = x.a + U.a @ s.h, x.b + U.b @ s.c
        one = where(a > b, tanh(a), sigmoid(b) * s.h)
        two = maximum(a, b) - minimum(s.c, 0.3) + absolute(a - 0.1)
        three = where(s.h <= 0.2, abs(b), relu(a)) + where(a >= 0, 1.0, s.c)
        return {"h": clip(one + 0.2 * two, -0.8, 0.9), "c": tanh(three - clip(b, -0.5, 0.5))}


class Smooth(Cell):
    """Functions with bounded domains, quotients and powers."""

    gates, states = ("a", "b"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a, b = x.a + U.a @ s.h, x.b + U.b @ s.h
        root, logarithm = sqrt(1.5 + a * a), log(2 + b**2)
        ratio = (s.h - 0.5) / (1 + exp(-a)) + root**-2 + softplus(b) ** -1
        return {"h": tanh(ratio * logarithm) - softsign(-(b**3)) / 3 + 1 / root}


class ThreeStates(Cell):
    """Three states, each multiplied, and two more steps of memory than an LSTM has."""

    gates, states = ("a", "b", "c"), ("h", "c", "m")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a = tanh(x.a + U.a @ s.h + U.b @ s.m)
        b = sigmoid(x.b + U.c @ s.c)
        m = 0.5 * s.m + a * b
        return {"h": tanh(m + x.c) * s.c, "c": b * s.c + a, "m": m}


class SharedColumn(Cell):
    """x.f and U.f @ s.h are read in two places and in two stages."""

    gates, states = ("f", "n"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        shared = x.f + U.f @ s.h
        f = sigmoid(shared)
        n = tanh(x.n + x.f + U.n @ (f * s.h) + shared)
        return {"h": n * shared + f}


class Delay(Cell):
    """States that are returned unchanged, and one that is returned twice."""

    gates, states = ("n",), ("h", "one", "two", "same")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        h = tanh(x.n + U.n @ s.two + 0.5 * s.same)
        return {"h": h, "one": s.h, "two": s.one, "same": h}


class OldOutput(Cell):
    """The output is another state of the step before."""

    gates, states = ("n",), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": s.c, "c": tanh(x.n + U.n @ s.h)}


class NoInput(Cell):
    """A gate without an input part, and one without a product."""

    gates, states = ("k", "o"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": tanh(U.k @ s.h) * sigmoid(x.o) + x.o}


class NoMatrix(Cell):
    """Units that see only themselves (Li et al., 2018, have it with relu)."""

    gates, states = ("h",), ("h",)

    def parameters(self) -> dict[str, Parameter]:
        return {"u": vector(), "shift": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": tanh(x.h + p.u * s.h) + p.shift}


class Linear(Cell):
    """The column is the output, and the gradient of the parameter is that of the state."""

    gates, states = ("h",), ("h",)

    def parameters(self) -> dict[str, Parameter]:
        return {"shift": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": x.h - U.h @ s.h + p.shift}


class BareColumn(Cell):
    """Nothing pointwise at all."""

    gates, states = ("h",), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": x.h + U.h @ s.h}


class ManyGates(Cell):
    """More columns in a stage than a panel has vectors."""

    gates: ClassVar[tuple[str, ...]] = tuple("abcdefg")
    states = ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a, b, c, d = (tanh(getattr(x, g) + getattr(U, g) @ s.h) for g in "abcd")
        e, f, g = sigmoid(x.e), tanh(U.f @ s.h), sigmoid(x.g + U.g @ s.h)
        return {"h": a * b + c * d * e + f * g}


class ProductsOfLeaves(Cell):
    """Products of an input part, of a product and of a parameter."""

    gates, states = ("a", "b"), ("h",)

    def parameters(self) -> dict[str, Parameter]:
        return {"V": matrix(), "v": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": tanh(U.a @ x.a + U.b @ (p.V @ s.h) + p.V @ p.v + x.b)}


class NewState(Cell):
    """A product of the new cell state."""

    gates, states = ("g", "o"), ("h", "c")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        c = 0.7 * s.c + tanh(x.g + U.g @ s.h)
        return {"h": sigmoid(x.o + U.o @ c) * tanh(c), "c": c}


class OnlyCompared(Cell):
    """A gate, a state and a parameter on which nothing depends but a choice."""

    gates, states = ("a", "b"), ("h",)

    def parameters(self) -> dict[str, Parameter]:
        return {"limit": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": where(x.b + U.b @ (0.5 * s.h) > p.limit, tanh(x.a + U.a @ s.h), -0.5 * x.a)}


class NothingInTheLanes(Cell):
    """Infinite or NaN where a vector register has lanes past the last unit: all parameters are 0 there."""

    gates, states = ("a", "b"), ("h", "c")

    def parameters(self) -> dict[str, Parameter]:
        return {"v": vector("one", "two")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        size = p.v.one * p.v.one + p.v.two * p.v.two
        a = tanh(0.3 * (x.a + U.a @ s.h) / sqrt(size) + 0.1 * log(size))
        b = tanh(x.b + U.b @ (a / sqrt(size)) + mean(a))
        return {"h": b - 0.1 * s.c / sqrt(size), "c": 0.3 * a * log(size)}


ZOO = {
    cell.__name__: cell
    for cell in (
        ExtraMatrices,
        ManyProducts,
        LateState,
        OneMatrixTwice,
        OneMatrixInTwoColumns,
        LayerNorm,
        Means,
        Kinks,
        Smooth,
        ThreeStates,
        SharedColumn,
        Delay,
        OldOutput,
        NoInput,
        NoMatrix,
        Linear,
        BareColumn,
        ManyGates,
        ProductsOfLeaves,
        NewState,
        OnlyCompared,
        NothingInTheLanes,
    )
}
