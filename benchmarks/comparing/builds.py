"""Commits made into virtual environments that have the compiled package, each built once."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHOWN = 15
"""Last lines of a failed command that are shown."""


class BuildFailed(Exception):
    """A command that makes an environment has failed."""


@dataclass(frozen=True)
class Commit:
    """A commit, under the name it was asked for."""

    name: str
    sha: str
    subject: str

    def __str__(self) -> str:
        return f"{self.name} ({self.sha[:10]} {self.subject})"


def find(repository: Path, name: str) -> Commit | None:
    """The commit that a branch, tag or the like stands for."""
    command = ["git", "-C", str(repository), "log", "-1", "--format=%H %s", "--end-of-options", name, "--"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        return None
    sha, _, subject = done.stdout.strip().partition(" ")
    return Commit(name, sha, subject)


def build(repository: Path, commit: Commit, cache: Path, say: Callable[[str], object]) -> Path:
    """The environment of a commit, made unless it is there.

    The name of the folder holds all that it depends on: the same Python and NumPy serve every commit.

    Raises
    ------
    BuildFailed
        If pip fails; the message ends with what pip said.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    folder = cache / f"{commit.sha[:16]}-python{version}-numpy{np.__version__}"
    finished = folder / "finished"
    if finished.exists():
        return folder
    say(f"building {commit.sha[:10]}")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True, with_pip=True)
    with tempfile.TemporaryDirectory(prefix="seqkit-compare-") as tree:
        _export(repository, commit, Path(tree))
        _run([str(python(folder)), "-m", "pip", "install", "-q", tree, f"numpy=={np.__version__}"], commit)
    finished.touch()
    return folder


def python(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def _export(repository: Path, commit: Commit, tree: Path) -> None:
    """Write the files of a commit: those alone, without what an earlier build left beside them."""
    archive = subprocess.run(
        ["git", "-C", str(repository), "archive", commit.sha], stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(tree, filter="data")


def _run(command: Sequence[str], commit: Commit) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-SHOWN:])
        raise BuildFailed(f"{commit} cannot be built; {' '.join(command[1:4])} ended with {done.returncode}:\n{said}")
