"""``seqkit plugins new``."""

from __future__ import annotations

import click

from seqkit.scaffold import KINDS, write_package


@click.command()
@click.argument("name")
@click.option("--wrapper", "kind", flag_value="wrapper", help="A layer around another one, in NumPy.")
@click.option("--cython", "kind", flag_value="cython", help="A cell with compiled kernels.")
@click.option("--path", "folder", default=".", metavar="DIR", help="Folder to write it into.  [default: this one]")
def new(name: str, kind: str | None, folder: str) -> None:
    """Write a package with a new cell NAME that installs and passes its tests at once.

    NAME is that of the layer and of its module, such as my_cell.
    """
    kind = kind or "cell"
    package = write_package(name, kind, folder)
    click.echo(
        f"{package} is a plugin with a layer {name!r}.  Next:\n\n"
        f"    {KINDS[kind]['install']} -e '{package}[test]'\n"
        f"    seqkit plugins check {name}\n"
        f"    pytest {package}"
    )
