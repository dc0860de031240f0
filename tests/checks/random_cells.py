"""Cells drawn at random: equations that nobody thought of."""

from __future__ import annotations

import random
from typing import Any

from seqkit.equations import (
    Cell,
    Parameter,
    clip,
    exp,
    floor,
    gelu,
    largest,
    log,
    matrix,
    maximum,
    mean,
    minimum,
    scalar,
    sigmoid,
    silu,
    softplus,
    sqrt,
    tanh,
    total,
    vector,
    where,
)
from seqkit.equations.sizes import Size


class RandomCell(Cell):
    """Equations that `seed` decides: 1 to 6 gates, of which some have biases, 1 to 4 states, extra matrices,
    vectors and scalars, products of anything, reductions over `groups` groups of units, matrices with as many heads,
    and results that are tame enough to be compared."""

    def __init__(self, seed: int = 0, kinks: bool = False, groups: int = 1, **options: Any) -> None:
        super().__init__(**options)
        draw = random.Random(seed)
        self.seed, self.kinks, self.groups = seed, kinks, groups
        self.gates = tuple("abcdef"[: draw.randint(1, 6)])  # type: ignore[misc]
        self.states = tuple("hcmq"[: draw.randint(1, 4)])  # type: ignore[misc]
        if draw.random() < 0.5:
            self.heads = groups
        declared = {"V": matrix(heads=groups), "Q": matrix(), "v": vector(), "w": vector("one", "two")}
        declared |= {"y": scalar(), "z": scalar("one", "two")}
        self.declared = {name: one for name, one in declared.items() if draw.random() < 0.4}
        if draw.random() < 0.5:
            self.biases = tuple(gate for gate in self.gates if draw.random() < 0.5)  # type: ignore[misc]

    def parameters(self) -> dict[str, Parameter]:
        return self.declared

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """The same draws for symbols and for arrays, so the same equations."""
        draw = random.Random(self.seed + 1)
        matrices = [getattr(U, gate) for gate in self.gates] + [
            getattr(p, name) for name in "VQ" if name in self.declared
        ]
        values = [getattr(s, state) for state in self.states]
        values += [p.v] if "v" in self.declared else []
        values += [p.w.one, p.w.two] if "w" in self.declared else []
        values += [p.y] if "y" in self.declared else []
        values += [p.z.one, p.z.two] if "z" in self.declared else []
        products = [m @ draw.choice(values) for m in matrices]
        values += [tanh(getattr(x, gate) + product) for gate, product in zip(self.gates, products, strict=False)]
        values += products[len(self.gates) :]
        for _ in range(draw.randint(3, 14)):
            values.append(self._draw_value(draw, x, matrices, values))
        total = tanh(values[0])
        for value in values[1:]:
            total = 0.6 * total + 0.3 * tanh(value)
        results = {state: self._draw_result(draw, s, values) for state in self.states}
        return results | {draw.choice(self.states): tanh(total)}

    def _draw_value(self, draw: random.Random, x: Any, matrices: list[Any], values: list[Any]) -> Any:
        a, b, kind = draw.choice(values), draw.choice(values), draw.random()
        if kind < 0.3:
            column = draw.choice(matrices) @ a
            if draw.random() < 0.5:
                column = column + draw.choice(matrices) @ b
            return getattr(x, draw.choice(self.gates)) + column if draw.random() < 0.7 else column
        if kind < 0.45:
            reductions = [mean, lambda x, groups: total(x / 8, groups), *([largest] if self.kinks else [])]
            return draw.choice(reductions)(a + 0 * values[0], draw.choice([1, self.groups]))  # no single number
        choices = [
            lambda: a + b,
            lambda: a - b,
            lambda: a * b,
            lambda: a / (1.5 + b * b),
            lambda: 1 - a,
            lambda: 0.5 * a + b,
            lambda: tanh(a),
            lambda: sigmoid(a),
            lambda: softplus(a),
            lambda: exp(-a * a),
            lambda: sqrt(1 + b**2),
            lambda: log(2 + a * a),
            lambda: (1.5 + sigmoid(a)) ** -2,
            lambda: silu(a),
            lambda: gelu(tanh(b)),
        ]
        if self.kinks:
            choices += [
                lambda: maximum(a, b),
                lambda: minimum(a, 0.2),
                lambda: where(a > b, a, b * a),
                lambda: clip(a, -0.5, 0.5),
                lambda: abs(a - 0.1),
                lambda: where(a <= 0.1, 0.3, b),
                lambda: a - floor(3 * a),
            ]
        return draw.choice(choices)()

    def _draw_result(self, draw: random.Random, s: Any, values: list[Any]) -> Any:
        if draw.random() < 0.15:
            return getattr(s, draw.choice(self.states))
        return tanh(draw.choice(values)) * 0.7 + 0.2 * tanh(draw.choice(values))


class RandomSizes(Cell):
    """Equations that `seed` decides, over vectors of four sizes: units, features, one number and another, `width`;
    with raw inputs, rectangular matrices, and reductions of any of them."""

    def __init__(self, seed: int = 0, width: int = 7, **options: Any) -> None:
        super().__init__(**options)
        draw = random.Random(seed)
        self.seed, self.width = seed, width
        every: list[Size] = ["units", width, "features", 1]
        kinds = draw.sample(every, draw.randint(1, 4))  # a state of each, so that everything reaches one
        self.gates = tuple("abcd"[: draw.randint(1, 4)])  # type: ignore[misc]
        self.states = tuple("hmqs"[: len(kinds)])  # type: ignore[misc]
        self.inputs = {name: draw.choice(kinds) for name in ("r", "t", "u")[: draw.randint(0, 3)]}  # type: ignore[misc]
        self.drawn = {gate: draw.choice(kinds) for gate in self.gates} | dict(zip(self.states, kinds, strict=True))
        pairs = [(draw.choice(kinds), draw.choice(kinds)) for _ in range(draw.randint(1, 4))]
        self.declared: dict[str, Parameter] = {f"M{n}": matrix(*pair) for n, pair in enumerate(pairs)}
        self.declared |= {f"v{n}": vector(size=draw.choice(kinds)) for n in range(draw.randint(0, 2))}

    def sizes(self) -> dict[str, Size]:
        return self.drawn

    def parameters(self) -> dict[str, Parameter]:
        return self.declared

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """The same draws for symbols and for arrays, so the same equations."""
        draw = random.Random(self.seed + 1)
        output = self.drawn[self.states[0]]
        values = [(self.drawn[state], getattr(s, state)) for state in self.states]
        values += [(size, getattr(x, name)) for name, size in self.inputs.items()]
        values += [(one.size, getattr(p, name)) for name, one in self.declared.items() if name[0] == "v"]
        matrices = [(self.drawn[gate], output, getattr(U, gate)) for gate in self.gates]
        matrices += [(one.size, one.columns, getattr(p, name)) for name, one in self.declared.items() if name[0] == "M"]

        def some(size: Any) -> Any:
            """A value of this size, or a single number."""
            return draw.choice([value for kind, value in values if kind in (size, 1)])

        for gate in self.gates:
            size = self.drawn[gate]
            values.append((size, tanh(getattr(x, gate) + some(size))))
        for rows, columns, one in matrices:
            values.append((rows, sigmoid(one @ some(columns))))
        for _ in range(draw.randint(3, 10)):
            size, a = draw.choice(values)
            b = some(size)
            values.append((size, draw.choice([a * b, a - 0.5 * b, tanh(a) + b, a / (1.5 + b * b)])))
            if draw.random() < 0.3 and size != 1:
                values.append((size, mean(values[-1][1]) * exp(-a * a)))
        results = {}
        for state in self.states:
            size = self.drawn[state]
            total_ = sum((0.4 * tanh(value) for kind, value in values if kind in (size, 1)), 0.1 * getattr(s, state))
            results[state] = tanh(total_)
        return results
