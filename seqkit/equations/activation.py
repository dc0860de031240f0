"""What an option of a cell says of an activation: its name, or a name with numbers and a limit."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any

from seqkit.equations.functions import ACTIVATIONS, clip
from seqkit.errors import ConfigError

Choice = str | Mapping[str, Any]
"""A name of ACTIVATIONS, or ``{"name": ..., "alpha": ..., "beta": ..., "clip": ...}`` with numbers that it takes."""


def activation(choice: Choice, owner: str) -> Callable[[Any], Any]:
    """The function of one vector that a choice means.

    Parameters
    ----------
    choice : str or mapping
        ``{"name": "leaky_relu", "alpha": 0.2}`` gives the function numbers of its own, in place of the defaults;
        "clip" limits what enters any function to [-clip, clip].
    owner : str
        For the error: whose option it is.

    Raises
    ------
    ConfigError
        If there is no such function or it does not take what is given.

    Examples
    --------
    >>> f = activation({"name": "leaky_relu", "alpha": 0.5, "clip": 2.0}, "demo")
    >>> [float(f(x)) for x in (-1.0, -9.0, 9.0)]
    [-0.5, -1.0, 2.0]
    """
    settings: dict[str, Any] = dict(choice) if isinstance(choice, Mapping) else {"name": choice}
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ConfigError(f"{owner} is {name!r}, expected one of {', '.join(ACTIVATIONS)}.")
    function = ACTIVATIONS[name]
    takes = [*inspect.signature(function).parameters][1:]
    for key, value in settings.items():
        if key not in (*takes, "clip"):
            raise ConfigError(f"{owner}: {name} takes no {key!r}, only {', '.join([*takes, 'clip'])}.")
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise ConfigError(f"{owner}: {key} of {name} must be a finite number, got {value!r}.")
    limit = settings.pop("clip", None)
    numbers = {key: float(value) for key, value in settings.items()}
    chosen = partial(function, **numbers) if numbers else function
    if limit is None:
        return chosen
    if limit <= 0:
        raise ConfigError(f"{owner}: clip of {name} must be positive, got {limit!r}.")
    return partial(_limited, chosen, float(limit))


def _limited(function: Callable[[Any], Any], limit: float, x: Any) -> Any:
    return function(clip(x, -limit, limit))
