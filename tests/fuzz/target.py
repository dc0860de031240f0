"""What all fuzz targets share: the reader is instrumented, fed, and may raise nothing but a SeqkitError.

``python tests/fuzz/fuzz_pickle.py SECONDS`` runs one of them, ``tests/fuzz/run SECONDS`` all, one after the other.
atheris (``pip install 'seqkit[fuzz]'``, Linux only) keeps what covers new code and changes it further; it begins with
the seeds of ``tests/hostile_files``, which are written anew for every run.  What raises anything else, takes more than
20 seconds or a gigabyte is kept as a file, and the program ends with a code other than 0.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
KEPT = Path(os.environ.get("SEQKIT_FINDINGS", Path(tempfile.gettempdir()) / "seqkit-findings"))
OPTIONS = ("-timeout=20", "-rss_limit_mb=1024", "-max_len=20000", "-print_final_stats=1", "-verbosity=0")


def fuzz(
    target: Callable[[bytes], object],
    seeds: Callable[[], Iterable[bytes]],
    modules: Iterable[str],
    words: Sequence[str] = (),
) -> None:
    """Run a target for as many seconds as the command line says.

    Parameters
    ----------
    target : callable
        Reads bytes; modules of seqkit are imported inside it.
    seeds : callable
        Inputs to begin with.
    modules : iterable of str
        What is instrumented, by the beginnings of names.
    words : sequence of str
        What such files say.
    """
    with atheris.instrument_imports(include=list(modules)):
        for module in modules:
            importlib.import_module(module)
    from seqkit.errors import SeqkitError

    def one(data: bytes) -> None:
        with suppress(SeqkitError):
            target(data)

    KEPT.mkdir(parents=True, exist_ok=True)
    name = Path(sys.argv[0]).stem
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    (scratch / "words").write_text("".join(f'"{word}"\n' for word in words))
    options = [*OPTIONS, f"-max_total_time={sys.argv[1]}", f"-artifact_prefix={KEPT / name}-"]
    options += [f"-dict={scratch / 'words'}"] if words else []
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def as_file(ending: str) -> Callable[[bytes], Path]:
    """A function that puts bytes into one file, in memory where the system has room for files there."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    path = Path(tempfile.mkdtemp(dir=place), f"model{ending}")

    def put(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return put
