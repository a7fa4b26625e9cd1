"""`hmsprep verify` and `hmsprep info`: a store -> its problems, or what it holds."""

from __future__ import annotations

from pathlib import Path

import typer

from hmsprep.cli.options import Json, LogFile, Quiet, StoreIn


def verify(
    store: StoreIn = Path("hms.zarr"),
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Check everything about a store.

    Checks seal, checksums, tables, values and folds; lists every problem, and exits with 1 if there
    is any.
    """
    import hmsprep
    from hmsprep.cli import console, progress, tables
    from hmsprep.words import plural

    with console.reporting(quiet=quiet, log_file=log_file):
        with progress.bars({"verify": progress.Stage("Verifying", "bytes")}) as report:
            problems = hmsprep.verify(store, progress=report)
        if json:
            tables.print_json({"store": str(store), "ok": not problems, "problems": problems})
        elif problems:
            print(f"{store} has {plural(len(problems), 'problem')}:")
            for problem in problems:
                print(f"  {problem}")
        if problems:
            raise typer.Exit(1)
        found = hmsprep.info(store)
        console.warn_of_leak(found.leaks)
        if not json:
            files = plural(found.files, "file")
            windows = plural(found.counts["windows"], "window")
            print(f"{store} is whole: {files}, {windows}.")


def info(
    store: StoreIn = Path("hms.zarr"),
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Describe a store and how it was made."""
    import hmsprep
    from hmsprep.cli import console, tables

    with console.reporting(quiet=quiet, log_file=log_file):
        found = hmsprep.info(store)
        console.warn_all(found.warnings)
        if json:
            tables.print_json(found.attributes)
        else:
            tables.print_info(found)
