"""Tapes: values of every step by name, in memory or in files.

Legend: B batch, T time, N numbers of a value (units), K outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

import numpy as np

from seqkit.errors import ConfigError, LoadError
from seqkit.sequences import unpad

INDEX = "tape.json"


class Tape(Mapping[str, np.ndarray]):
    """Values by name, "place.direction.value" to (B, T, N), 0 past the end of a sequence.

    "0.forward.f" is the value f of layer 0; the place is that which begins the names of a layer's parameters.

    Attributes
    ----------
    lengths : dict of str to ndarray (B,)
        Steps of each sequence, by name.  They are those that the layer reads: not the masked ones of a ``Masked``.
    output : ndarray, (B, K) or (B, T, K)
        What the model gives.
    path : Path or None
        The folder with a memory-mapped .npy file for each value.
    """

    def __init__(
        self,
        values: Mapping[str, np.ndarray],
        lengths: Mapping[str, np.ndarray],
        output: np.ndarray,
        path: Path | None = None,
    ) -> None:
        self._values, self.lengths, self.output, self.path = values, lengths, output, path

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._values:
            raise ConfigError(f"tape: no value named {name!r}; there are {', '.join(self) or 'none'}.")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return f"Tape({', '.join(f'{name}: {value.shape}' for name, value in self.items())})"

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that were recorded, "place.direction"."""
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in self))

    def of_layer(self, layer: str) -> dict[str, np.ndarray]:
        """The values of one layer by their short names."""
        return {name.rpartition(".")[2]: value for name, value in self.items() if name.rpartition(".")[0] == layer}

    def sequences(self, name: str) -> list[np.ndarray]:
        """The values of every sequence without padding, (T_i, N) each."""
        return unpad(self[name], self.lengths[name])

    def steps(self, name: str) -> np.ndarray:
        """The values at all steps of all sequences, one below the other, (sum of lengths, N)."""
        return np.concatenate(self.sequences(name))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A tape that was recorded to a folder; values are read when they are used.

        Raises
        ------
        LoadError
            If there is no whole tape in the folder.
        """
        folder = Path(path)
        try:
            lengths = json.loads((folder / INDEX).read_text())
            values = {name: np.load(_file(folder, name), mmap_mode="r") for name in lengths}
            output = np.load(folder / "output.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise LoadError(f"{folder}: not a tape, or not a whole one ({error}).") from None
        return cls(values, {name: np.array(each, np.int64) for name, each in lengths.items()}, output, folder)


def made_folder(path: str | Path | None) -> Path | None:
    if path is None:
        return None
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_room(folder: Path | None, name: str, kind: tuple[tuple[int, ...], np.dtype]) -> np.ndarray:
    """An array of zeros, in memory or in a file."""
    shape, dtype = kind
    if folder is None:
        return np.zeros(shape, dtype)
    if 0 in shape:  # an empty file cannot be mapped
        np.save(_file(folder, name), np.zeros(shape, dtype))
        return np.zeros(shape, dtype)
    return np.lib.format.open_memmap(_file(folder, name), mode="w+", dtype=dtype, shape=shape)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{quote(name, safe='')}.npy"
