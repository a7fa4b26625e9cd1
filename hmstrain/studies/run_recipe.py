"""A recipe and a store -> its members trained, their answer, and one page about it.

::

    recipe.json      the recipe with its settings, and the store; written first
    MEMBER/          each member's run
    blend/           how they make one answer
    views/           what members say of changed input
    constant.npz, one-view.npz, answer.npz    predictions of the test windows
    recipe.html      the page
    result.json      the same for programs; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.atomic import is_empty, remove_leftovers
from hmsstore.json_shapes import read_json
from hmsstore.reading.feature_table import beside
from hmstrain.config import MACHINE_ONLY, Config, config_of_run
from hmstrain.data.rows import plan_epochs
from hmstrain.data.table import older_notices, open_table
from hmstrain.data.validation import judges
from hmstrain.distributed import World, join_world
from hmstrain.errors import RunError
from hmstrain.events import Events, silent
from hmstrain.models import find_model
from hmstrain.models.network import make_network
from hmstrain.prediction.hmsprep import check_installed, run_hmsprep
from hmstrain.runs.folder import CONFIG, RunFolder, versions
from hmstrain.runs.json_file import check_seal, write_sealed
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.trained import Views
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.answers.read import SPLITS
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.studies.answer import (
    CONSTANT,
    Answered,
    make_answer,
    predict_views,
    write_answer,
    write_constant,
)
from hmstrain.studies.recipe_file import Changes, Recipe, find_recipe
from hmstrain.studies.recipe_page import Cooked
from hmstrain.training.run import run

RECIPE = "recipe.json"


def recipe(
    name: str | Path,
    store: Store | Path | str,
    *,
    out: Path | str | None = None,
    words: Sequence[str] | str = (),
    events: Events = silent,
    **settings: Any,
) -> Cooked:
    """Train a recipe's members in all their folds, seeds and stages, and make one answer of them.

    The same call resumes a recipe that was stopped, exactly where it was.

    Parameters
    ----------
    name : str or path
        A recipe of the package, or a TOML file of one's own: see `studies/recipe_file.py`.
    store : Store or path
        What to train on.
    out : path, optional
        Folder of the recipe; by default `recipes/NAME`.
    words : str or sequence of str
        KEY=VALUE for all members, MEMBER.KEY=VALUE for one, as --set takes them.
    events : callable, optional
        Called with what happens while training runs: see `hmstrain.events.Events`.
    **settings
        Settings of all members, over the recipe's. `epochs` limits both stages.

    Returns
    -------
    Cooked
        `comparison` holds the scores of each member and of their answer.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        There is no such recipe, or the folder, the settings or the store do not fit; or training
        diverged.
    KeyboardInterrupt
        As `hmstrain.train` raises it.

    Examples
    --------
    >>> found = hmstrain.recipe("laptop", "hms.zarr")  # doctest: +SKIP
    >>> found.comparison.models["answer"].scores["kl_votes"]  # doctest: +SKIP
    0.52
    """
    found = find_recipe(name)
    configs = found.configs(Changes.read(settings, [words] if isinstance(words, str) else words))
    opened = store if isinstance(store, Store) else Store.open(store)
    folder = Path("recipes") / found.name if out is None else Path(out)
    return cook(found, configs, opened, folder, events)


def cook(
    found: Recipe, configs: Mapping[str, Config], store: Store, out: Path, events: Events
) -> Cooked:
    """Run a recipe with these configurations of its members, in all processes: see `recipe`."""
    with join_world(next(iter(configs.values())).device) as world:
        return run_recipe(found, configs, store, out, world, events)


def run_recipe(
    found: Recipe,
    configs: Mapping[str, Config],
    store: Store,
    out: Path,
    world: World,
    events: Events,
) -> Cooked:
    """Train each member, or resume those that are unfinished; then answer, compare and write."""
    check_members(configs, store)
    world.main_does(lambda: _begin(found, configs, store, out))
    world.main_does(lambda: _measure(configs, store, out, events))
    members, outcomes = {}, {}
    for name, config in configs.items():
        if world.main:
            events("system", {"name": name})
        members[name] = RunFolder(out / name)
        outcomes[name] = run(
            config, store, members[name], world, events, resume=True, out_of_fold=True
        )
    tested = all(one.test is not None for one in outcomes.values())
    if found.answer is not None and found.answer.views and tested:
        predict_views(Views(**dict.fromkeys(found.answer.views, True)), members, store, out, world)
    cooked = Cooked(
        recipe=found,
        out=out,
        store=StoreId.of(store),
        configs=configs,
        outcomes=outcomes,
        answered=Answered(folder=members[next(iter(members))].path if len(members) == 1 else None),
        split="test" if tested else None,
        comparison=None,
    )
    if world.main:
        cooked = _compared(cooked, members, store)
        cooked.write(store)
    world.wait()
    return cooked


def check_members(configs: Mapping[str, Config], store: Store) -> None:
    """Refuse, before any training, a member that cannot be made or lacks rows."""
    for config in configs.values():
        if find_model(config.model).table:
            continue
        bare = replace(config, pretrained=False, weights="")
        make_network(bare, classes=len(store.spec.classes), trust=True)
        one = replace(config, fold="0") if config.fold == "all" else config
        judges(one, store, plan_epochs(one, store))


def _measure(configs: Mapping[str, Config], store: Store, out: Path, events: Events) -> None:
    """Measure the store's hand features, if a member is to be fitted to them and nobody did before.

    A table of an older version is left as it is, since runs on it need it; but that is said first.
    """
    tables = [
        one
        for name, one in configs.items()
        if find_model(one.model).table and not RunFolder(out / name).finished
    ]
    path = store.path.resolve()
    spans = dict.fromkeys(one.features_span for one in tables if not one.features)
    missing = [span for span in spans if not beside(path, span).is_dir()]
    if missing:
        check_installed("Hand features must be measured first")
        events("notice", {"text": f"Measuring hand features of {store.path} first."})
    for span in missing:
        run_hmsprep("features", path, "--span", span, "--json")
    notices = [text for one in tables for text in older_notices(open_table(one, store), store)]
    for text in dict.fromkeys(notices):
        events("notice", {"text": text})


def _compared(cooked: Cooked, members: Mapping[str, RunFolder], store: Store) -> Cooked:
    """Make the answer, and compare it and the members with the constant prediction."""
    asked, out = cooked.recipe.answer, cooked.out
    answered = cooked.answered
    if asked is not None:
        answered = make_answer(asked, members, store, out)
    paths = [folder.path for folder in members.values()]
    split = cooked.split
    if split == "test":
        if asked is not None:
            paths += write_answer(answered, asked, members, store, out)
    elif all(one.out_of_fold or one.valid for one in cooked.outcomes.values()):
        split = "valid"
        if answered.blended is not None and answered.folder is not None:
            paths.append(answered.folder)
    cooked = replace(cooked, answered=answered, split=split)
    if split is None:
        return cooked
    paths.insert(0, write_constant(members, store, out, SPLITS[split]))
    matched = matched_answers(
        paths, truth=store, rows="typical", split=split, different_folds=split == "test"
    )
    comparison = compare_matched(matched, to=Path(CONSTANT).stem, rows="typical")
    return replace(cooked, comparison=comparison)


def _begin(found: Recipe, configs: Mapping[str, Config], store: Store, out: Path) -> None:
    """Write what is run, or find that the folder holds the same.

    Raises
    ------
    RunError
        The folder holds something else, or lies within the store.
    """
    path = out / RECIPE
    if out.resolve().is_relative_to(store.path.resolve()):
        raise RunError(f"{out} lies within the store, which is sealed: name another --out.")
    if (out / CONFIG).is_file():
        raise RunError(f"{out} is the folder of a run. Name another --out for the recipe.")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is not a folder: name another --out.")
    if not path.is_file():
        if out.exists() and not is_empty(out):
            raise RunError(f"{out} holds something other than a recipe: name another --out.")
        out.mkdir(parents=True, exist_ok=True)
        value = {
            "recipe": found.name,
            "answer": None if found.answer is None else asdict(found.answer),
            "members": {name: config.to_json() for name, config in configs.items()},
            "store": StoreId.of(store).to_json(),
            "versions": versions(),
        }
        write_sealed(path, value)
        return
    remove_leftovers(out)
    _check_same(path, found, configs, store)


def _check_same(path: Path, found: Recipe, configs: Mapping[str, Config], store: Store) -> None:
    try:
        before: Any = read_json(path)
        check_seal(path, before)
        members = {name: config_of_run(one) for name, one in before["members"].items()}
        identity, answer = before["store"]["identity"], before["answer"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged, or not of a recipe: {error}.") from None
    different = []
    if identity != store.identity:
        different.append(f"its store was {identity[:12]}, now {store.identity[:12]}")
    if list(members) != list(configs):
        different.append(f"its members were {', '.join(members)}, now {', '.join(configs)}")
    asked = None if found.answer is None else json.loads(json.dumps(asdict(found.answer)))
    if answer != asked:
        different.append(f"its answer was {answer}, now {asked}")
    for name in set(members) & set(configs):
        theirs, ours = members[name].to_json(), configs[name].to_json()
        different += [
            f"{name}: {key} was {theirs[key]}, now {value}"
            for key, value in ours.items()
            if key not in MACHINE_ONLY and theirs[key] != value
        ]
    if different:
        raise RunError(
            f"{path.parent} holds a recipe of another kind: {'; '.join(different)}. Give the same "
            "to resume it, or name another --out."
        )
