"""Parameters of a layer: named arrays that cannot change unnoticed.

The engine keeps packed copies of the weights.  So that a copy never goes stale, an array
read from a layer is read-only; writing goes through ``params[name] = array`` (checked and
copied) or, for optimizers, through ``with params.editing() as arrays``.  Both raise
``params.version``, which the packed copies are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

import numpy as np
from numpy.typing import ArrayLike

from seqkit.arrays import as_array
from seqkit.errors import DTypeError, SeqkitError, ShapeError


class Named(MutableMapping[str, np.ndarray]):
    """Named arrays that tell their shapes when they are printed."""

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in self.items())
        return f"{type(self).__name__}({shapes})"


class Parameters(Named):
    """Named arrays of fixed shape and dtype with a version counter.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The initial values; contiguous arrays are kept, not copied.
    owner : str
        Name used in error messages.

    Examples
    --------
    >>> import numpy as np
    >>> params = Parameters({"bias": np.zeros(3)}, owner="demo")
    >>> params["bias"] = [1.0, 2.0, 3.0]
    >>> params["bias"].flags.writeable, params.version
    (False, 1)
    >>> params
    Parameters(bias (3,) float64)
    """

    def __init__(self, arrays: dict[str, np.ndarray], owner: str) -> None:
        self._arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
        self._owner = owner
        self.version = 0

    def __getitem__(self, name: str) -> np.ndarray:
        view = self._arrays[name].view()
        view.flags.writeable = False
        return view

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        if name not in self._arrays:
            raise SeqkitError(f"{self._owner}: no parameter {name!r}; it has {', '.join(self._arrays) or 'none'}.")
        own, new = self._arrays[name], as_array(value, self._owner, f"parameter {name!r}")
        if new.shape != own.shape:
            raise ShapeError(f"{self._owner}: parameter {name!r} has shape {own.shape}, got {new.shape}.")
        if new.dtype.kind not in "fiub":
            raise DTypeError(f"{self._owner}: parameter {name!r} must hold real numbers, got dtype {new.dtype}.")
        own[...] = new
        self.version += 1

    def __delitem__(self, name: str) -> None:
        raise SeqkitError(f"{self._owner}: parameter {name!r} cannot be removed.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def reading(self) -> Mapping[str, np.ndarray]:
        """The arrays themselves, for code that does not change them, nor gives them away."""
        return self._arrays

    def editing(self) -> Editing:
        """Context manager: writable arrays by name; the version rises when the block ends."""
        return Editing(self)

    def _writable(self) -> dict[str, np.ndarray]:
        return self._arrays

    def _changed(self) -> None:
        self.version += 1


class JoinedParameters(Named):
    """Parameters of several parts under one roof, called ``part.name``.

    Nothing is copied: reading and writing go to the part.

    Parameters
    ----------
    parts : mapping of str to Parameters
        The parameters of every part; parts may be joined ones themselves.

    Examples
    --------
    >>> import numpy as np
    >>> bias = Parameters({"bias": np.zeros(1)}, owner="demo")
    >>> joined = JoinedParameters({"left": bias})
    >>> joined["left.bias"] = [2.0]
    >>> list(joined), bias["bias"].tolist()
    (['left.bias'], [2.0])
    """

    def __init__(self, parts: Mapping[str, Parameters | JoinedParameters]) -> None:
        self._parts = parts

    @property
    def parts(self) -> Mapping[str, Parameters | JoinedParameters]:
        """The parameters of every part."""
        return self._parts

    def with_part(self, name: str, params: Parameters | JoinedParameters) -> JoinedParameters:
        """The same and one part more."""
        return JoinedParameters({**self._parts, name: params})

    @property
    def version(self) -> int:
        """Rises whenever a parameter of any part may have changed."""
        return sum(params.version for params in self._parts.values())

    def __getitem__(self, name: str) -> np.ndarray:
        part, _, key = name.partition(".")
        return self._parts[part][key]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        part, _, key = name.partition(".")
        if part not in self._parts:
            raise SeqkitError(f"no parameter {name!r}; there are {', '.join(self) or 'none'}.")
        self._parts[part][key] = value

    def __delitem__(self, name: str) -> None:
        raise SeqkitError(f"parameter {name!r} cannot be removed.")

    def __iter__(self) -> Iterator[str]:
        return (f"{part}.{key}" for part, params in self._parts.items() for key in params)

    def __len__(self) -> int:
        return sum(len(params) for params in self._parts.values())

    def reading(self) -> Mapping[str, np.ndarray]:
        """The arrays themselves, for code that does not change them, nor gives them away."""
        return self._writable()

    def editing(self) -> Editing:
        """Context manager: writable arrays by name; the versions of all parts rise when the block ends."""
        return Editing(self)

    def _writable(self) -> dict[str, np.ndarray]:
        parts = self._parts.items()
        return {f"{part}.{key}": array for part, params in parts for key, array in params._writable().items()}

    def _changed(self) -> None:
        for params in self._parts.values():
            params._changed()


class Editing:
    """The time in which parameters may change.  No generator: an optimizer opens one for every batch."""

    def __init__(self, params: Parameters | JoinedParameters) -> None:
        self._params = params

    def __enter__(self) -> dict[str, np.ndarray]:
        return self._params._writable()

    def __exit__(self, *error: object) -> None:
        self._params._changed()
