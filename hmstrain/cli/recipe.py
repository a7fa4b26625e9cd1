"""`hmstrain recipe`: all runs of a recipe, and the answer that they make together."""

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
    Seeds,
    Size,
    Steps,
    StoreIn,
    option,
)


def recipe(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A recipe from --list, or your own TOML file."),
    ] = None,
    store: StoreIn = Path("hms.zarr"),
    list_: Annotated[bool, option("--list", WHAT, "List the recipes.")] = False,
    image_size: Size = None,
    fold: Fold = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    steps: Steps = None,
    fraction: Fraction = None,
    seed: Seed = None,
    seeds: Seeds = None,
    settings: Annotated[
        list[str] | None,
        option(
            "--set",
            HOW,
            "Override a setting of all members, or MEMBER.KEY of one; repeatable: mixup=0.4.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    device: Device = None,
    data: Data = None,
    precision: Precision = None,
    out: Annotated[
        Path | None,
        option("--out", WHERE, "Folder of the recipe. [default: recipes/NAME]", metavar="FOLDER"),
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", WHERE, "Dry run: print the runs.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Run a recipe: all folds, seeds and stages, and one answer.

    A recipe is a few settings over the defaults. Its members are trained,
    blended and calibrated on windows held out, and tested; the outcome is one
    page. Rerun the command to resume a recipe that was stopped. --epochs,
    --steps, --fraction and --image-size make it small enough to try.
    """
    from hmstrain.cli import console
    from hmstrain.errors import ConfigError
    from hmstrain.studies.recipe_file import Changes, find_recipe, recipe_names

    if list_:
        found = [find_recipe(one) for one in recipe_names()]
        if json:
            console.print_json([one.to_json() for one in found])
            return
        for one in found:
            print(f"{one.name}: {one.title}")
            for key in ("needs", "reach"):
                console.print_text(f"    {key}: {getattr(one, key)}")
        return
    if name is None:
        raise ConfigError(f"Name a recipe: {', '.join(recipe_names())}, or a TOML file.")
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
    chosen = find_recipe(name)
    configs = chosen.configs(Changes.read(given, settings or ()))
    folder = out or Path("recipes") / chosen.name
    if dry_run:
        from json import dumps

        from hmstrain.models import check_known
        from hmstrain.studies.recipe_file import described

        for config in configs.values():
            check_known(config.encoders.values())
        print(dumps(described(chosen, configs), indent=1))
        return

    def interrupted(stop: KeyboardInterrupt) -> str:
        return console.stopped(stop, folder, "Rerun the same command to resume.")

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        from hmstrain.cli.opened import open_store
        from hmstrain.cli.results import print_recipe, warn_of
        from hmstrain.events import is_main
        from hmstrain.studies.run_recipe import cook

        opened = open_store(store)
        console.note(f"{chosen.title}. {chosen.needs}")
        with console.run_progress("") as events:
            cooked = cook(chosen, configs, opened, folder, events)
        if not is_main():
            return
        if json:
            console.print_json(cooked.to_json())
        else:
            print_recipe(cooked)
            warn_of(opened)
        console.note(f"Everything is in {folder}; its page is {cooked.page}.")
