"""NumPy archives (``numpy.savez``) as sequences.

====================  ====================================================================
key                   array
====================  ====================================================================
``x``                 numbers (sequences, time, features), or (sequences, time) for one feature
``lengths``           optional, integers (sequences,): true lengths of right-padded sequences
``y``                 integers, booleans or strings (sequences,): classes; floats
                      (sequences,) or (sequences, targets): numbers to predict
``x_test`` and so on  optional: the same for the test set
====================  ====================================================================

Pickled objects are refused, because reading them could run any code.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import LARGEST, Sequences, read_bytes, usable
from seqkit.errors import DataError

KEYS = ("x", "y", "lengths")
ORDINARY = f"a finite number of at most {LARGEST:g}"


def read_npz(path: Path) -> tuple[Sequences, Sequences | None]:
    """Read the training sequences and, where the archive has them, the test sequences.

    Raises
    ------
    DataError
        If the file is not an archive, a key is missing or unknown, a shape or type does not
        fit, or a value inside a sequence is not finite.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> path = pathlib.Path(tempfile.mkdtemp(), "demo.npz")
    >>> np.savez(path, x=np.ones((2, 3, 1)), lengths=[3, 1], y=["up", "down"])
    >>> train, test = read_npz(path)
    >>> [len(row) for row in train.x], train.labels, test
    ([3, 1], ('up', 'down'), None)
    """
    arrays = _load(path)
    known = {key + end for key in KEYS for end in ("", "_test")}
    strange = sorted(set(arrays) - known)
    if strange or "x" not in arrays:
        problem = f"has the unknown key {strange[0]!r}" if strange else "has no key 'x'"
        raise DataError(f"{path}: the archive {problem}; keys are x, y, lengths, x_test, y_test, lengths_test.")
    test = _sequences(path, arrays, "_test") if "x_test" in arrays else None
    return _sequences(path, arrays, ""), test


def _load(path: Path) -> dict[str, np.ndarray]:
    content = io.BytesIO(read_bytes(path))
    if not zipfile.is_zipfile(content):
        raise DataError(f"{path}: the file is not an .npz archive; make one with numpy.savez(path, x=, y=).")
    try:
        with np.load(content, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds for damaged files
        objects = "allow_pickle" in str(error)
        reason = "it holds Python objects; store numbers or strings" if objects else "it is damaged; write it again"
        raise DataError(f"{path}: the archive cannot be read, {reason}.") from None


def _sequences(path: Path, arrays: dict[str, np.ndarray], end: str) -> Sequences:
    x = _numbers(path, "x" + end, arrays["x" + end])
    x = x[:, :, None] if x.ndim == 2 else x
    if x.ndim != 3 or 0 in x.shape:
        raise DataError(f"{path}: x{end} has shape {x.shape}, expected (sequences, time, features), none of them 0.")
    lengths = _lengths(path, "lengths" + end, arrays.get("lengths" + end), x)
    rows = [row[:length] for row, length in zip(x, lengths, strict=True)]
    for i, row in enumerate(rows):
        wrong = np.argwhere(~usable(row))
        if wrong.size:
            step, feature = wrong[0]
            value = row[step, feature]
            raise DataError(f"{path}: x{end}[{i}, {step}, {feature}] is {value}, expected {ORDINARY}.")
    return Sequences(
        name=str(path),
        x=rows,
        features=tuple(f"feature{i}" for i in range(1, x.shape[2] + 1)),
        ids=tuple(str(i) for i in range(1, len(x) + 1)),
        origin=f"{path}: x{end} {x.shape}{'' if 'lengths' + end not in arrays else ' with lengths'}",
        **_answers(path, "y" + end, arrays.get("y" + end), len(x)),
    )


def _numbers(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{path}: {key} has dtype {array.dtype}, expected real numbers.")
    return array.astype(np.float64)


def _lengths(path: Path, key: str, lengths: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    if lengths is None:
        return np.full(len(x), x.shape[1])
    if lengths.dtype.kind not in "iu" or lengths.shape != (len(x),):
        raise DataError(f"{path}: {key} is {lengths.dtype} of shape {lengths.shape}, expected integers ({len(x)},).")
    wrong = np.flatnonzero((lengths < 1) | (lengths > x.shape[1]))
    if wrong.size:
        raise DataError(f"{path}: {key}[{wrong[0]}] is {lengths[wrong[0]]}, expected 1 to {x.shape[1]}.")
    return lengths


def _answers(path: Path, key: str, y: np.ndarray | None, count: int) -> dict[str, Any]:
    """Labels or targets, whichever `y` holds."""
    if y is None:
        return {}
    if y.ndim not in (1, 2) or len(y) != count or 0 in y.shape:
        raise DataError(f"{path}: {key} has shape {y.shape}, expected ({count},) or ({count}, targets).")
    if y.dtype.kind in "iubU":
        if y.ndim != 1:
            raise DataError(f"{path}: {key} has classes in shape {y.shape}, expected ({count},); store floats.")
        return {"labels": tuple(str(value) for value in y.tolist())}
    targets = _numbers(path, key, y).reshape(count, -1)
    wrong = np.argwhere(~usable(targets))
    if wrong.size:
        raise DataError(f"{path}: {key}[{wrong[0][0]}] is {targets[tuple(wrong[0])]}, expected {ORDINARY}.")
    names = ("y",) if targets.shape[1] == 1 else tuple(f"y{i}" for i in range(1, targets.shape[1] + 1))
    return {"targets": targets, "target_names": names}
