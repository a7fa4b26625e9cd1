"""`hmstrain models`: which models there are."""

from __future__ import annotations

from typing import Annotated

import typer

from hmstrain.cli.options import Json, LogFile, Quiet


def models(
    word: Annotated[
        str | None, typer.Argument(metavar="WORD", help="Only those with this in their name.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """List models with their inputs.

    Any image model of timm can be trained; with WORD, those are listed too.
    """
    from hmstrain.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        from hmstrain.models.catalogue import list_models

        found, more = list_models(word)
        if json:
            console.print_json([one.to_json() for one in found])
            return
        from hmstrain.cli.results import print_table

        print_table(
            ["model", ">parameters", "takes"],
            [(one.model, _millions(one.parameters), one.takes) for one in found],
        )
        if more is None:
            console.note("Any image model of timm works too: hmstrain models WORD lists them.")
        elif more:
            console.note(f"{more:,} more have this in their name: a longer WORD leaves fewer.")


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.1f} M"
