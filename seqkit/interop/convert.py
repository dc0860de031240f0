"""From one model file to another, with a proof of what was read and a proof of what was written."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.interop import formats
from seqkit.interop.imported import Imported, Oracle
from seqkit.interop.proof import Proof, prove

Told = Callable[[str, str, Proof], None]
"""Called with the name of a file, what it is and its proof, whether that holds or not."""


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str | None = None,
    *,
    cases: int = 16,
    seed: int = 0,
    tolerance: float | None = None,
    reading: dict[str, Any] | None = None,
    writing: dict[str, Any] | None = None,
    told: Told = lambda file, title, proof: None,
) -> Any:
    """Read a model file of any format and write another one.

    The model that was read is proven to be the one in `source`, the file that was written to be the model.  Only then
    does it take the place of `out`.

    Parameters
    ----------
    source : str or path-like
        File of any format, see :func:`seqkit.interop.read`.
    out : str or path-like
        Name of the new file, which says its format, see :func:`seqkit.interop.save`.
    format : str, optional
        Format of `source`, where it is not to be found from the content.
    cases, seed, tolerance
        Of the proofs, see :func:`seqkit.interop.prove`; with 0 cases nothing is proven.
    reading, writing : dict, optional
        What the formats take, such as `prefix` and `opset`.
    told : callable, optional
        Called with the name of a file, what it is and its :class:`~seqkit.interop.proof.Proof`, for both files.

    Returns
    -------
    Sequential or GraphModel
        The model.

    Raises
    ------
    CheckError
        If a proof does not hold; `out` is as it was.
    ConvertError
        If the model cannot be represented here or there exactly.
    LoadError
        If `source` is damaged or of no known format.

    Examples
    --------
    >>> import tempfile
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.GRU(4, return_sequences=True, input_shape=(None, 1)), seqkit.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder + "/model.safetensors")
    ...     told = lambda file, title, proof: print(title, "/", proof.oracle, proof.error < 1e-6)
    ...     _ = convert(folder + "/model.safetensors", folder + "/model.json", told=told)
    seqkit model / the same model in float64 True
    RTNeural model / RTNeural's equations in float64 True
    """
    if os.path.exists(source) and os.path.exists(out) and os.path.samefile(source, out):
        raise ConfigError(f"{out}: this is the file that is read; choose another name for the new one.")
    formats.writer_of(out)
    check = partial(_checked, cases=cases, seed=seed, tolerance=tolerance, told=told)
    imported = formats.read(source, format, **(reading or {}))
    check(os.fspath(source), imported)
    target = Path(os.path.realpath(out))  # a link stays a link
    with tempfile.TemporaryDirectory(prefix=".seqkit-", dir=target.parent) as folder:
        new = Path(folder, target.name)
        formats.save(imported.model, new, **(writing or {}))
        check(os.fspath(out), _written(imported, new))
        if target.exists():
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(new, target)
    return imported.model


def _checked(
    name: str, imported: Imported, *, cases: int, seed: int, tolerance: float | None, told: Told
) -> None:  # fmt: skip
    if cases:
        proof = prove(imported, cases, seed, tolerance)
        told(name, imported.source, proof)
        proof.require(name)


def _written(imported: Imported, path: Path) -> Imported:
    """The model that was read as the model of the file that was written, beside whoever else can run that.

    Inputs are drawn for the model that was read, of which most is known, where the file takes the same.
    """
    again = formats.read(path)
    draw = imported.draw if _axes(imported).items() <= _axes(again).items() else again.draw
    if formats.find(path).name == "native":
        oracle = Oracle("the file, read again", again.run)
        again = replace(again, reference=lambda: oracle, peer=lambda: None)
    return replace(again, run=imported.run, draw=draw)


def _axes(imported: Imported) -> dict[str, int]:
    """How many axes each input has."""
    return {name: np.ndim(array) for name, array in imported.draw(np.random.default_rng(0)).items()}
