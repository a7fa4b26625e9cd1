"""A base, the package's list and the user's words -> what an ablation changes, one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hmstrain.config import MACHINE_ONLY, Config, completed, given_settings
from hmstrain.errors import ConfigError
from hmstrain.studies.made import MADE, named_in
from hmstrain.studies.recipe_file import (
    MEMBER_NAME,
    Changes,
    find_recipe,
    read_toml,
    settings_of,
)
from hmstrain.training.idle import idle_settings

FILE = Path(__file__).with_name("factors.toml")
BASE = "base"
OF_NO_MODEL = ("seed", "seeds", "fold")
"""Settings in which runs of one model differ."""
SAME_MODEL = "rows that differ in nothing but seed, seeds or fold count as one model"
SEEDS = 3
"""Seeds of each row, unless another number is given."""
BETWEEN = re.compile(r",\s*(?=[A-Za-z_][\w.-]*\s*=)")
"""Between two KEY=VALUE: a comma within a value, as in spectrogram_rows=100,200, is none."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Settings that a row changes, and what it asks."""

    name: str
    asks: str
    settings: dict[str, Any] = field(hash=False)
    where: dict[str, Any] = field(default_factory=dict, hash=False)
    """Settings that a base must have."""

    @property
    def changed(self) -> str:
        """The settings in words."""
        return ", ".join(f"{key}={_text(value)}" for key, value in self.settings.items())


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an ablation: the base first."""

    factors: tuple[Factor, ...]
    configs: dict[str, Config] = field(hash=False)
    made: dict[str, Config] = field(hash=False)
    """Runs that the ablation makes first, since rows build upon them."""
    left_out: tuple[str, ...]
    """Which of the package's factors say nothing of this base, and why, a sentence each."""


def base_of(base: str | Path, member: str | None, changes: Changes) -> tuple[str, Config]:
    """Title and configuration of what an ablation starts from.

    Of a recipe, one member; of all folds, the first alone, since seeds tell more for the time.

    Raises
    ------
    ConfigError
        There is no such recipe, member or file of settings.
    """
    path = Path(base)
    if path.suffix == ".json":
        if member is not None:
            raise ConfigError(f"--member {member}: {path} holds settings, not a recipe.")
        changes.check_members(())
        own = given_settings(path)
        title, config = f"Ablation of {path}", completed(changes.over("", own))
        seeds = own.get("seeds", 1)
    else:
        recipe = find_recipe(base)
        configs = recipe.configs(changes)
        member = next(iter(configs)) if member is None else member
        if member not in configs:
            raise ConfigError(f"--member {member}: expected one of {', '.join(configs)}.")
        title, config = f"Ablation of {recipe.name}, {member}", configs[member]
        seeds = config.seeds
    if config.fold == "all":
        config = replace(config, fold="0")
    given = {**(changes.of_all or {}), **(changes.of_one or {}).get(member or "", {})}
    if "seeds" not in given:
        config = replace(config, seeds=max(SEEDS, seeds))
    return title, config


def listed_factors() -> list[Factor]:
    """The package's list."""
    found = []
    for name, table in read_toml(FILE).items():
        asks, where = table.pop("asks"), table.pop("where", {})
        own = settings_of(FILE, name, table)
        found.append(Factor(name, asks, own, settings_of(FILE, f"{name}.where", where)))
    return found


def read_factor(text: str) -> Factor:
    """Read one's own factor, 'NAME: KEY=VALUE, KEY=VALUE'.

    Raises
    ------
    ConfigError
        It has another form, or a setting does not exist.
    """
    name, colon, words = text.partition(":")
    name = name.strip()
    if not colon or not words.strip() or not MEMBER_NAME.fullmatch(name):
        raise ConfigError(
            f"--factor {text!r}: expected 'NAME: KEY=VALUE, ...', such as "
            "'dropped: drop_rate=0.2', with a name of small letters, digits and -_.+"
        )
    try:
        return Factor(name, "", given_settings(None, None, BETWEEN.split(words.strip())))
    except ConfigError as error:
        raise ConfigError(f"--factor {name}: {error}") from None


def make_rows(base: Config, only: Sequence[str] = (), own: Sequence[str] = ()) -> Rows:
    """Choose factors and lay them over a base.

    Parameters
    ----------
    only : sequence of str
        Names of the factors wanted; without any, all of the package's.
    own : sequence of str
        Factors of the user, as `read_factor` takes them; always wanted.

    Raises
    ------
    ConfigError
        There is no such factor, two have one name, or a factor of the user changes nothing or does
        not go together with the base.
    """
    mine = [read_factor(text) for text in own]
    listed = listed_factors()
    names = [BASE, *MADE, *(one.name for one in (*listed, *mine))]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"--factor {twice}: there is a factor of that name: choose another.")
    known = {one.name: one for one in listed}
    for name in only:
        if name not in known:
            near = get_close_matches(name, known)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"--only {name}: expected one of {', '.join(known)}.{hint}")
    wanted = [one for one in listed if not only or one.name in only]
    factors, configs, left_out = [], {BASE: base}, []
    rows = {_model_of(base): BASE}
    made: dict[str, Config] = {}
    for one in (*wanted, *mine):
        reason = ""
        for key, value in one.where.items():
            if getattr(base, key) != value:
                reason = f"asks about a base with {key}={_text(value)}."
        try:
            config = completed(one.settings, base)
            needed = {} if reason else {name: MADE[name](base) for name in named_in(config)}
            if not reason and not _differs(config, base):
                reason = "changes nothing of the base."
            elif not reason and (same := rows.get(_model_of(config))):
                reason = f"is the row {same} again: {SAME_MODEL}."
        except ConfigError as error:
            reason = f"does not go together with the base: {error}"
        if not reason:
            factors.append(one)
            configs[one.name] = config
            rows[_model_of(config)] = one.name
            made |= needed
        elif one in mine or one.name in only:
            raise ConfigError(f"The factor {one.name} ({one.changed}) {reason}")
        else:
            left_out.append(f"{one.name} {reason}")
    if not factors:
        raise ConfigError("No factor changes anything of the base: give one with --factor.")
    return Rows(tuple(factors), configs, made, tuple(left_out))


def _differs(config: Config, base: Config) -> bool:
    ours, theirs = config.to_json(), base.to_json()
    same = {*MACHINE_ONLY, *(idle_settings(config).keys() & idle_settings(base))}
    return any(ours[key] != theirs[key] for key in ours if key not in same)


def _model_of(config: Config) -> str:
    """What tells a row's networks from those of other rows: see `Answers.model`."""
    found = {k: v for k, v in config.to_json().items() if k not in (*OF_NO_MODEL, *MACHINE_ONLY)}
    return json.dumps(found, sort_keys=True)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
