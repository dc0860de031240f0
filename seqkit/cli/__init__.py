"""The ``seqkit`` command.

Exit codes: 0 done, 1 the job cannot be done (the message says why), 2 wrong usage, 3 slower than
``bench --fail-above`` allows, 130 interrupted.  Results go to standard output, progress and remarks to standard error.

An error is a sentence on standard error, with ``--json``, too: programs read the exit code.  No error is a traceback,
unless SEQKIT_TRACEBACK is set.

Each sub-command is a module of its own name.
"""

from __future__ import annotations

import errno
import os
from importlib import import_module
from typing import Any

import click

from seqkit.cli.lazy import LazyGroup
from seqkit.errors import SeqkitError, words

COMMANDS = {
    "fit": "Train a model on a data file and save it.",
    "predict": "Apply a saved model to a data file.",
    "detect": "Find what is not normal in a series.",
    "explain": "Look inside a saved model: gates, memory, saliency.",
    "datasets": "List, describe or download public data sets.",
    "convert": "Make a model file of another library's, or for another library.",
    "bench": "Measure the speed of layers.",
    "layers": "List the layers, or print the equations of one.",
    "plugins": "List, write or check packages that bring layers.",
    "info": "Show versions, instruction set and threads.",
    "doctor": "Check this installation, and say what to do.",
    "completion": "Print the script that completes commands in a shell.",
}
INTERRUPTED = 130
TRACEBACK = "SEQKIT_TRACEBACK"
UNEXPECTED = f"This is a fault of seqkit; please report it with what {TRACEBACK}=1 shows."


class SeqkitGroup(LazyGroup):
    """The outermost group, which turns errors into messages."""

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
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            raise click.ClickException(f"{words(error)}. {UNEXPECTED}") from error


@click.group(
    cls=SeqkitGroup,
    package="seqkit.cli",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(import_module("seqkit").__version__, message="seqkit %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Recurrent sequence models on CPUs.

    Start with `seqkit fit sunspots`.  `seqkit COMMAND --help` says what a command takes and gives, with examples.

    \b
    Exit codes: 0 done; 1 it cannot be done, and the message says why; 2 wrong usage;
    3 slower than `bench --fail-above` allows; 130 interrupted.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
