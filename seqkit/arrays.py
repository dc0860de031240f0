"""Arrays of other libraries: what lies in main memory is read where it lies.

PyTorch, JAX, CuPy, TensorFlow, Arrow and others hand their arrays over by DLPack, a description of memory that costs
nothing to make (https://dmlc.github.io/dlpack/latest/python_spec.html).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import DTypeError, words

MAIN_MEMORY = 1
"""DLPack's number of it; others are of devices."""


def as_array(x: Any, owner: str, what: str = "x") -> np.ndarray:
    """`x` as a NumPy array; an array of another library is not copied.

    Parameters
    ----------
    x : array_like
        An array of NumPy, of any library with ``__dlpack__``, a list of either, or numbers.
    owner, what : str
        Names for the error.

    Raises
    ------
    DTypeError
        If an array of another library is not in main memory, needs a gradient, or is of a type that NumPy has not.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "demo").shape
    (2, 2)
    """
    if isinstance(x, (list, tuple)) and x and _is_foreign(x[0]):
        x = [as_array(row, owner, what) for row in x]
    return _in_place(x, owner, what) if _is_foreign(x) else np.asarray(x)


def _is_foreign(x: Any) -> bool:
    return not isinstance(x, np.ndarray) and hasattr(type(x), "__dlpack__")


def _in_place(x: Any, owner: str, what: str) -> np.ndarray:
    kind = f"{type(x).__module__.partition('.')[0]} {type(x).__name__}"
    try:
        device, _ = x.__dlpack_device__()
        if device == MAIN_MEMORY:
            return np.from_dlpack(x)
    except Exception as error:  # every library has its own
        raise DTypeError(
            f"{owner}: {what} is a {kind} that cannot be read as it is ({words(error)}); give one without gradient, in "
            f"main memory, of a type that NumPy has: for PyTorch, x.detach().cpu().float()."
        ) from None
    raise DTypeError(f"{owner}: {what} is a {kind} on a device (DLPack number {device}); move it to main memory first.")
