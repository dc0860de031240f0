"""Comma-separated text into a :class:`~seqkit.data.table.Table`.

The rules are few, so that what comes out can be foreseen:

* UTF-8, or UTF-16 with a byte order mark.  Lines that begin with ``#`` before the first row
  are comments; empty lines at the end are dropped.
* The separator is the first of tab, semicolon, bar and comma that occurs outside quotes in
  the first row.
* The first row is a header if none of its cells is a number; otherwise the columns are
  called ``column1``, ``column2`` and so on.  So is a column whose header cell is empty.
* Decimal point, no thousands separator.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from seqkit.data.dataset import read_bytes
from seqkit.data.table import Table, is_number
from seqkit.errors import DataError

SEPARATORS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma"}
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_csv(path: Path) -> Table:
    """Read a table; see the module's text for the rules.

    Raises
    ------
    DataError
        If the file is missing, empty, not text, or its rows differ in length.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "demo.csv")
    >>> _ = path.write_text("day;height\\n2024-01-01;1.5\\n2024-01-02;2.5\\n")
    >>> table = read_csv(path)
    >>> table.columns, table.numbers("height").tolist()
    (('day', 'height'), [1.5, 2.5])
    """
    lines = list(io.StringIO(decode(read_bytes(path), path), newline=""))
    comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), None)
    if comments is None:
        raise DataError(f"{path}: there are only comments and no rows.")
    separator = find_separator(lines[comments])
    numbered = list(_rows(lines[comments:], comments, separator, path))
    while numbered and not any(cell.strip() for cell in numbered[-1][1]):
        numbered.pop()
    if not numbered:
        raise DataError(f"{path}: there are no rows.")
    header = not any(is_number(cell) for cell in numbered[0][1])
    columns = _columns(numbered[0][1], header, path)
    body = numbered[1:] if header else numbered
    if not body:
        raise DataError(f"{path}: there is a header but no row below it.")
    _require_rectangle(body, len(columns), path)
    return Table(
        name=str(path),
        columns=columns,
        rows=[row for _, row in body],
        lines=[line for line, _ in body],
        layout=f"{SEPARATORS[separator]}-separated, {'with' if header else 'without'} a header",
    )


def decode(content: bytes, path: Path) -> str:
    """The text of a file: UTF-8, or what its byte order mark says."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: the file is not UTF-8 text; save it as UTF-8.") from None
    if "\0" in text:
        raise DataError(f"{path}: the file holds binary data, expected text.")
    return text


def find_separator(row: str) -> str:
    """The separator of a file by its first row; comma if there is only one column."""
    outside = "".join(row.split('"')[::2])
    return next((character for character in SEPARATORS if character in outside), ",")


def _rows(lines: list[str], comments: int, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    line = comments + 1
    try:
        for row in reader:
            yield line, row
            line = comments + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, row that begins in line {line}: {error}; check its quotes.") from None


def _columns(first: list[str], header: bool, path: Path) -> tuple[str, ...]:
    names = [cell.strip() if header else "" for cell in first]
    columns = tuple(name or f"column{i}" for i, name in enumerate(names, start=1))
    repeated = next((name for name in columns if columns.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{path}: two columns are called {repeated!r}; rename one of them.")
    return columns


def _require_rectangle(rows: list[tuple[int, list[str]]], width: int, path: Path) -> None:
    for line, row in rows:
        if not row:
            raise DataError(f"{path}, line {line}: the line is empty; remove it or fill in its values.")
        if len(row) != width:
            raise DataError(f"{path}, line {line}: the row has {len(row)} cells, expected {width} as in the first row.")
