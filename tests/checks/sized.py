"""Cells whose vectors have different sizes, and cells with raw inputs."""

from __future__ import annotations

from typing import Any

from seqkit.equations import (
    Cell,
    Parameter,
    exp,
    layer_norm,
    log,
    matrix,
    mean,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
    vector,
    where,
)
from seqkit.equations.sizes import Size

Step = dict[str, Any]


class Projected(Cell):
    """An LSTM with projection (Sak, Senior and Beaufays, 2014), in the form of PyTorch's ``proj_size``."""

    gates, states = ("i", "f", "g", "o"), ("h", "c")

    def __init__(self, projection: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.projection = projection

    def sizes(self) -> dict[str, Size]:
        return {"h": self.projection}

    def parameters(self) -> dict[str, Parameter]:
        return {"weight_hr": matrix(self.projection, "units")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        i, f, o = (sigmoid(getattr(x, gate) + getattr(U, gate) @ s.h) for gate in "ifo")
        c = f * s.c + i * tanh(x.g + U.g @ s.h)
        return {"h": p.weight_hr @ (o * tanh(c)), "c": c}


class LowRank(Cell):
    """Products through fewer numbers than units: of the state, and of the input by a gate of that size."""

    gates, states = ("f", "low"), ("h",)

    def __init__(self, rank: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.rank = rank

    def sizes(self) -> dict[str, Size]:
        return {"low": self.rank}

    def parameters(self) -> dict[str, Parameter]:
        return {"down": matrix(self.rank, "units"), "up": matrix("units", self.rank), "scale": vector(size=self.rank)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + p.up @ (p.down @ s.h))
        low = x.low + 0.5 * exp(-p.scale * p.scale) * (U.low @ s.h)
        return {"h": f * s.h + (1 - f) * tanh(p.up @ low)}


class WiderState(Cell):
    """A memory of more numbers than units, normalised over them; the output is the smaller one."""

    gates, states = ("f", "n", "k"), ("h", "memory", "small")

    def __init__(self, width: int = 21, **options: Any) -> None:
        super().__init__(**options)
        self.width = width

    def sizes(self) -> dict[str, Size]:
        return {"f": self.width, "n": self.width, "memory": self.width, "small": 2, "k": 2}

    def parameters(self) -> dict[str, Parameter]:
        return {
            "read": matrix("units", self.width),
            "narrow": matrix(2, self.width),
            "wide": matrix(self.width, 2),
            "norm": vector("gain", "shift", size=self.width),
        }

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + U.f @ s.h + p.wide @ s.small)
        n = tanh(layer_norm(x.n + U.n @ s.h, 1 + p.norm.gain, p.norm.shift))
        memory = f * s.memory + (1 - f) * n
        small = tanh(x.k + U.k @ s.h + p.narrow @ memory) - mean(s.small) / (1.5 + mean(s.small * s.small))
        return {"h": tanh(p.read @ memory), "memory": memory, "small": small}


class OneNumber(Cell):
    """A state and a gate of a single number, which reach the units through matrices of one column."""

    gates, states = ("n", "level"), ("h", "level")

    def sizes(self) -> dict[str, Size]:
        return {"level": 1}

    def parameters(self) -> dict[str, Parameter]:
        return {"spread": matrix("units", 1), "slope": vector(size=1)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        level = sigmoid(x.level + U.level @ s.h + p.slope * s.level)
        return {"h": tanh(x.n + U.n @ s.h + p.spread @ level) * (1 + 0.1 * p.slope), "level": level}


class Shared(Cell):
    """Gates and a state of one computed number, which are there for vectors of two sizes and for U."""

    gates, states = ("n", "f", "k"), ("h", "memory", "level")

    def sizes(self) -> dict[str, Size]:
        return {"f": 1, "level": 1, "memory": 19, "k": 19}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        f = sigmoid(x.f + U.f @ s.h)
        level = f * s.level + 0.2 * (1 - f)
        memory = f * s.memory + tanh(x.k + U.k @ (s.h * level)) * s.level
        return {"h": tanh(x.n + f * (U.n @ s.h) + U.n @ level), "memory": memory, "level": level}


class NothingPastTheEnd(Cell):
    """Infinite or NaN where a smaller vector lies in room for a larger one."""

    gates, states = ("a", "b"), ("h", "c")

    def sizes(self) -> dict[str, Size]:
        return {"h": 5, "b": 5}

    def parameters(self) -> dict[str, Parameter]:
        return {"v": vector("one", "two", size=5), "down": matrix(5, "units"), "up": matrix("units", 5)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        size = sqrt(p.v.one * p.v.one + p.v.two * p.v.two)
        b = tanh(0.3 * (x.b + U.b @ s.h) / size)
        c = tanh(0.3 * (x.a + U.a @ (b * s.h / size) + p.up @ (b / size))) + 0.5 * s.c
        return {"h": tanh(0.3 * (p.down @ c) / size + mean(b / size)) + 0.1 * log(size), "c": c}


class Attention(Cell):
    """A GRU whose update gate is scaled by the attention of the step (AUGRU: Zhou et al., 2019)."""

    gates, states = ("r", "z", "n"), ("h",)
    inputs = {"attention": 1}  # noqa: RUF012 - as authors write it

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        r, z = sigmoid(x.r + U.r @ s.h), sigmoid(x.attention) * sigmoid(x.z + U.z @ s.h)
        return {"h": (1 - z) * s.h + z * tanh(x.n + r * (U.n @ s.h))}


class Decay(Cell):
    """Missing values and time gaps (GRU-D: Che et al., 2018): raw inputs only, and a state as long as x."""

    gates, states = ("z", "r", "n"), ("h", "last")
    inputs = {"value": "features", "seen": "features", "gap": "features"}  # noqa: RUF012

    def sizes(self) -> dict[str, Size]:
        return {"last": "features"}

    def parameters(self) -> dict[str, Parameter]:
        square = {f"{part}_{gate}": matrix("units", "features") for part in ("W", "V") for gate in "zrn"}
        decay = {"gamma_x": vector("w", "b", size="features"), "gamma_h": matrix("units", "features")}
        return {**square, **decay, "bias_h": vector("gamma", "z", "r", "n")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        keep = exp(-relu(p.gamma_x.w * x.gap + p.gamma_x.b))
        value = x.seen * x.value + (1 - x.seen) * keep * s.last
        h = exp(-relu(p.gamma_h @ x.gap + p.bias_h.gamma)) * s.h
        z = sigmoid(p.W_z @ value + U.z @ h + p.V_z @ x.seen + p.bias_h.z)
        r = sigmoid(p.W_r @ value + U.r @ h + p.V_r @ x.seen + p.bias_h.r)
        n = tanh(p.W_n @ value + U.n @ (r * h) + p.V_n @ x.seen + p.bias_h.n)
        return {"h": (1 - z) * h + z * n, "last": x.seen * x.value + (1 - x.seen) * s.last}


class Mixed(Cell):
    """Raw inputs of every kind beside W: one number that meets vectors of two sizes, some that are multiplied too."""

    gates, states = ("f", "n", "k"), ("h", "memory")
    inputs = {"gap": 1, "hint": 3, "other": "features", "each": "units"}  # noqa: RUF012

    def sizes(self) -> dict[str, Size]:
        return {"memory": 19, "k": 19}

    def parameters(self) -> dict[str, Parameter]:
        return {"V": matrix("units", 3), "Q": matrix(19, "features"), "one": matrix(19, 1), "v": vector(size=3)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        share = sigmoid(0.3 * x.gap * x.gap)
        f = sigmoid(x.f + U.f @ s.h + p.V @ (x.hint * p.v) + share)
        memory = share * s.memory + tanh(x.k + p.Q @ x.other + p.one @ x.gap) * softplus(x.gap)
        n = tanh(x.n + U.n @ s.h + p.V @ x.hint + x.each * share)
        return {"h": f * s.h + (1 - f) * n + 0.1 * mean(x.each * x.gap), "memory": memory}


class OnlyOneNumber(Cell):
    """A raw input is a state, and so is a number made of it; the states are as long as the units."""

    gates, states = ("n",), ("h", "before", "root")
    inputs = {"gap": 1}  # noqa: RUF012

    def sizes(self) -> dict[str, Size]:
        return {"root": 7}

    def parameters(self) -> dict[str, Parameter]:
        return {"up": matrix("units", 7)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        root = tanh(0.4 * x.gap)
        h = tanh(x.n + U.n @ (s.h * root) + p.up @ s.root)
        return {"h": where(s.before > 0.1, h, root * h) + root, "before": x.gap, "root": root}


SIZED = {cell.__name__: cell for cell in (Projected, LowRank, WiderState, OneNumber, Shared, NothingPastTheEnd)}
RAW = {cell.__name__: cell for cell in (Attention, Decay, Mixed, OnlyOneNumber)}
