"""A name or a TOML file -> a recipe: what its members are trained with, how they make one answer.

::

    format_version = 1   of this layout; may be left out
    title = "..."        what it is, in a line
    source = "..."       whose it is, and where it is described
    about = "..."        how it goes about it
    needs = "..."        memory, device and hours
    reach = "..."        what it came to, in whose hands, on which windows

    [every]              settings of all members; a model of features gets those that it has
    [members.NAME]       settings of one run, over these; any number of them
    [answer]             how they make one answer; left out: they are compared, each by itself
    blend = "logits"     a way of `hmstrain blend`
    calibrate = true     as `hmstrain calibrate`
    votes = "10+"        windows that both are fitted on; left out: as these commands choose
    views = ["swap"]     at test time, average with changed input

Folds, seeds and stages are settings: fold, seeds, second_epochs and others.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from json import dumps
from pathlib import Path
from typing import Any

from hmsstore.sums import VERSION, newer
from hmstrain.config import MACHINE_ONLY, OF_TABLES, Config, completed, given_settings
from hmstrain.errors import ConfigError
from hmstrain.models import find_model

FOLDER = Path(__file__).with_name("recipes")
"""Recipes of the package, NAME.toml each."""
RECIPE_VERSION = 1
"""Raised when an older package would misread a new file; files that state none are of the first."""
TEXTS = ("title", "source", "about", "needs", "reach")
EVERY, MEMBERS, ANSWER = "every", "members", "answer"
ANSWER_KEYS = ("blend", "calibrate", "votes", "views")
VIEWS = ("swap", "reverse")
"""Changes of the input at test time: left and right exchanged; time reversed."""
MEMBER_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*")
RESERVED = ("model", "answer", "blend", "constant", "one-view", "views")
"""What no member is called: a word of --set, and what lies beside their folders."""
PER_STAGE = ("epochs", "second_epochs")
"""Passes of each stage, which --epochs limits."""


@dataclass(frozen=True, slots=True)
class AnswerOf:
    """How a recipe's members make one answer."""

    blend: str | None = None
    """A way of blending; None of a single member."""
    calibrate: bool = False
    votes: str | None = None
    """Population that both are fitted on; None: as `hmstrain blend` and `calibrate` choose."""
    views: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train, and how it makes one answer."""

    name: str
    title: str
    source: str
    about: str
    needs: str
    reach: str
    members: Mapping[str, Mapping[str, Any]]
    """Settings of each run by its name, those of every member included."""
    answer: AnswerOf | None

    def configs(self, changes: Changes | None = None) -> dict[str, Config]:
        """Configuration of each member, with what the user changes.

        Raises
        ------
        ConfigError
            Settings do not go together.
        """
        changes = changes or Changes()
        changes.check_members(self.members)
        found = {}
        for member, settings in self.members.items():
            try:
                found[member] = completed(changes.over(member, settings))
            except ConfigError as error:
                raise ConfigError(f"{self.name}, {member}: {error}") from None
        folds = {config.fold for config in found.values()}
        if self.answer is not None and (len(folds) > 1 or "rotate" in folds):
            raise ConfigError(
                f"{self.name}: expected members that hold out the same fold, or all, which its "
                f"[answer] is fitted on; got fold {' and '.join(sorted(folds))}."
            )
        if self.answer is not None:
            self._check_answer(self.answer, found)
        return found

    def _check_answer(self, answer: AnswerOf, configs: Mapping[str, Config]) -> None:
        """Refuse an answer that could not be made once all members are trained."""
        of_features = [name for name, one in configs.items() if find_model(one.model).table]
        if answer.views and of_features:
            raise ConfigError(
                f"{self.name}, [answer]: views are of signals, and {of_features[0]} is a model of "
                "features: leave out views."
            )
        alike = ("seed", *MACHINE_ONLY)
        different = {
            dumps({key: value for key, value in one.to_json().items() if key not in alike})
            for one in configs.values()
        }
        if answer.blend and len(different) < 2:
            raise ConfigError(
                f"{self.name}, [answer]: seeds of one model count as one, and its members differ "
                "in nothing else: give one member more seeds, and no blend."
            )

    def to_json(self) -> dict[str, str]:
        """As a row of `hmstrain recipe --list --json`."""
        return {"name": self.name, **{key: getattr(self, key) for key in TEXTS}}


@dataclass(frozen=True, slots=True)
class Changes:
    """Settings that the user gives over those of a recipe: of all members, or of one."""

    of_all: Mapping[str, Any] | None = None
    of_one: Mapping[str, Mapping[str, Any]] | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any], words: Iterable[str] = ()) -> Changes:
        """Read options, and words [MEMBER.]KEY=VALUE.

        Raises
        ------
        ConfigError
            A key does not exist, or a value is not of its type.
        """
        plain: list[str] = []
        named: dict[str, list[str]] = {}
        for word in words:
            key, equals, value = word.partition("=")
            member, dot, rest = key.strip().rpartition(".")
            if dot and equals and member != "model":
                if member.endswith(".model"):  # MEMBER.model.NAME: an argument of its model
                    member, rest = member.removesuffix(".model"), f"model.{rest}"
                named.setdefault(member, []).append(f"{rest}={value}")
            else:
                plain.append(word)
        return cls(
            given_settings(None, given, plain),
            {member: given_settings(None, None, some) for member, some in named.items()},
        )

    def check_members(self, members: Iterable[str]) -> None:
        """Refuse settings of a member that there is not."""
        for name in self.of_one or {}:
            if name not in members:
                raise ConfigError(
                    f"--set {name}.KEY: there is no member {name!r}; expected one of "
                    f"{', '.join(members)}."
                )

    def over(self, member: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Lay these over a member's own settings."""
        found = dict(settings)
        own = (self.of_one or {}).get(member, {})
        every = self.of_all or {}
        model = {**settings, **every, **own}.get("model")
        for changed in (of_model(every, model), own):
            limit = changed.get("epochs") if "second_epochs" not in changed else None
            found = laid_over(found, changed)
            if limit is not None and found.get("second_epochs", 0) > limit:
                found["second_epochs"] = limit
        return found


def laid_over(every: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one member over those of all; arguments of the model by name.

    A model of features does not get those of networks.
    """
    usual = of_model(every, own.get("model", every.get("model")))
    arguments = {**usual.get("model_args", {}), **own.get("model_args", {})}
    return {**usual, **own, **({"model_args": arguments} if arguments else {})}


def of_model(settings: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Leave out what a model has no use for, if it is fitted to a table of features."""
    if model is None or not find_model(model).table:
        return dict(settings)
    return {k: v for k, v in settings.items() if k in (*OF_TABLES, *MACHINE_ONLY)}


def recipe_names() -> list[str]:
    """Names of the package's recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find_recipe(name: str | Path) -> Recipe:
    """Read a recipe of the package by its name, or one's own from a TOML file.

    Raises
    ------
    ConfigError
        There is no such recipe, or its file is not as the module says.
    """
    text = str(name)
    if text in recipe_names():
        return read_recipe(FOLDER / f"{text}.toml")
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError(
            f"There is no recipe {text!r}: expected one of {', '.join(recipe_names())}, or a file "
            "whose name ends in .toml."
        )
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from its file; see `find_recipe`."""
    values = read_toml(path)
    if problem := newer(path, values, RECIPE_VERSION):
        raise ConfigError(problem)
    known = (*TEXTS, EVERY, MEMBERS, ANSWER, VERSION)
    refuse_unknown(path, "", values, known)
    for key in TEXTS:
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise ConfigError(f'{path}: expected a text {key} = "...", got {values.get(key)!r}.')
    every = settings_of(path, EVERY, values.get(EVERY, {}))
    tables = values.get(MEMBERS)
    if not isinstance(tables, dict) or not tables:
        raise ConfigError(f"{path}: expected at least one table [members.NAME] of settings.")
    members = {}
    for name, table in tables.items():
        if not MEMBER_NAME.fullmatch(name) or name in RESERVED:
            raise ConfigError(
                f"{path}: a member cannot be called {name!r}: expected small letters, digits and "
                f"-_.+, and none of {', '.join(RESERVED)}."
            )
        own = settings_of(path, f"{MEMBERS}.{name}", table)
        members[name] = laid_over(every, own)
    answer = None
    if ANSWER in values:
        answer = _answer(path, values[ANSWER], len(members))
    texts = {key: " ".join(values[key].split()) for key in TEXTS}
    recipe = Recipe(path.stem, **texts, members=members, answer=answer)
    recipe.configs()  # refuses settings that do not go together
    return recipe


def described(found: Recipe, configs: Mapping[str, Config]) -> dict[str, Any]:
    """What a dry run shows: the recipe, and the settings of each member that differ."""
    usual = Config().to_json()
    return {
        **found.to_json(),
        "answer": None if found.answer is None else asdict(found.answer),
        "members": {
            name: {
                key: value
                for key, value in config.to_json().items()
                if value != usual[key] or key in ("model", "inputs", "fold", "seeds")
            }
            for name, config in configs.items()
        },
    }


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None


def refuse_unknown(path: Path, where: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keys that mean nothing."""
    of = f" of [{where}]" if where else ""
    for key in values:
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r}{of}; expected {', '.join(known)}.")


def settings_of(path: Path, where: str, table: Any) -> dict[str, Any]:
    """Read a table of settings.

    Raises
    ------
    ConfigError
        It is not a table, a setting does not exist, or a value is not of its type.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: expected [{where}] to be a table of settings.")
    try:
        return given_settings(None, table)
    except ConfigError as error:
        raise ConfigError(f"{path}, [{where}]: {error}") from None


def _answer(path: Path, table: Any, members: int) -> AnswerOf:
    from hmstrain.scoring.blending import HOWS
    from hmstrain.scoring.calibration import POPULATIONS

    if not isinstance(table, dict):
        raise ConfigError(f"{path}: expected [answer] to be a table.")
    refuse_unknown(path, ANSWER, table, ANSWER_KEYS)
    blend, votes = table.get("blend"), table.get("votes")
    calibrate, views = table.get("calibrate", False), table.get("views", [])
    for key, value, words in (("blend", blend, HOWS), ("votes", votes, POPULATIONS)):
        if value is not None and value not in words:
            raise ConfigError(
                f"{path}, [answer]: expected {key} to be one of {', '.join(words)}; got {value!r}."
            )
    if not isinstance(calibrate, bool):
        raise ConfigError(f"{path}, [answer]: expected calibrate to be true or false.")
    known = isinstance(views, list) and all(one in VIEWS for one in views)
    if not known or len({*views}) < len(views):
        raise ConfigError(
            f"{path}, [answer]: expected views to be a list of {', '.join(VIEWS)}; got {views!r}."
        )
    if (blend is None) != (members == 1):
        expected = "no blend with one member" if blend else "blend, with several members"
        raise ConfigError(f"{path}, [answer]: expected {expected}.")
    if votes is not None and not (calibrate or blend):
        raise ConfigError(f"{path}, [answer]: votes says nothing without blend or calibrate.")
    if not (blend or calibrate or views):
        raise ConfigError(f"{path}, [answer]: expected blend, calibrate or views, or no [answer].")
    return AnswerOf(blend, calibrate, votes, tuple(views))
