"""The command line of hmstrain: parse, call, and one place where errors become messages.

Only light modules are imported here; each command imports what it needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli import predict as cli_predict
from hmstrain.cli import view as cli_look
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
    Precision,
    Pretrained,
    RunIn,
    RunStore,
    Seed,
    Set,
    Size,
    Steps,
    StoreIn,
    Weights,
    option,
)
from hmstrain.config import make_config

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
NO_MEMORY = (
    "The memory does not hold this step: a smaller --batch-size or --image-size, --precision "
    "bfloat16 or a smaller model takes less."
)
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


@app.command()
def run(
    store: StoreIn = Path("hms.zarr"),
    model: Annotated[
        str | None,
        option(
            "--model",
            WHAT,
            "naive_cnn, resnet1d, a timm name, or package.module:function.",
            metavar="NAME",
        ),
    ] = None,
    inputs: Inputs = None,
    contrastive: Annotated[
        bool, option("--contrastive", WHAT, "Pull EEG and spectrogram embeddings together.")
    ] = False,
    image_size: Size = None,
    fold: Fold = None,
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
        option("--sample", HOW, "An epoch: window, votes or eeg.", metavar="WHICH"),
    ] = None,
    balance: Annotated[
        str | None, option("--balance", HOW, "votes: weigh classes alike.", metavar="none|votes")
    ] = None,
    seed: Seed = None,
    config: ConfigFile = None,
    settings: Set = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[
        Path | None,
        option("--out", WHERE, "Folder of the run.", show_default="runs/NAME"),
    ] = None,
    resume: Annotated[bool, option("--resume", WHERE, "Go on with the run in --out.")] = False,
    dry_run: Annotated[bool, option("--dry-run", WHERE, "Only print the settings.")] = False,
    json: Json = False,
) -> None:
    """Train one model, choose its best checkpoint by validation, and test that.

    With --set, off unless asked: shift_s, swap, channel_dropout, mask,
    mixup, noise, ema, norm_windows, standardise=window, vote_weight,
    min_votes, second_epochs, clip_gradient, precision, channels_last,
    compile, eeg_as=raw, eeg_seconds. --dry-run prints all settings.
    """
    from hmstrain.cli import run as commands

    chosen = make_config(
        config,
        {
            "model": model,
            "inputs": inputs,
            "contrastive": contrastive or None,
            "image_size": image_size,
            "fold": fold,
            "pretrained": pretrained or None,
            "weights": weights and str(weights),
            "epochs": epochs,
            "batch_size": batch_size,
            "steps": steps,
            "fraction": fraction,
            "learning_rate": learning_rate,
            "sample": sample,
            "balance": balance,
            "seed": seed,
            "device": device,
            "data": data,
            "precision": precision,
        },
        settings or (),
    )
    if dry_run:
        commands.show_config(chosen)
        return
    commands.run(store, chosen, out, resume=resume, as_json=json)


@app.command()
def test(
    folder: RunIn,
    store: RunStore = None,
    split: Annotated[
        str, typer.Option("--split", help="test, train, or valid.", metavar="WHICH")
    ] = "test",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")] = "auto",
    json: Json = False,
) -> None:
    """Score a run's best checkpoint, on its own store or on another."""
    from hmstrain.cli import run as commands
    from hmstrain.runs.folder import RunFolder

    commands.test(RunFolder(folder), store, split, device, as_json=json)


@app.command()
def study(
    store: StoreIn = Path("hms.zarr"),
    systems: Annotated[
        list[str] | None,
        typer.Option("--system", help="Only these, such as naive_cnn-spec.", metavar="NAME"),
    ] = None,
    image_size: Size = None,
    fold: Fold = None,
    pretrained: Pretrained = False,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    seed: Seed = None,
    config: ConfigFile = None,
    settings: Set = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[Path, option("--out", WHERE, "Folder of the study.")] = Path("study"),
    json: Json = False,
) -> None:
    """Train the report's nine systems and print their table beside its numbers.

    --system takes others too: MODEL-spec, MODEL-eeg, MODEL-spec+eeg.
    Stopped, the same command goes on with the system it was at.
    """
    from hmstrain.cli import run as commands

    chosen = make_config(
        config,
        {
            "image_size": image_size,
            "fold": fold,
            "pretrained": pretrained or None,
            "epochs": epochs,
            "batch_size": batch_size,
            "steps": steps,
            "fraction": fraction,
            "seed": seed,
            "device": device,
            "data": data,
            "precision": precision,
        },
        settings or (),
    )
    commands.study(store, chosen, out, systems, as_json=json)


app.command()(cli_look.report)
app.command()(cli_look.explain)
app.command()(cli_look.view)
app.command()(cli_predict.predict)
app.command()(cli_predict.submission)
app.command()(cli_predict.bundle)


@app.command()
def models(
    word: Annotated[str | None, typer.Argument(help="Only those with this in their name.")] = None,
    json: Json = False,
) -> None:
    """List models with their parameters and what they take."""
    from hmstrain.cli import run as commands

    commands.models(word, as_json=json)


def main() -> None:
    """Run the command line: a user's error prints one message and exits with 1."""
    try:
        app()
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        print(f"hmstrain: {message}", file=sys.stderr)
        sys.exit(1)


def _user_message(error: Exception) -> str | None:
    """Text of an error that is the user's to mend; None for a bug, which keeps its traceback."""
    if isinstance(error, ModuleNotFoundError) and error.name in TRAIN_PACKAGES:
        return (
            f"{error.name} is not installed. Install what training takes: "
            "pip install '.[train]' in a clone of hms-eeg."
        )
    from hmsstore import StoreError
    from hmstrain.errors import TrainError

    if isinstance(error, TrainError | StoreError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return NO_MEMORY
    if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):
        return NO_MEMORY
    return None
