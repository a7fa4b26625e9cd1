"""The demonstration model, which comes with the package, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import hmstrain
from hmstrain.errors import ConfigError

NAME = "demo"


def demo_run() -> Path:
    """Folder of the demonstration model: a run, trained on simulated EEG alone."""
    return Path(hmstrain.__file__).parent / "models" / NAME


def called(run: Path) -> str:
    """What outputs call a run: as it was named, not where the package lies."""
    return NAME if run == demo_run() else str(run)


def named_runs(runs: Sequence[Path], models: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Take the demonstration model where it is named; else there must be a run.

    Parameters
    ----------
    runs : sequence of Path
        Runs that the user names.
    models : sequence of str
        What `--model` says.

    Returns
    -------
    list of Path, list of str
        The runs, and the models but for the demonstration's.

    Raises
    ------
    ConfigError
        There is no run, one is a file, or the demonstration model is to be averaged with others.
    """
    for path in runs:
        if path.is_file():
            raise ConfigError(
                f"{path} is a file, not a run: predict takes one input, the last. To predict "
                "several recordings, name a folder of them."
            )
    others = [name for name in models if name != NAME]
    if len(others) == len(models):
        if not runs:
            raise ConfigError(
                "Name a run before the input, such as runs/first, or try --model demo, which was "
                "trained on simulated EEG alone and is not for patients."
            )
        return list(runs), others
    if runs:
        raise ConfigError(f"--model {NAME} answers by itself: leave out {runs[0]}.")
    return [demo_run()], others
