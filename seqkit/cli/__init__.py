"""The ``seqkit`` command.

Exit codes: 0 done, 1 the job cannot be done (the message says why), 2 wrong usage, 3 slower than
``bench --fail-above`` allows, 130 interrupted.  Results go to standard output, progress and remarks to standard error.

Each sub-command is a module of its own name, imported when it is asked for, so that
``seqkit --help`` does not wait for NumPy.
"""

from __future__ import annotations

import errno
from importlib import import_module
from typing import Any

import click

from seqkit.errors import SeqkitError

COMMANDS = {
    "fit": "Train a model on a data file and save it.",
    "predict": "Apply a saved model to a data file.",
    "bench": "Measure the speed of layers.",
    "layers": "List the layers, or print the equations of one.",
    "info": "Show versions, instruction set and threads.",
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that imports a sub-command when it runs, and turns errors into messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"seqkit.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SeqkitError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output has gone; click ends quietly
                raise
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror or error}.") from error
        except MemoryError:
            raise click.ClickException("not enough memory; use a smaller --batch-size, --units or data file.") from None
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seqkit", message="%(prog)s %(version)s")
def main() -> None:
    """Recurrent sequence models on CPUs.

    Start with `seqkit fit sunspots`.
    """
