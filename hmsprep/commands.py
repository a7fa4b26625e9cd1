"""What each command does once its options are read: call the library, print the result."""

from __future__ import annotations

from pathlib import Path

import typer

from hmsprep import console
from hmsprep.build import build as build_store
from hmsprep.choices import Missing
from hmsprep.dataset import load, load_metadata
from hmsprep.parameters import Parameters
from hmsprep.plan import summary
from hmsprep.site import Site, State
from hmsprep.source import is_table
from hmsstore import Store


def build(
    data: Path,
    store: Path,
    parameters: Parameters,
    *,
    missing: Missing,
    workers: int,
    force: bool,
    as_json: bool,
) -> None:
    """Build a store and say what it holds."""
    with console.thinking("Planning"):
        dataset = load(data, parameters, missing)
    console.warn(dataset.warnings)
    try:
        with console.progress({"ingest": "Reading", "normalise": "Normalising"}) as progress:
            state = build_store(
                dataset.source,
                dataset.plan,
                store,
                skipped=dataset.skipped,
                workers=workers,
                force=force,
                progress=progress,
            )
    except KeyboardInterrupt:
        if Site(store.absolute()).building.exists():
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


def plan(data: Path, parameters: Parameters, *, missing: Missing, as_json: bool) -> None:
    """Print what a build would make."""
    with console.thinking("Planning"):
        if is_table(data):
            planned = load_metadata(data, parameters)
            warnings = list(planned.split.warnings)
        else:
            dataset = load(data, parameters, missing)
            planned, warnings = dataset.plan, dataset.warnings
    found = summary(planned) | {"warnings": warnings}
    if as_json:
        console.print_json(found)
    else:
        console.print_plan(found)
        console.warn(warnings)


def verify(store: Path, *, as_json: bool) -> None:
    """Check a store and list every problem; exit with 1 if there is any."""
    from hmsprep.verify import verify as verify_store

    with console.progress({"verify": "Verifying"}) as progress:
        problems = verify_store(store, progress)
    if as_json:
        console.print_json({"store": str(store), "ok": not problems, "problems": problems})
    elif problems:
        print(f"{store} has {len(problems)} problem(s):")
        for problem in problems:
            print(f"  {problem}")
    else:
        opened = Store.open(store)
        print(f"{store} is whole: {len(opened.manifest.files):,} files, {len(opened):,} windows.")
        console.warn(opened.info["split"]["warnings"])
    if problems:
        raise typer.Exit(1)


def info(store: Path, *, as_json: bool) -> None:
    """Describe a store."""
    opened = Store.open(store)
    if as_json:
        console.print_json(opened.info)
    else:
        console.print_info(opened)


def show(store: Path, row: int, out: Path) -> None:
    """Draw one window."""
    from hmsstore.view import draw_window

    figure = draw_window(Store.open(store), row)
    figure.savefig(out)
    console.note(f"Wrote {out}.")


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
    from hmsprep.synth.dataset import make_dataset

    with console.progress({"synth": "Simulating"}, unit="recordings") as progress:
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
