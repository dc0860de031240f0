"""The child of ``isolated``: ``python -m seqkit.testing.worker SUBJECT SECONDS CHECK...``.

Nothing but results reaches standard output; what a layer prints goes to standard error.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from seqkit.testing.runner import results_of
from seqkit.testing.subject import Subject


def main(subject: str, limit: float, names: Sequence[str]) -> None:
    """Run checks; each one that takes longer than `limit` ends the process with a traceback of where it was."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    faulthandler.enable()
    faulthandler.dump_traceback_later(limit, exit=True)
    for result in results_of(Subject(subject), names):
        answers.write(json.dumps(asdict(result)) + "\n")
        answers.flush()
        faulthandler.dump_traceback_later(limit, exit=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
