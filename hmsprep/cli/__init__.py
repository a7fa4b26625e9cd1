"""The command line of hmsprep: its commands, and one place where errors become messages.

Each file holds a verb: it parses, calls the library function of the same name, and shows the
result. Only light modules are imported here; each command imports what it needs.

::

    options.py      what commands share: arguments, options, their help
    console.py      notes, warnings and errors -> stderr, and a log file
    progress.py     progress -> bars or lines
    tables.py       results -> tables and JSON on stdout
    cluster.py      a Dask scheduler -> an executor of its workers
    build.py        build, seal and plan
    store.py        verify and info
    synth.py        synth
    inspect.py      inspect
    show.py         show and montage
    spectrogram.py  spectrogram
    features.py     features
    realism.py      realism
    import_.py      import
    votes.py        votes
    publish.py      publish
    transfer.py     push and pull
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hmsprep.cli import (
    build,
    features,
    import_,
    inspect,
    publish,
    realism,
    show,
    spectrogram,
    store,
    synth,
    transfer,
    votes,
)
from hmsprep.cli.options import Command, FromStore
from hmsstore.plain.text import write_plainly

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help breaks no word, however narrow the screen
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PREP_PACKAGES = (
    "polars", "pyarrow", "scipy", "sklearn", "zarr", "numcodecs", "matplotlib", "edfio",
    "pywt",
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        from hmsstore import __version__

        print(f"hms-eeg {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn the competition's EEG and spectrograms into one sealed store for training."""


app.command(cls=Command)(build.build)
app.command(cls=Command)(build.seal)
app.command(cls=Command)(build.plan)
app.command(cls=Command)(store.verify)
app.command(cls=Command)(store.info)
app.command(cls=Command)(inspect.inspect)
app.command(cls=Command)(show.montage)
app.command(cls=Command)(show.show)
app.command(cls=Command)(spectrogram.spectrogram)
app.command(cls=Command)(features.features)
app.command("import", cls=import_.ImportCommand)(import_.import_)
app.command(cls=Command)(votes.votes)
app.command(cls=Command)(realism.realism)
app.command(cls=FromStore)(publish.publish)
app.command(cls=FromStore)(transfer.push)
app.command(cls=Command)(transfer.pull)
app.command(cls=Command)(synth.synth)


def main() -> None:
    """Run the command line: a user's error prints one message and exits with 1."""
    write_plainly()
    try:
        app()
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        from hmsprep.cli import console

        console.say(f"hmsprep: {message}")
        sys.exit(1)


def _user_message(error: Exception) -> str | None:
    """Text of an error that the user can mend; None for a bug, which keeps its traceback."""
    if isinstance(error, ModuleNotFoundError) and error.name in PREP_PACKAGES:
        return f"{error.name} is not installed. Run: pip install 'hms-eeg[prep]'"
    from hmsprep.errors import PrepError
    from hmsstore import StoreError

    if isinstance(error, PrepError | StoreError):
        return str(error)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from "):
        return f"{str(error)[18:]} is a link to itself: name the file itself."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror}."
    return None
