"""`hmstrain pretrain`: encoders that know which EEG and spectrogram belong together."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

from hmstrain.cli.options import (
    HOW,
    WHAT,
    WHERE,
    Batch,
    ConfigFile,
    Data,
    Device,
    Epochs,
    Fold,
    Fraction,
    Json,
    LogFile,
    Precision,
    Quiet,
    Seed,
    Seeds,
    Set,
    Size,
    Steps,
    StoreIn,
    Weights,
    option,
)
from hmstrain.words import resuming


def pretrain(
    store: StoreIn = Path("hms.zarr"),
    model: Annotated[
        str | None,
        option("--model", WHAT, "A name from `hmstrain models`, or a timm name.", metavar="NAME"),
    ] = None,
    inputs: Annotated[
        str | None,
        option("--inputs", WHAT, "An input of each signal. [default: spec+eeg]", metavar="A+B"),
    ] = None,
    image_size: Size = None,
    fold: Fold = None,
    weights: Weights = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    learning_rate: Annotated[
        float | None, option("--learning-rate", HOW, "Peak of the schedule.", metavar="LR")
    ] = None,
    seed: Seed = None,
    seeds: Seeds = None,
    config: ConfigFile = None,
    settings: Set = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[
        Path | None,
        option(
            "--out", WHERE, "Folder of the run. [default: runs/pretrain-NAME]", metavar="FOLDER"
        ),
    ] = None,
    resume: Annotated[
        bool,
        option(
            "--resume",
            WHERE,
            "Resume the run in --out with its own settings, or start one if there is none.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Pretrain encoders on windows without votes.

    They learn to match the EEG and the spectrogram of a window; other windows
    of the same patient are not used as negatives. Patients of the test split and
    of the fold held out are left out. `hmstrain run --weights FOLDER` starts
    from the encoders.
    """
    from hmstrain.cli import console
    from hmstrain.config import given_settings, pretraining_config, run_name

    given = given_settings(
        config,
        {
            "model": model,
            "inputs": inputs,
            "image_size": image_size,
            "fold": fold,
            "weights": weights,
            "epochs": epochs,
            "batch_size": batch_size,
            "steps": steps,
            "fraction": fraction,
            "learning_rate": learning_rate,
            "seed": seed,
            "seeds": seeds,
            "device": device,
            "data": data,
            "precision": precision,
        },
        settings or (),
    )
    folder = out or Path("runs") / run_name(pretraining_config(given))

    def interrupted(stop: KeyboardInterrupt) -> str:
        how = f"Resume with {resuming(folder, store, pretraining=True)}."
        return console.stopped(stop, folder, how)

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        from hmstrain.cli.opened import open_store
        from hmstrain.cli.results import print_outcome
        from hmstrain.events import is_main
        from hmstrain.runs.folder import CONFIG
        from hmstrain.training.run import pretrain as pretrain_encoders

        opened = open_store(store)
        if resume and is_main() and not (folder / CONFIG).is_file():
            console.note(f"There is no run in {folder} to resume: starting a new one.")
        with console.run_progress(folder.name) as events:
            outcome = pretrain_encoders(opened, out=folder, resume=resume, events=events, **given)
        if not is_main():
            return
        if json:
            console.print_json(outcome.to_json())
        else:
            print_outcome(outcome, opened, answers=False)
        if outcome.kept:
            console.note(outcome.kept)
        console.note(f"Start from it with hmstrain run --weights {quote(str(folder))}.")
