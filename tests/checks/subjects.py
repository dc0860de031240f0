"""The layers that are checked: every registered cell, its options, and the zoo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checks.language import LANGUAGE, Groups, Heads
from checks.random_cells import RandomCell
from checks.zoo import ZOO
from seqkit import catalog, registry
from seqkit.equations import ACTIVATIONS, Cell
from seqkit.recurrent import Recurrent
from seqkit.testing.data import Make, fill

# Below, at and above one vector of any instruction set and one panel; features likewise.
SIZES = ((1, 1), (3, 5), (7, 2), (16, 1), (17, 5), (33, 17), (65, 3))

# Units, heads of U, heads of another matrix, numbers of another state: heads below, at, across and above panels.
HEADS = ((6, 6, 1, 12), (12, 3, 2, 3), (32, 2, 4, 64), (66, 2, 11, 8), (80, 5, 1, 20), (128, 4, 2, 32), (150, 2, 3, 70))


def maker(target: str | type[Cell], units: int, inputs: int, **fixed: Any) -> Make:
    """A `make` for the cell of this name or class."""

    def make(dtype: str, **options: Any) -> Any:
        options = {"return_sequences": True, **fixed, **options}
        layer = (
            registry.create(target, units, **options)
            if isinstance(target, str)
            else Recurrent(target, units, **options)
        )
        return fill(layer.build(inputs, seed=0, dtype=dtype))

    return make


def quiet(make: Make) -> Make:
    """The same layers with small parameters: where nothing bounds a state it soon leaves every range, or
    cancels and leaves little but rounding."""

    def make_quiet(dtype: str, **options: Any) -> Any:
        layer = make(dtype, **options)
        for name, value in layer.params.items():
            layer.params[name] = 0.2 * value
        return layer

    return make_quiet


def repeatable(make: Make) -> Make:
    """The same layers, with the same dropout at every call."""

    def make_repeatable(dtype: str, **options: Any) -> Any:
        layer = make(dtype, **options)
        forward = layer.forward

        def reseeded(*args: Any, **kwargs: Any) -> Any:
            layer.restore_random_state({"seed": 5, "row": 0})
            return forward(*args, **kwargs)

        layer.forward = reseeded
        return layer

    return make_repeatable


def registered() -> list[str]:
    """Names of the registered cells, and of layers that are a cell with options."""
    found = {entry.name: registry.get(entry.name) for entry in catalog.entries() if entry.error is None}
    return [name for name, target in found.items() if issubclass(target, (Cell, Recurrent))]


def cells_of_all_sizes() -> Iterator[tuple[str, Make]]:
    """Registered cells: every size, in turn forwards and backwards; one size in both directions."""
    for n, name in enumerate(registered()):
        for m, (units, inputs) in enumerate(SIZES):
            for backwards in (False, True) if units == 17 else ((n + m) % 2 == 1,):
                label = f"{name}-{units}x{inputs}{'-backwards' if backwards else ''}"
                yield label, maker(name, units, inputs, go_backwards=backwards)


def zoo() -> Iterator[tuple[str, Make]]:
    """Cells of no paper, in turn small and forwards or larger and backwards."""
    for n, (name, cell) in enumerate((ZOO | LANGUAGE).items()):
        yield name, maker(cell, (5, 18)[n % 2], 3, go_backwards=n % 2 == 1)
    for units, groups in ((6, 1), (12, 2), (60, 1), (66, 11), (120, 4), (162, 27)):
        yield f"Groups-{groups}-of-{units}", maker(Groups, units, 2, groups=groups)
    for n, (units, heads, others, wide) in enumerate(HEADS):
        options = {"heads": heads, "others": others, "wide": wide}
        yield f"Heads-{heads}-of-{units}", maker(Heads, units, 2, go_backwards=n % 2 == 1, **options)


def variants() -> Iterator[tuple[str, Make]]:
    """Options of the cells, each where it makes a difference."""
    for name in registered():
        yield f"{name}-no_bias", maker(name, 5, 3, use_bias=False)
    yield "gru-reset_before", maker("gru", 18, 3, reset_after=False)
    yield "gru-reset_before-no_bias", maker("gru", 5, 3, reset_after=False, use_bias=False, go_backwards=True)
    for n, activation in enumerate(name for name in ACTIVATIONS if name not in ("tanh", "exp")):
        yield f"activation-{activation}", maker(("gru", "lstm", "simple_rnn")[n % 3], 5, 3, activation=activation)
    for recurrent in ("hard_sigmoid", "softsign", "softplus"):
        yield f"recurrent_activation-{recurrent}", maker("lstm", 5, 3, recurrent_activation=recurrent)
    shaped = {"name": "scaled_tanh", "alpha": 1.5, "beta": 0.5, "clip": 0.75}
    yield "lstm-output_activation", maker("lstm", 5, 3, output_activation=shaped)
    yield (
        "lstm-coupled",
        maker("lstm", 18, 3, forget_gate="coupled", recurrent_activation={"name": "elu", "alpha": 0.5}),
    )
    yield "peephole-coupled", maker("peephole", 5, 3, forget_gate="coupled", output_activation="elu", go_backwards=True)
    yield "recurrent_activation-linear", quiet(maker("lstm", 5, 3, recurrent_activation="linear"))
    yield "activation-exp", quiet(maker("gru", 5, 3, activation="exp"))


def dropped() -> Iterator[tuple[str, Make]]:
    """Dropout of the input and of the state."""
    for name, options in [
        ("lstm", {"recurrent_dropout": 0.4}),
        ("gru", {"recurrent_dropout": 0.4, "dropout": 0.3, "go_backwards": True}),
        ("gru", {"recurrent_dropout": 0.5, "reset_after": False}),
        ("simple_rnn", {"dropout": 0.5}),
    ]:
        yield "-".join([name, *options]), repeatable(maker(name, 18, 5, **options))
    for name in ("OneMatrixTwice", "ThreeStates", "Means"):
        yield f"{name}-recurrent_dropout", repeatable(maker(ZOO[name], 5, 3, recurrent_dropout=0.3))


def regularized() -> Iterator[tuple[str, Make]]:
    """Zoneout, dropout of weights, and learned initial states."""
    every = {"dropout": 0.3, "recurrent_dropout": 0.4, "weight_dropout": 0.25, "zoneout": 0.3}
    for name, options in [
        ("lstm", {"zoneout": {"h": 0.2, "c": 0.5}}),
        ("gru", {"weight_dropout": 0.4, "go_backwards": True}),
        ("lstm", {"initial_state": "learned", "zoneout": {"c": 0.3}}),
        ("peephole", every),
        ("gru", {**every, "reset_after": False, "initial_state": "learned", "go_backwards": True}),
    ]:
        yield "-".join([name, *options]), repeatable(maker(name, 18, 5, **options))
    for name in ("OneMatrixTwice", "ThreeStates", "Means"):
        yield f"{name}-every", repeatable(maker(ZOO[name], 5, 3, **every))
    yield "Heads-every", repeatable(maker(Heads, 12, 3, heads=3, others=2, **every))
    yield "Scalars-every", repeatable(maker(LANGUAGE["Scalars"], 5, 3, **every))


def random_cells(seeds: range) -> Iterator[tuple[str, Make]]:
    """Random equations in random sizes; every third with kinks."""
    for seed in seeds:
        units, inputs = min(SIZES[seed % len(SIZES)][0], 20), SIZES[seed % len(SIZES)][1]
        groups = [n for n in range(1, units + 1) if units % n == 0]
        options = {"seed": seed, "kinks": seed % 3 == 0, "groups": groups[seed // 7 % len(groups)]}
        yield f"random-{seed}", maker(RandomCell, units, inputs, go_backwards=seed % 2 == 1, **options)


SUBJECTS: dict[str, Make] = dict([*cells_of_all_sizes(), *zoo()])
VARIANTS: dict[str, Make] = dict(variants())
DROPPED: dict[str, Make] = dict(dropped())
REGULARIZED: dict[str, Make] = dict(regularized())
