"""`hmstrain run`: train, validate and test one model."""

from __future__ import annotations

from pathlib import Path
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
    Inputs,
    Json,
    LogFile,
    Precision,
    Pretrained,
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


def run(
    store: StoreIn = Path("hms.zarr"),
    model: Annotated[
        str | None,
        option(
            "--model",
            WHAT,
            "A name from `hmstrain models`, a timm name, or package.module:function.",
            metavar="NAME",
        ),
    ] = None,
    inputs: Inputs = None,
    contrastive: Annotated[
        bool, option("--contrastive", WHAT, "Pull EEG and spectrogram embeddings together.")
    ] = False,
    image_size: Size = None,
    fold: Fold = None,
    also: Annotated[
        list[str] | None,
        option(
            "--also",
            WHAT,
            "Also train on another store, with its share of every batch; repeatable: "
            "simulated.zarr:0.3.",
            metavar="STORE:SHARE",
        ),
    ] = None,
    pretrained: Pretrained = False,
    weights: Weights = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    learning_rate: Annotated[
        float | None, option("--learning-rate", HOW, "Peak of the schedule.", metavar="LR")
    ] = None,
    sample: Annotated[
        str | None,
        option(
            "--sample",
            HOW,
            "An epoch has every window, one for each EEG and votes, or one for each EEG.",
            metavar="window|votes|eeg",
        ),
    ] = None,
    balance: Annotated[
        str | None,
        option("--balance", HOW, "votes: weight classes equally.", metavar="none|votes"),
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
        option("--out", WHERE, "Folder of the run. [default: runs/NAME]", metavar="FOLDER"),
    ] = None,
    resume: Annotated[
        bool,
        option(
            "--resume",
            WHERE,
            "Resume the run in --out with its own settings, or start one if there is none; more "
            "--epochs extend a finished run.",
        ),
    ] = False,
    dry_run: Annotated[bool, option("--dry-run", WHERE, "Only print the settings.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Train one model and test its best checkpoint.

    The best checkpoint is chosen by validation. `hmstrain settings`
    explains every setting of --set, such as mixup, ema, shift_s or norm_windows.
    --model vae trains a generator of images for runs with --set generated.
    """
    from hmstrain.cli import console
    from hmstrain.config import completed, given_settings, run_name

    given = given_settings(
        config,
        {
            "model": model,
            "inputs": inputs,
            "contrastive": contrastive or None,
            "image_size": image_size,
            "fold": fold,
            "also": ",".join(also) if also else None,
            "pretrained": pretrained or None,
            "weights": weights,
            "epochs": epochs,
            "batch_size": batch_size,
            "steps": steps,
            "fraction": fraction,
            "learning_rate": learning_rate,
            "sample": sample,
            "balance": balance,
            "seed": seed,
            "seeds": seeds,
            "device": device,
            "data": data,
            "precision": precision,
        },
        settings or (),
    )
    folder = out or Path("runs") / run_name(completed(given))
    if dry_run:
        from json import dumps
        from sys import stderr

        from hmstrain.models import check_known
        from hmstrain.training.idle import idle_notices

        chosen = completed(given)
        if resume:
            from hmstrain.runs.folder import RunFolder
            from hmstrain.training.run import resumed

            chosen = resumed(RunFolder(folder), given)
        check_known(chosen.encoders.values())
        print(dumps(chosen.to_json(), indent=1))
        for text in idle_notices(chosen):
            print(text, file=stderr)
        return

    def interrupted(stop: KeyboardInterrupt) -> str:
        how = f"Resume with {resuming(folder, store)}."
        return console.stopped(stop, folder, how)

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        from hmstrain.cli.opened import open_store
        from hmstrain.cli.results import print_outcome
        from hmstrain.events import is_main
        from hmstrain.runs.folder import CONFIG, RunFolder
        from hmstrain.training.run import train

        opened = open_store(store)
        if resume and is_main() and not (folder / CONFIG).is_file():
            console.note(f"There is no run in {folder} to resume: starting a new one.")
        with console.run_progress(folder.name) as events:
            outcome = train(opened, out=folder, resume=resume, events=events, **given)
        if not is_main():
            return
        if json:
            console.print_json(outcome.to_json())
        else:
            print_outcome(outcome, opened, answers=RunFolder(folder).config().answers)
        if outcome.kept:
            console.note(outcome.kept)
        console.note(f"Everything is in {folder}.")
