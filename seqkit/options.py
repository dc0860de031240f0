"""Checks of options: a choice by its name, a count, a number in a range."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

import numpy as np

from seqkit.errors import ConfigError

T = TypeVar("T")


def by_name(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of `table` called `name`.

    Parameters
    ----------
    table : mapping of str to object
        The choices.
    name : str
        The one wanted.
    what : str
        What the choices are, for the error.

    Raises
    ------
    ConfigError
        If there is none; the message lists what there is.

    Examples
    --------
    >>> by_name({"one": 1, "two": 2}, "two", "number")
    2
    >>> by_name({"one": 1, "two": 2}, "tow", "number")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: no number named 'tow'; did you mean 'two'? Choose one of one, two.
    """
    if isinstance(name, str) and name in table:
        return table[name]
    close = difflib.get_close_matches(str(name), table, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise ConfigError(f"no {what} named {name!r}{hint} Choose one of {', '.join(sorted(table))}.")


def positive_integer(value: Any, what: str) -> int:
    """`value` as an int of at least 1.

    Examples
    --------
    >>> positive_integer(3, "dense: units")
    3
    >>> positive_integer(2.5, "dense: units")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: dense: units must be a positive integer, got 2.5.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{what} must be a positive integer, got {value!r}.")
    return int(value)


def fraction(value: Any, what: str) -> float:
    """`value` as a float of at least 0 and below 1.

    Examples
    --------
    >>> fraction(1, "dropout: rate")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: dropout: rate must be a number of at least 0 and below 1, got 1.
    """
    if not is_real(value) or not 0.0 <= value < 1.0:
        raise ConfigError(f"{what} must be a number of at least 0 and below 1, got {value!r}.")
    return float(value)


def positive_number(value: Any, what: str, zero: bool = False) -> float:
    """`value` as a finite float above 0, or of at least 0 where `zero` allows it.

    Examples
    --------
    >>> positive_number(0, "huber: delta")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: huber: delta must be a positive number, got 0.
    """
    if not is_real(value) or not 0.0 <= value < np.inf or (value == 0 and not zero):
        raise ConfigError(f"{what} must be a positive number{' or 0' if zero else ''}, got {value!r}.")
    return float(value)


LOW_PRECISIONS = ("bfloat16", "int8")


def known_precision(value: Any, own: str, what: str) -> str | None:
    """A precision of products lower than `own`, the type of the numbers; None for that type itself.

    Examples
    --------
    >>> known_precision("int8", "float32", "lstm: precision")
    'int8'
    >>> known_precision("int4", "float32", "lstm: precision")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: lstm: precision must be one of float32, bfloat16, int8, got 'int4'.
    """
    if value == own:
        return None
    if value not in LOW_PRECISIONS:
        raise ConfigError(f"{what} must be one of {own}, {', '.join(LOW_PRECISIONS)}, got {value!r}.")
    if own != "float32":
        raise ConfigError(f"{what} {value} needs a layer of float32, this one is of {own}; build it with that dtype.")
    return str(value)


def is_real(value: Any) -> TypeGuard[float]:
    """Whether a value is one real number, and not a truth value."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
