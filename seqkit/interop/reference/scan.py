"""Time: one sequence after the other, one step after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
States = tuple[Array, ...]
Step = Callable[[Array, States], States]
"""x_t (I,) and the states of one sequence to its new states, of which the first is the output."""


def scan(step: Step, x: Array, lengths: Sequence[int] | Array, states: Sequence[Array], backwards: bool) -> Array:
    """Outputs (T, N, H) of a direction for x (T, N, I): it runs inside each length, and 0 is what comes after.

    The arrays `states`, (N, H) each, become the final states; those of a sequence without steps stay.
    """
    y = np.zeros((*x.shape[:2], states[0].shape[1]))
    for n, length in enumerate(lengths):
        state = tuple(one[n] for one in states)
        for t in reversed(range(length)) if backwards else range(length):
            state = step(x[t, n], state)
            y[t, n] = state[0]
        for one, final in zip(states, state, strict=True):
            one[n] = final
    return y
