"""`hmstrain ablate`: one factor of a recipe at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmstrain.cli.options import (
    HOW,
    WHAT,
    WHERE,
    Batch,
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
    Set,
    Size,
    Steps,
    StoreIn,
    option,
)


def ablate(
    base: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe by name or TOML file; or a run's config.json.",
        ),
    ] = None,
    store: StoreIn = Path("hms.zarr"),
    list_: Annotated[bool, option("--list", WHAT, "List the factors.")] = False,
    member: Annotated[
        str | None,
        option("--member", WHAT, "Member of the recipe. [default: the first]", metavar="NAME"),
    ] = None,
    only: Annotated[
        list[str] | None,
        option("--only", WHAT, "Only this factor of the list; repeatable.", metavar="NAME"),
    ] = None,
    factors: Annotated[
        list[str] | None,
        option(
            "--factor",
            WHAT,
            "Also try your own factor; repeatable: 'wide: model.stem_width=64, drop_rate=0.2'.",
            metavar="NAME:SETTINGS",
        ),
    ] = None,
    image_size: Size = None,
    fold: Fold = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    seed: Seed = None,
    seeds: Annotated[
        int | None, option("--seeds", HOW, "Seeds of each row. [default: 3]", metavar="N")
    ] = None,
    settings: Set = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[
        Path | None,
        option(
            "--out", WHERE, "Folder of the ablation. [default: ablations/NAME]", metavar="FOLDER"
        ),
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", WHERE, "Dry run: print the runs.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Change one factor of a recipe at a time.

    Each factor is trained in several seeds and compared with the base on the
    test windows. Rerun the command to resume an ablation that was stopped.
    """
    from hmstrain.cli import console
    from hmstrain.errors import ConfigError
    from hmstrain.studies.factors import base_of, listed_factors, make_rows
    from hmstrain.studies.recipe_file import Changes, recipe_names
    from hmstrain.words import plural

    if list_:
        found = listed_factors()
        if json:
            console.print_json(
                [{"name": one.name, "asks": one.asks, "settings": one.changed} for one in found]
            )
            return
        for one in found:
            print(f"{one.name}: {one.changed}")
            console.print_text(f"    {one.asks}")
        return
    if base is None:
        raise ConfigError(f"Name a recipe: {', '.join(recipe_names())}, or a file.")
    given = {
        "image_size": image_size,
        "fold": fold,
        "epochs": epochs,
        "batch_size": batch_size,
        "steps": steps,
        "fraction": fraction,
        "seed": seed,
        "seeds": seeds,
        "device": device,
        "data": data,
        "precision": precision,
    }
    title, config = base_of(base, member, Changes.read(given, settings or ()))
    rows = make_rows(config, only or (), factors or ())
    folder = out or Path("ablations") / Path(base).stem
    if dry_run:
        from hmstrain.models import check_known

        for row in (*rows.configs.values(), *rows.made.values()):
            check_known(row.encoders.values())
    if dry_run and json:
        console.print_json(
            {
                "base": config.to_json(),
                "factors": {one.name: one.settings for one in rows.factors},
                "made_first": {name: made.to_json() for name, made in rows.made.items()},
                "left_out": list(rows.left_out),
            }
        )
        return
    if dry_run:
        each = plural(config.seeds, "seed")
        print(f"base: {config.model}, {config.inputs}, {each}, fold {config.fold}")
        for name in rows.made:
            print(f"made first, in {each} too: {name}")
        for one in rows.factors:
            print(f"{one.name}: {one.changed}")
        for text in rows.left_out:
            print(f"left out: {text}")
        return

    def interrupted(stop: KeyboardInterrupt) -> str:
        return console.stopped(stop, folder, "Rerun the same command to resume.")

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        from hmstrain.cli.opened import open_store
        from hmstrain.cli.results import print_ablation, warn_of
        from hmstrain.events import is_main
        from hmstrain.studies.ablate import run_ablation

        opened = open_store(store)
        with console.run_progress("") as events:
            table = run_ablation(title, rows, opened, folder, events)
        if not is_main():
            return
        if json:
            console.print_json(table.to_json())
        else:
            print_ablation(table)
            warn_of(opened)
        console.note(f"Everything is in {folder}.")
