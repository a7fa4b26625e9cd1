"""What each command does once its options are read: call the library, print the result.

Commands that only read a store import nothing that only a build needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hmsprep.cli import console
from hmsprep.planning.choices import Missing
from hmsstore import Store

if TYPE_CHECKING:
    from hmsprep.planning.parameters import Parameters


def build(
    data: Path,
    store: Path,
    parameters: Parameters,
    *,
    missing: Missing,
    part: str | None,
    workers: int,
    force: bool,
    as_json: bool,
) -> None:
    """Build a store and say what it holds."""
    from hmsprep.building.build import build as build_store
    from hmsprep.building.site import Site, State
    from hmsprep.planning.load import load

    building = Site(store.resolve()).building
    with (
        console.stoppable("Stopped while planning; nothing was begun."),
        console.thinking("Planning"),
    ):
        dataset = load(data, parameters, missing, part)
    console.warn(dataset.warnings)
    if building.exists():
        console.note(f"Going on with {building}.")
    stages = {"ingest": "Reading", "normalise": "Normalising"}
    try:
        with console.progress(stages) as progress:
            state = build_store(dataset, store, workers=workers, force=force, progress=progress)
    except KeyboardInterrupt:
        if building.exists():
            console.note("Stopped. Run the same command again: it goes on where it stopped.")
        else:
            console.note("Stopped before anything was finished; nothing is left behind.")
        raise typer.Exit(130) from None
    if state is State.BUILT:
        console.note(f"{store} is built already, of this very plan. --force builds it anew.")
    opened = Store.open(store)
    if as_json:
        counts = opened.info["counts"]
        console.print_json({"store": str(store), "identity": opened.identity, **counts})
    else:
        console.print_info(opened)


def plan(
    data: Path, parameters: Parameters, *, missing: Missing, part: str | None, as_json: bool
) -> None:
    """Print what a build would make."""
    from hmsprep.kaggle.files import is_table
    from hmsprep.planning.load import load, load_metadata
    from hmsprep.planning.plan import summary

    with console.stoppable("Stopped."), console.thinking("Planning"):
        if is_table(data):
            planned = load_metadata(data, parameters)
            warnings = list(planned.warnings)
        else:
            dataset = load(data, parameters, missing, part)
            planned, warnings = dataset.plan, dataset.warnings
        found = summary(planned) | {"warnings": warnings}
    if as_json:
        console.print_json(found)
    else:
        console.print_plan(found, planned.spec)
    console.warn(warnings)


def verify(store: Path, *, as_json: bool) -> None:
    """Check a store and list every problem; exit with 1 if there is any."""
    from hmsprep.verification import verify as verify_store

    with console.stoppable("Stopped."), console.progress({"verify": "Verifying"}) as progress:
        problems = verify_store(store, progress)
    if as_json:
        console.print_json({"store": str(store), "ok": not problems, "problems": problems})
    elif problems:
        print(f"{store} has {len(problems)} problem(s):")
        for problem in problems:
            print(f"  {problem}")
    if problems:
        raise typer.Exit(1)
    there = opened(store)
    if not as_json:
        print(f"{store} is whole: {len(there.manifest.files):,} files, {len(there):,} windows.")


def info(store: Path, *, as_json: bool) -> None:
    """Describe a store."""
    there = opened(store)
    if as_json:
        console.print_json(there.info)
    else:
        console.print_info(there)


def synth(
    out: Path,
    *,
    windows: int | None,
    like: Path | None,
    fraction: float,
    fast: bool,
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    """Simulate a data set."""
    from hmsprep.simulator.make import make_dataset

    with (
        console.stoppable("Stopped; nothing is left behind."),
        console.progress({"synth": "Simulating"}, unit="spectrograms") as progress,
    ):
        made = make_dataset(
            out,
            windows=windows,
            seed=seed,
            like=like,
            fraction=fraction,
            fast=fast,
            workers=workers,
            progress=progress,
        )
    if as_json:
        console.print_json({"data": str(out), **made})
    else:
        console.print_synth(out, made)


def opened(store: Path) -> Store:
    """Open a store and repeat what it warns of: above all that patients leak."""
    there = Store.open(store)
    console.warn(there.info["warnings"])
    return there
