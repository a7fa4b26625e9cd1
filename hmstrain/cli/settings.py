"""`hmstrain settings`: what each setting means, may be, and is by default."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from hmstrain.cli.options import Json, LogFile, Quiet

if TYPE_CHECKING:
    from hmstrain.settings.setting import Setting


def settings(
    word: Annotated[
        str | None,
        typer.Argument(metavar="WORD", help="Only those with this in their name or description."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Explain the settings of training.

    Those that `hmstrain run` has no option for are given with --set KEY=VALUE or
    in a file with --config.
    """
    from hmstrain.cli import console
    from hmstrain.config import list_settings

    with console.reporting(quiet=quiet, log_file=log_file):
        found = list_settings(word)
        if json:
            console.print_json([one.to_json() for one in found])
            return
        for one in found:
            print(_entry(one, console.width()))


def _entry(one: Setting, width: int) -> str:
    """Name, default and range on a line, and below it the meaning."""
    facts = [f"default: {one.default_text}"] if one.default_text else []
    facts += [one.range] if one.range else []
    head = f"{one.name}  [{'; '.join(facts)}]" if facts else one.name
    indent = "    "
    lines = wrap(one.meaning, width, initial_indent=indent, subsequent_indent=indent,
                 break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return "\n".join([head, *lines])
