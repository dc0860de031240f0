"""New plugin packages, made from templates.

A template is a folder of files as they will be, but for ``$words`` in texts and names, which
:class:`string.Template` replaces, and the ending ``.in``.  A package is the files common to all
kinds and those of its kind.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path, PurePath
from string import Template

from seqkit import registry
from seqkit.errors import ConfigError
from seqkit.options import by_name

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "cell": {
        "part": "cell",
        "summary": "A recurrent cell for seqkit",
        "build_requires": '"setuptools>=77"',
        "install": "pip install",
    },
    "wrapper": {
        "part": "layer",
        "summary": "A layer for seqkit",
        "build_requires": '"setuptools>=77"',
        "install": "pip install",
    },
    "cython": {
        "part": "cell",
        "summary": "A recurrent cell for seqkit with compiled kernels",
        "build_requires": '"setuptools>=77", "seqkit"',
        "install": "pip install --no-build-isolation",  # against the seqkit that is there
    },
}
"""What packages there are, with the words that differ: "part" is the name of the module with the layer."""


def write_package(name: str, kind: str = "cell", folder: str | Path = ".") -> Path:
    """Write the package of a new plugin, all of it or nothing.

    Parameters
    ----------
    name : str
        Name of the layer and of the module, such as ``my_cell``; the class is then ``MyCell`` and
        the package, and its folder, ``my-cell``.
    kind : {"cell", "wrapper", "cython"}
        Equations, a layer in NumPy around another one, or equations with compiled kernels.
    folder : path-like
        Where the folder of the package is made.

    Returns
    -------
    Path
        The folder of the package.

    Raises
    ------
    ConfigError
        If the name cannot be one of a plugin, or the folder of the package is there already.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     package = write_package("my_cell", folder=folder)
    ...     sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    ['my_cell/__init__.py', 'my_cell/cell.py', 'tests/test_my_cell.py']
    """
    words = names_of(name) | by_name(KINDS, kind, "kind of plugin")
    package = Path(folder) / words["distribution"]
    if not package.parent.is_dir():
        raise ConfigError(f"{package} cannot be made: there is no folder {package.parent}; make it first.")
    if package.is_symlink() or package.exists():
        raise ConfigError(f"{package} exists and is left as it is; choose another name or folder.")
    files = dict(rendered("common", words)) | dict(rendered(kind, words))
    unfinished = package.with_name(f".{package.name}-{secrets.token_hex(4)}")
    try:
        for path, text in files.items():
            (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / path).write_text(text, "utf-8")
        unfinished.rename(package)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return package


def names_of(name: str) -> dict[str, str]:
    """What a plugin of this name calls its module, its class and its package.

    Raises
    ------
    ConfigError
        If the name cannot be one of a module and of a layer.

    Examples
    --------
    >>> names_of("my_cell")
    {'module': 'my_cell', 'class_name': 'MyCell', 'distribution': 'my-cell'}
    >>> names_of("my-cell")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: 'my-cell' cannot be the name of a plugin: expected small letters, digits and _,
    beginning with a letter, such as 'my_cell'.
    """
    wrong = f"{name!r} cannot be the name of a plugin"
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        close = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        raise ConfigError(
            f"{wrong}: expected small letters, digits and _, beginning with a letter, such as {close or 'my_cell'!r}."
        )
    if iskeyword(name):
        raise ConfigError(f"{wrong}: it is a keyword of Python; choose another.")
    if name in registry.BUILT_IN:
        raise ConfigError(f"{wrong}: seqkit has a layer of this name, which a plugin cannot replace; choose another.")
    if find_spec(name) is not None:
        raise ConfigError(f"{wrong}: a module of this name is installed, which it would hide; choose another.")
    distribution = name.replace("_", "-")
    return {"module": name, "class_name": name.title().replace("_", ""), "distribution": distribution}


def rendered(template: str, words: dict[str, str]) -> Iterator[tuple[PurePath, str]]:
    """The files of a template with the words put in, as paths inside the package and texts."""
    for source in sorted((TEMPLATES / template).rglob("*.in")):
        path = source.relative_to(TEMPLATES / template).with_suffix("")
        yield PurePath(Template(str(path)).substitute(words)), Template(source.read_text("utf-8")).substitute(words)
