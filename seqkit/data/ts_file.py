"""Files of the UCR/UEA time series archive (``.ts``) as sequences.

A header of ``@`` tags ends with ``@data``; then each line is one case: its dimensions
separated by ``:``, the values of a dimension by ``,``, and last the class (``@classLabel
true``) or the number to predict (``@targetLabel true``).  Cases may differ in length, the
dimensions of one case may not.

Source: Bagnall et al., "The UEA multivariate time series classification archive, 2018",
https://arxiv.org/abs/1811.00075, and the format's description in the documentation of sktime.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqkit.data.csv_file import decode
from seqkit.data.dataset import LARGEST, Sequences, read_bytes, shortened, usable
from seqkit.errors import DataError

ANSWERS = {"@classlabel": "class", "@targetlabel": "target"}


@dataclass
class Header:
    """The tags of a file that matter for reading it."""

    problem: str = ""
    answer: str = ""
    """What ends each line: "class", "target" or nothing."""
    classes: tuple[str, ...] = ()


def read_ts(path: Path) -> Sequences:
    """Read the cases of a ``.ts`` file.

    Raises
    ------
    DataError
        If the header is incomplete or asks for time stamps, or a line has a missing value,
        a word that is no number, another number of dimensions, dimensions of different
        lengths, or an undeclared class; the message names the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "demo.ts")
    >>> _ = path.write_text("@classLabel true up down\\n@data\\n1,2,3:4,5,6:up\\n3,2:6,5:down\\n")
    >>> cases = read_ts(path)
    >>> cases.x[1].tolist(), cases.labels
    ([[3.0, 6.0], [2.0, 5.0]], ('up', 'down'))
    """
    lines = decode(read_bytes(path), path).split("\n")
    header, start = _header(lines, path)
    cases = list(_cases(lines, start, header, path))
    if not cases:
        raise DataError(f"{path}: there is no case below @data.")
    x = [case for case, _ in cases]
    answers = [answer for _, answer in cases]
    return Sequences(
        name=str(path),
        x=x,
        features=tuple(f"dim{i}" for i in range(1, x[0].shape[1] + 1)),
        ids=tuple(str(i) for i in range(1, len(x) + 1)),
        origin=f"{path}: UCR/UEA problem {header.problem or 'without a name'}, {len(x)} cases",
        labels=tuple(answers) if header.answer == "class" else None,
        targets=np.array(answers, dtype=np.float64)[:, None] if header.answer == "target" else None,
        target_names=("target",) if header.answer == "target" else (),
    )


def _cases(lines: list[str], start: int, header: Header, path: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Each case and the class or target at its end."""
    width = 0
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip() or line.startswith("#"):
            continue
        place, answer, parts = f"{path}, line {number}", "", line.strip().split(":")
        if header.answer and len(parts) == 1:
            raise DataError(f"{place}: there is no colon, expected values:{header.answer}.")
        if header.answer:
            answer = _answer(parts.pop().strip(), header, place)
        width = width or len(parts)
        yield _case(parts, width, place), answer


def _header(lines: list[str], path: Path) -> tuple[Header, int]:
    """The tags, and the number of lines up to and with ``@data``."""
    header = Header()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith("@"):
            raise DataError(f"{path}, line {number}: expected a tag such as @classLabel or @data, got {line[:30]!r}.")
        tag, switched_on = words[0].lower(), [word.lower() for word in words[1:2]] == ["true"]
        if tag == "@data":
            return header, number
        if tag == "@problemname":
            header.problem = " ".join(words[1:])
        elif tag in ANSWERS and switched_on:
            header.answer, header.classes = ANSWERS[tag], tuple(words[2:])
        elif tag == "@timestamps" and switched_on:
            raise DataError(f"{path}, line {number}: time stamps are not supported; store evenly spaced values.")
    raise DataError(f"{path}: there is no @data line; is it a UCR/UEA .ts file?")


def _answer(word: str, header: Header, place: str) -> str:
    """The class or target at the end of a line, checked."""
    if header.answer == "class" and header.classes and word not in header.classes:
        declared = shortened(header.classes, 20)
        raise DataError(f"{place}: class {word[:30]!r} is not declared; @classLabel has {declared}.")
    if header.answer == "target":
        _number(word, place)
    return word


def _case(parts: list[str], width: int, place: str) -> np.ndarray:
    """One case as (time, dimensions)."""
    if len(parts) != width:
        raise DataError(f"{place}: the case has {len(parts)} dimensions, expected {width} as in the first case.")
    dimensions = [_values(part, f"{place}, dimension {i}") for i, part in enumerate(parts, start=1)]
    lengths = [len(values) for values in dimensions]
    if min(lengths) != max(lengths):
        span = f"{min(lengths)} to {max(lengths)}"
        raise DataError(f"{place}: the dimensions of the case have {span} values, expected equally many.")
    return np.stack(dimensions, axis=1)


def _values(text: str, place: str) -> np.ndarray:
    words = text.split(",")
    try:
        values = np.array(words, dtype=np.float64)  # fast; what it refuses is looked at word by word
    except ValueError:
        values = np.array([math.nan])
    return values if usable(values).all() else np.array([_number(word, place) for word in words])


def _number(word: str, place: str) -> float:
    """One finite number, or what is wrong with it."""
    if word.strip().lower() in ("", "?", "nan"):
        raise DataError(f"{place}: a value is missing ({word.strip()!r}); fill it in first.")
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise DataError(f"{place}: {word.strip()[:40]!r} is not a finite number of at most {LARGEST:g}.")
    return value
