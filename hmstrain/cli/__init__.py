"""The command line of hmstrain: one file per command, which parses, calls the library and shows.

Only light modules are imported here; each command imports what it needs. This file holds the
program, and the one place where errors become messages.

::

    options.py     what commands share: arguments, options, help
    console.py     notes, progress and results -> stdout and stderr
    opened.py      paths that the user names -> opened stores
    results.py     scores and predictions -> tables
    run.py         run
    pretrain.py    pretrain
    test.py        test
    compare.py     compare
    calibrate.py   calibrate
    blend.py       blend
    study.py       study
    recipe.py      recipe
    ablate.py      ablate
    models.py      models
    settings.py    settings
    report.py      report
    explain.py     explain
    view.py        view
    predict.py     predict
    score.py       score
    submission.py  submission
    bundle.py      bundle
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from hmsstore.plain.text import write_plainly
from hmstrain.cli import (
    ablate,
    blend,
    bundle,
    calibrate,
    compare,
    explain,
    models,
    predict,
    pretrain,
    recipe,
    report,
    run,
    score,
    settings,
    study,
    submission,
    test,
    view,
)
from hmstrain.cli.options import Command

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "pretrain": pretrain.pretrain,
    "test": test.test,
    "compare": compare.compare,
    "calibrate": calibrate.calibrate,
    "blend": blend.blend,
    "study": study.study,
    "recipe": recipe.recipe,
    "ablate": ablate.ablate,
    "report": report.report,
    "explain": explain.explain,
    "view": view.view,
    "predict": predict.predict,
    "score": score.score,
    "submission": submission.submission,
    "bundle": bundle.bundle,
    "models": models.models,
    "settings": settings.settings,
}
for _name, _command in COMMANDS.items():
    app.command(_name, cls=Command)(_command)
NO_MEMORY = (
    "Out of memory. Try a smaller --batch-size or --image-size, --precision bfloat16, or a "
    "smaller model."
)
SPINS = "20000"
"""How often a thread of PyTorch spins while it waits for another, before it sleeps: some 0.1 ms.
GNU OpenMP's default is 300,000. Where other programs run, a thread that spins takes the processor
from the one it waits for: with two busy processors, predicting took twice as long by default. With
idle ones, 20,000 cost 3%."""
TRAIN_PACKAGES = ("torch", "timm", "safetensors", "matplotlib", "torchvision")


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
    """Train, test and compare models of EEG patterns on a sealed store."""


def main() -> None:
    """Run the command line: a user's error prints one message and exits with 1."""
    write_plainly()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when PyTorch is first imported
    try:
        app()
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        print(f"hmstrain: {message}", file=sys.stderr)
        sys.exit(1)


def _user_message(error: Exception) -> str | None:
    """Text of an error that the user can mend; None for a bug, which keeps its traceback."""
    if isinstance(error, ModuleNotFoundError) and error.name in TRAIN_PACKAGES:
        return f"{error.name} is not installed. Run: pip install 'hms-eeg[train]'"
    if isinstance(error, ModuleNotFoundError) and error.name == "sklearn":
        return "scikit-learn is not installed. Run: pip install 'hms-eeg[features]'"
    from hmsstore import StoreError
    from hmstrain.errors import TrainError

    if isinstance(error, TrainError | StoreError):
        return str(error)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from "):
        return f"{str(error)[18:]} is a link to itself: name the file itself."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return NO_MEMORY
    if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):
        return NO_MEMORY
    return None
