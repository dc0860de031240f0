"""``seqkit plugins new``."""

from __future__ import annotations

import click

from seqkit.cli import complete
from seqkit.cli.console import print_json
from seqkit.scaffold import KINDS, write_package


@click.command()
@click.argument("name")
@click.option("--wrapper", "kind", flag_value="wrapper", help="A layer around another one, in NumPy.")
@click.option("--cython", "kind", flag_value="cython", help="A cell with compiled kernels.")
@click.option(
    "--path",
    "folder",
    shell_complete=complete.folders,
    default=".",
    metavar="DIR",
    help="Folder to write it into.  [default: this one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def new(name: str, kind: str | None, folder: str, as_json: bool) -> None:
    """Write a package with a new cell NAME that installs and passes its tests at once.

    NAME is that of the layer and of its module, such as my_cell.  See docs/plugins.md.

    \b
    Examples:
      seqkit plugins new my_cell
      seqkit plugins new my_wrapper --wrapper
      seqkit plugins new my_fast_cell --cython --json
    """
    kind = kind or "cell"
    package = write_package(name, kind, folder)
    steps = [f"{KINDS[kind]['install']} -e '{package}[test]'", f"seqkit plugins check {name}", f"pytest {package}"]
    if as_json:
        print_json({"name": name, "kind": kind, "package": str(package), "next": steps})
    else:
        click.echo(
            f"{package} is a plugin with a layer {name!r}.  Next:\n\n" + "\n".join(f"    {step}" for step in steps)
        )
