"""From the folder of a data set to what it holds."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from seqkit.data.csv_file import read_csv
from seqkit.data.dataset import Sequences, Series
from seqkit.data.ts_file import read_ts
from seqkit.datasets.parts import Monitored, Parts

LOWEST, NOTES = 21, 88
"""MIDI number of the lowest key of a piano, and its keys."""
SPEAKERS = ("jackson", "nicolas", "theo")
RECORDINGS = 50
TESTED = 5


def archive_problem(folder: Path) -> Parts[Sequences]:
    """The training and test cases of a problem of the UCR/UEA archive."""
    return Parts(*(read_ts(folder / f"{folder.name}_{part}.ts") for part in ("TRAIN", "TEST")))


def series(path: Path, name: str) -> Series:
    """The only series of a table."""
    return replace(read_csv(path).series(), name=name)


def text(path: Path) -> Parts[str]:
    """The first 90 % of the characters of a text, and the rest."""
    whole = path.read_text(encoding="utf-8")
    cut = len(whole) * 9 // 10
    return Parts(whole[:cut], whole[cut:])


def chorales(path: Path) -> Parts[Sequences]:
    """Piano rolls: 1 where a key sounds in a frame, else 0; (frames, 88) each."""
    pieces = json.loads(path.read_text())
    train, validation, test = (_rolls(pieces[part], part) for part in ("train", "valid", "test"))
    return Parts(train, test, validation)


def _rolls(pieces: Sequence[Sequence[Sequence[int]]], part: str) -> Sequences:
    x = []
    for piece in pieces:
        roll = np.zeros((len(piece), NOTES))
        for frame, pitches in enumerate(piece):
            roll[frame, np.asarray(pitches, dtype=int) - LOWEST] = 1.0
        x.append(roll)
    keys = tuple(f"key{number}" for number in range(LOWEST, LOWEST + NOTES))
    return Sequences(
        "jsb", x, keys, tuple(f"{part} {i}" for i in range(1, len(x) + 1)), f"jsb, {part}: {len(x)} pieces"
    )


def recording_names() -> tuple[str, ...]:
    """Files of the spoken digits, in the order of their characters' numbers."""
    return tuple(sorted(f"{d}_{who}_{i}.wav" for d in range(10) for who in SPEAKERS for i in range(RECORDINGS)))


def recordings(folder: Path) -> Parts[Sequences]:
    """Signals in -1 to 1, (samples, 1) each, 8,000 a second; recordings 0 to 4 are for testing."""
    stems = [name.removesuffix(".wav") for name in recording_names()]
    tested = [int(stem.split("_")[2]) < TESTED for stem in stems]
    parts = [[stem for stem, held in zip(stems, tested, strict=True) if held == wanted] for wanted in (False, True)]
    return Parts(*(_signals(folder, part) for part in parts))


def _signals(folder: Path, stems: Sequence[str]) -> Sequences:
    x = [_signal(folder / f"{stem}.wav") for stem in stems]
    labels = tuple(stem[0] for stem in stems)
    return Sequences("fsdd", x, ("signal",), tuple(stems), f"fsdd: {len(x)} recordings, 8,000 values a second", labels)


def _signal(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        values = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return values[:, None] / 32768.0


def monitored(folder: Path) -> tuple[Monitored, ...]:
    """The artificial series, those with labelled windows first."""
    windows = json.loads((folder / "combined_windows.json").read_text())
    files = sorted(
        folder.glob("artificial*/*.csv"), key=lambda path: (path.parent.name != "artificialWithAnomaly", path)
    )
    return tuple(_monitored(path, windows[f"{path.parent.name}/{path.name}"]) for path in files)


def _monitored(path: Path, windows: Sequence[tuple[str, str]]) -> Monitored:
    values = series(path, path.stem)
    places = {time: row for row, time in enumerate(values.index)}
    rows = [[places[time.split(".")[0]] for time in window] for window in windows]
    return Monitored(values, tuple((first, last + 1) for first, last in rows))
