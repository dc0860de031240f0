"""The package itself, what it needs, what it can use, and what others add to it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from seqkit.doctor.finding import Finding, broken, ok, remark
from seqkit.errors import words

CODE: str = import_module("seqkit").__version__

NEEDED = ("numpy", "click", "safetensors")
OPTIONAL = {
    "matplotlib": ("plot", "pictures: fit --plot, bench --plot"),
    "narwhals": ("frames", "tables of pandas, Polars and Arrow"),
    "scikit-learn": ("sklearn", "estimators"),
    "pooch": ("datasets", "data sets that are downloaded"),
    "h5py": ("keras", "Keras models"),
    "tensorboardX": ("tensorboard", "logs for TensorBoard"),
}
"""Distribution: the extra that brings it, and what it is for."""


def versions() -> Iterator[Finding]:
    """Seqkit and what it cannot do without."""
    found = {name: installed(name) for name in NEEDED}
    metadata = installed("seqkit")
    if metadata not in (None, CODE):
        text = f"the code is seqkit {CODE}, but the installed package says {metadata}"
        yield remark(text, "install it again: pip install --force-reinstall . in a clone", code=CODE)
    for name in NEEDED:
        try:
            import_module(name)
        except Exception as error:  # whatever a broken package raises
            yield broken(f"{name} cannot be imported: {words(error)}", f"pip install --force-reinstall {name}")
    listed = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    yield ok(f"seqkit {CODE} with {listed}", seqkit=CODE, **found)


def optional() -> Iterator[Finding]:
    """Packages that bring more."""
    found = {name: installed(name) for name in OPTIONAL}
    here = ", ".join(f"{name} {number}" for name, number in found.items() if number) or "none"
    yield ok(f"optional packages: {here}", **found)
    for name, (extra, purpose) in OPTIONAL.items():
        if found[name] is None:
            yield ok(f"without {name}: no {purpose}; pip install 'seqkit[{extra}]' brings it")


def plugins() -> Iterator[Finding]:
    """Packages that bring layers."""
    from seqkit import catalog, discovery

    for problem in discovery.installed().problems:
        yield remark(problem, "reinstall or remove that package")
    entries = [entry for entry in catalog.entries() if entry.package != "seqkit"]
    for entry in entries:
        if entry.error:
            advice = f"reinstall or remove {entry.package}, or go without: {discovery.VARIABLE}=-{entry.package}"
            yield broken(f"layer {entry.name!r} of {entry.package} does not work: {entry.error}", advice)
        elif entry.remark:
            yield remark(f"layer {entry.name!r} of {entry.package}: {entry.remark}", "see `seqkit plugins list`")
    good = sorted({entry.package for entry in entries if not entry.error})
    yield ok(f"plugins that work: {', '.join(good) or 'none installed'}", packages=good)


def installed(package: str) -> str | None:
    """Version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
