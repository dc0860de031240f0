"""A case is a model file, with what lies beside it, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Case:
    """A file to be read.

    Attributes
    ----------
    name : str
        For people, and for the file that a finding is kept in.
    data : bytes
        The model file; None where `prepare` makes it.
    refused : bool
        Whether it must not be read.
    beside : dict of str to bytes
        Other files in the folder.
    prepare : callable
        Makes what is not bytes (links, pipes) in the folder, before the file is read.
    """

    name: str
    data: bytes | None
    refused: bool = False
    beside: dict[str, bytes] = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None

    def write(self, folder: Path, ending: str) -> Path:
        """The model file, in a folder that has nothing else in it."""
        for name, data in self.beside.items():
            (folder / name).write_bytes(data)
        path = folder / f"model{ending}"
        if self.data is not None:
            path.write_bytes(self.data)
        if self.prepare is not None:
            self.prepare(folder)
        return path


FOUND = Path(__file__).with_name("found")
"""Files that did harm once, called by their format and what is in them."""


def found(name: str) -> Iterator[Case]:
    """What fuzzing has found in a format."""
    for path in sorted(FOUND.glob(f"{name}-*")):
        yield Case(path.stem, path.read_bytes())


@dataclass(frozen=True)
class Format:
    """A format of model files.

    Attributes
    ----------
    name : str
        For people and the command line.
    ending : str
        Of its files.
    reader : str
        ``module:function`` that takes the path of a file and gives a model.
    seeds : callable
        Small valid files.
    corrupt : callable
        A damaged file from a random generator and the seeds.
    made : callable
        Cases made by hand.
    runner : str
        What reads corrupted files, which are many, and runs the models that are read.
    """

    name: str
    ending: str
    reader: str
    seeds: Callable[[], list[bytes]]
    corrupt: Callable[[Random, list[bytes]], bytes]
    made: Callable[[], Iterator[Case]]
    runner: str = "hostile_files.readers:run"

    def corrupted(self, count: int, seed: int) -> Iterator[Case]:
        """As many damaged files, the same ones for the same seed."""
        seeds = self.seeds()
        for number in range(count):
            rng = Random(f"{self.name} {seed} {number}")
            yield Case(f"{seed}-{number}", self.corrupt(rng, seeds))

    def valid(self) -> Iterator[Case]:
        """The seeds themselves."""
        for number, data in enumerate(self.seeds()):
            yield Case(f"seed-{number}", data)
