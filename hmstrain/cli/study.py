"""`hmstrain study`: the report's nine systems, or others, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hmstrain.cli.options import (
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
    Pretrained,
    Quiet,
    Seed,
    Seeds,
    Set,
    Size,
    Steps,
    StoreIn,
    option,
)


def study(
    store: StoreIn = Path("hms.zarr"),
    systems: Annotated[
        list[str] | None,
        option("--system", WHAT, "Only this one; repeatable: naive_cnn-spec.", metavar="NAME"),
    ] = None,
    image_size: Size = None,
    fold: Fold = None,
    pretrained: Pretrained = False,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    seed: Seed = None,
    seeds: Seeds = None,
    config: ConfigFile = None,
    settings: Set = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[
        Path, option("--out", WHERE, "Folder of the study. [default: study]", metavar="FOLDER")
    ] = Path("study"),
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Compare the report's nine systems.

    Each is trained, and their table printed beside the report's numbers.
    Name other systems with --system: MODEL-spec, MODEL-eeg, MODEL-spec+eeg.
    As in the report, each is tested after each epoch too. Rerun the command to
    resume a study that was stopped.
    """
    from hmstrain.cli import console
    from hmstrain.config import given_settings

    given = given_settings(
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
            "seeds": seeds,
            "device": device,
            "data": data,
            "precision": precision,
        },
        settings or (),
    )

    def interrupted(stop: KeyboardInterrupt) -> str:
        return console.stopped(stop, out, "Rerun the same command to resume.")

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        from hmstrain.cli.opened import open_store
        from hmstrain.cli.results import print_study, warn_of
        from hmstrain.events import is_main
        from hmstrain.studies.study import study as compare

        opened = open_store(store)
        with console.run_progress("") as events:
            table = compare(opened, out=out, systems=systems, events=events, **given)
        if not is_main():
            return
        if json:
            console.print_json(table.to_json())
        else:
            print_study(table)
            warn_of(opened)
        console.note(f"Everything is in {out}.")
