"""``python -m hostile_files FORMAT COUNT SEED``: corrupted files of a format, and those made by hand."""

from __future__ import annotations

import sys

from hostile_files.formats import FORMATS
from hostile_files.harness import run


def main(name: str, count: int, seed: int) -> int:
    """How many files did harm; each is printed."""
    kind = FORMATS[name]
    found = []
    for title, cases in (("made by hand", kind.made()), ("corrupted", kind.corrupted(count, seed))):
        summary = run(kind, cases, running=title == "corrupted")
        print(f"{name}, {title}: {summary}")
        found += summary.findings
    print(*found, sep="\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) > 0)
