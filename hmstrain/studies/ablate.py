"""A base, factors and a store -> runs of each factor alone, and what each is worth.

::

    ROW/             each row's runs, of all its seeds; base/ is the base's
    pretraining/, generator/    of rows that build upon them
    ablation.json    the table for programs, written last; .md, .csv, .html and .png beside it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmsstore import Store
from hmsstore.atomic import is_empty
from hmstrain.config import Config
from hmstrain.data.rows import split_rows
from hmstrain.distributed import World, join_world
from hmstrain.errors import DataError, RunError
from hmstrain.events import Events, silent
from hmstrain.runs.folder import CONFIG, RunFolder
from hmstrain.runs.predictions import TESTED
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.studies.ablation_table import Ablation
from hmstrain.studies.factors import BASE, Rows, base_of, make_rows
from hmstrain.studies.made import named_in, with_folders
from hmstrain.studies.recipe_file import Changes
from hmstrain.studies.run_recipe import check_members
from hmstrain.training.run import run
from hmstrain.words import plural


def ablate(
    base: str | Path,
    store: Store | Path | str,
    *,
    out: Path | str | None = None,
    member: str | None = None,
    only: Sequence[str] | str = (),
    factors: Sequence[str] | str = (),
    events: Events = silent,
    **settings: Any,
) -> Ablation:
    """Change one factor of a recipe at a time, over several seeds, and compare with the base.

    The same call resumes an ablation that was stopped, exactly where it was.

    Parameters
    ----------
    base : str or path
        A recipe by name or file; or settings: JSON, or a run's `config.json`.
    store : Store or path
        What to train on.
    out : path, optional
        Folder of the ablation; by default `ablations/NAME`.
    member : str, optional
        Which member of a recipe; by default the first.
    only : str or sequence of str
        Factors of the package's list; by default all that change something.
    factors : str or sequence of str
        Factors of one's own: 'NAME: KEY=VALUE, KEY=VALUE'.
    events : callable, optional
        Called with what happens while training runs: see `hmstrain.events.Events`.
    **settings
        Settings of the base, over its own; `seeds` is 3 if not given.

    Returns
    -------
    Ablation
        `less_base(row, "kl_votes")` is what a factor is worth.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        There is no such recipe or factor, or the folder, the settings or the store do not fit; or
        training diverged.
    KeyboardInterrupt
        As `hmstrain.train` raises it.

    Examples
    --------
    >>> found = hmstrain.ablate("laptop", "hms.zarr", only=["no-swap"])  # doctest: +SKIP
    >>> found.less_base("no-swap", "kl_votes").interval  # doctest: +SKIP
    (0.004, 0.019)
    """
    title, config = base_of(base, member, Changes.read(settings))
    only = [only] if isinstance(only, str) else only
    factors = [factors] if isinstance(factors, str) else factors
    rows = make_rows(config, only, factors)
    opened = store if isinstance(store, Store) else Store.open(store)
    folder = Path("ablations") / Path(base).stem if out is None else Path(out)
    return run_ablation(title, rows, opened, folder, events)


def run_ablation(
    title: str, rows: Rows, store: Store, out: Path, events: Events = silent
) -> Ablation:
    """Run the base and each factor, or resume those that are unfinished; compare and write."""
    base = rows.configs[BASE]
    if not len(split_rows(base, store, "test")):
        raise DataError(f"{store.path} has no test split, which an ablation is compared on.")
    with join_world(base.device) as world:
        check_members(rows.configs, store)
        check_members(rows.made, store)
        world.main_does(lambda: _begin(out, store))
        return _run(title, rows, store, out, world, events)


def _run(title: str, rows: Rows, store: Store, out: Path, world: World, events: Events) -> Ablation:
    notes = [f"Left out: {reason}" for reason in rows.left_out]
    seeds = rows.configs[BASE].seeds
    notes.insert(0, f"Each row has {plural(seeds, 'seed')}, fold {rows.configs[BASE].fold}.")
    done: list[str] = []
    found: Ablation | None = None
    for name, config in rows.configs.items():
        for needed in named_in(config):
            _train(needed, rows.made[needed], store, out, world, events)
            told = _told(needed, RunFolder(out / needed))
            notes += [told] if told not in notes else []
        _train(name, with_folders(config, out), store, out, world, events)
        done.append(name)
        if len(done) > 1:
            found = _compared(title, rows, done, store, out, notes)
            if world.main:
                found.write(out, store)
    assert found is not None  # there is at least one factor
    return found


def _train(
    name: str, config: Config, store: Store, out: Path, world: World, events: Events
) -> None:
    """Train a row, or what rows build upon; if it is finished, leave it as it is."""
    if world.main:
        events("system", {"name": name})
    run(config, store, RunFolder(out / name), world, events, resume=True)


def _told(name: str, folder: RunFolder) -> str:
    """Say how well something that rows build upon has learned, over its seeds."""
    found = [one.outcome() for one in folder.networks()]
    matched = [one.alignment for one in found if one.alignment is not None]
    if matched:
        right = np.mean([one.retrieval_at_1 for one in matched])
        return (
            f"@{name}: a window's partner is found in {right:.1%} of trials among "
            f"{plural(matched[0].patients, 'held-out patient')} (by chance "
            f"{matched[0].chance:.1%})."
        )
    kept = "; ".join(one.kept for one in found)
    return f"@{name}: {kept}"


def _compared(
    title: str, rows: Rows, done: Sequence[str], store: Store, out: Path, notes: Sequence[str]
) -> Ablation:
    """Compare the rows that are finished, seeds of each as one model."""
    networks = {name: [one.path for one in RunFolder(out / name).networks()] for name in done}
    paths = [path for name in done for path in networks[name]]
    matched = matched_answers(paths, truth=store, rows="typical", split="test")
    found = compare_matched(matched, rows="typical", group_seeds=True)
    place = {str(path / TESTED): name for name in done for path in networks[name]}
    models = {place[model.path]: key for key, model in found.models.items()}
    if len(models) < len(found.models):
        raise RunError(
            f"{out}: networks of a row differ in more than seed and fold, as config.json of each "
            "says. Name another --out, or remove the rows that differ."
        )
    return Ablation(
        title=title,
        base=rows.configs[BASE],
        store=store.identity,
        factors=tuple(one for one in rows.factors if one.name in done),
        configs=rows.configs,
        comparison=found,
        models=models,
        notes=tuple(notes),
    )


def _begin(out: Path, store: Store) -> None:
    """Refuse a folder that holds something else; each row's run checks its own settings."""
    if out.resolve().is_relative_to(store.path.resolve()):
        raise RunError(f"{out} lies within the store, which is sealed: name another --out.")
    if (out / CONFIG).is_file():
        raise RunError(f"{out} is the folder of a run. Name another --out for the ablation.")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is not a folder: name another --out.")
    if out.exists() and not is_empty(out) and not (out / BASE / CONFIG).is_file():
        raise RunError(f"{out} holds something other than an ablation: name another --out.")
