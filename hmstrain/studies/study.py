"""The report's nine systems, and others, on one store -> one table beside published numbers.

Each row is an ordinary run in a folder of its own, as `hmstrain run` would make it; a study that
was stopped resumes with the row it was at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmstrain.config import Config, completed, given_settings
from hmstrain.distributed import World, join_world
from hmstrain.errors import ConfigError
from hmstrain.events import Events, silent
from hmstrain.models.network import make_network
from hmstrain.reporting.comparison.page import write_comparison
from hmstrain.reporting.systems import System, choose
from hmstrain.runs.folder import CONFIG, RunFolder
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.studies.study_table import MAIN, Row, Study
from hmstrain.training.run import run
from hmstrain.words import plural

COMPARED = "compared"
"""Folder of a study that holds the comparison of its systems."""
RECIPE = {"test_each_epoch": True}
"""Settings of the report, where no others are given."""


def study(
    store: Store | Path | str,
    *,
    out: Path | str = "study",
    systems: Sequence[str] | str | None = None,
    config: Path | str | None = None,
    events: Events = silent,
    **settings: Any,
) -> Study:
    """Train the report's nine systems, or others, and put their table together.

    As in the report, each is tested after each epoch; `test_each_epoch=False` leaves that out.
    The same call resumes a study that was stopped, at the system where it was.

    Parameters
    ----------
    store : Store or path
        What to train on.
    out : path
        Folder of the study, with the table and the runs.
    systems : str or sequence of str, optional
        MODEL-INPUTS or MODEL-INPUTS-contrastive; the report's by default.
    config : path, optional
        A file of settings: JSON or TOML.
    events : callable, optional
        Called with what happens while training runs: see `hmstrain.events.Events`.
    **settings
        Settings of all systems; model, inputs and contrastive are each system's own.

    Returns
    -------
    Study
        `rows` hold each system and the outcome of its run.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        The folder, the settings or the store do not fit; or training diverged.
    KeyboardInterrupt
        As `hmstrain.train` raises it.

    Examples
    --------
    >>> found = hmstrain.study(
    ...     "hms.zarr", systems=["naive_cnn-spec", "resnet18-spec"], steps=200
    ... )  # doctest: +SKIP
    >>> [row.outcome.test["kl_votes"] for row in found.rows]  # doctest: +SKIP
    [0.98, 0.91]
    """
    given = given_settings(None if config is None else Path(config), settings)
    chosen = completed(RECIPE | given)
    opened = store if isinstance(store, Store) else Store.open(store)
    with join_world(chosen.device) as world:
        return run_study(chosen, opened, Path(out), world, choose(systems), events)


def run_study(
    config: Config,
    store: Store,
    out: Path,
    world: World,
    systems: list[System],
    events: Events,
) -> Study:
    """Run each system, or resume those that are unfinished, and put the table together.

    Parameters
    ----------
    config : Config
        What all have in common; model, inputs and contrastive are each system's own.
    """
    if config.weights:
        raise ConfigError(
            "A study trains several models, which one file of weights does not fit: use "
            "--pretrained."
        )
    each_systems_own = ("model", "inputs", "contrastive")
    if any(getattr(config, name) != getattr(Config(), name) for name in each_systems_own):
        raise ConfigError(
            "Each system of a study sets its own model, inputs and contrastive: choose systems "
            "with --system, such as convnext_atto-spec+eeg."
        )
    if (out / CONFIG).exists():
        raise ConfigError(f"{out} is the folder of a run. Name another --out for the study.")
    for system in systems:  # refuses now what would otherwise stop a later row
        make_network(system.of(config), classes=len(store.spec.classes), trust=True)
    title = heading(config, store)
    table = Study(title, config, store.identity, warnings=tuple(store.info["warnings"]))
    for system in systems:
        folder = RunFolder(out / system.name)
        if world.main:
            events("system", {"name": system.name})
        outcome = run(system.of(config), store, folder, world, events, resume=True)
        table = replace(table, rows=(*table.rows, Row(system, outcome)))
        if world.main:
            table.write(out)
    if world.main and len(systems) > 1 and all(row.outcome.test for row in table.rows):
        table = compared(table, store, out)
        table.write(out)
    return table


def compared(table: Study, store: Store, out: Path) -> Study:
    """Compare the systems on the test windows; write that, and add differences to the first."""
    runs = [out / row.system.name for row in table.rows]
    matched = matched_answers(runs, truth=store, rows="typical", split="test")
    found = compare_matched(matched, rows="typical")
    write_comparison(found, matched, out / COMPARED)
    rows = (
        replace(row, less_first=found.differences.get(row.system.name, {}).get(MAIN))
        for row in table.rows
    )
    warnings = dict.fromkeys((*table.warnings, *found.warnings))
    return replace(table, rows=tuple(rows), warnings=tuple(warnings))


def heading(config: Config, store: Store) -> str:
    """Title of a study: where weights came from, how much was seen, whose patients leak."""
    start = "from scratch"
    if config.pretrained:
        start = "timm's weights (naive_cnn from scratch)"
    size = f"{config.image_size} px" if config.image_size else "400 x 300 px"
    parts = [start, plural(config.epochs, "epoch"), size]
    if config.steps:
        parts[1] = plural(config.steps, "step")
    if config.fraction < 1:
        parts.append(f"{config.fraction:.0%} of the training patients")
    if config.fold == "all":
        parts.append("mean of the folds' predictions")
    if config.seeds > 1:
        parts.append(f"mean of the predictions of {plural(config.seeds, 'seed')}")
    if config.fold == "rotate":
        parts.append("PATIENTS LEAK between training and validation")
    leaks = "PATIENTS LEAK between training and test"
    parts.append(leaks if store.leaks else "test split by patient")
    return ", ".join(parts)
