"""``seqkit completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_SEQKIT_COMPLETE"
"""By which the script asks the command what could follow."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and names in SHELL.

    The names of commands, options, layers and data sets, the values of options and files are completed.

    \b
    Examples:
      eval "$(seqkit completion bash)"                                     # for this terminal
      seqkit completion bash >> ~/.bashrc                                  # for every one
      seqkit completion zsh >> ~/.zshrc
      seqkit completion fish > ~/.config/fish/completions/seqkit.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all that may be chosen
    click.echo(kind(ctx.find_root().command, {}, "seqkit", VARIABLE).source())
