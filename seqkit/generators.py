"""Where a random generator stands, as numbers that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def state_of(rng: np.random.Generator) -> dict[str, int]:
    """Everything that decides what the generator, NumPy's default one, draws next.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> state = state_of(rng)
    >>> first = rng.random()
    >>> restore(rng, state)
    >>> rng.random() == first
    True
    """
    state = rng.bit_generator.state
    return {**state["state"], "has_uint32": state["has_uint32"], "uinteger": state["uinteger"]}


def restore(rng: np.random.Generator, state: Mapping[str, int]) -> None:
    """Put the generator where :func:`state_of` found one."""
    rest = {name: state[name] for name in ("has_uint32", "uinteger")}
    inner = {name: state[name] for name in ("state", "inc")}
    rng.bit_generator.state = {"bit_generator": "PCG64", "state": inner, **rest}


def join(states: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The states of several parts as one, called ``part.name``."""
    return {f"{part}.{name}": value for part, state in states.items() for name, value in state.items()}


def part(state: Mapping[str, int], name: str) -> dict[str, int]:
    """The state of one part of what :func:`join` gave."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
