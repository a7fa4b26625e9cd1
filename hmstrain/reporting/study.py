"""The report's nine systems, and others, on one store -> one table beside published numbers.

Each row is an ordinary run in a folder of its own, as `hmstrain run` would make it; a study that
was stopped resumes with the row it was at.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hmsstore import HMS, Store
from hmsstore.atomic import whole_file
from hmsstore.view.page import Page
from hmsstore.view.saving import save
from hmstrain.config import Config, completed, given_settings
from hmstrain.data.inputs import INPUTS
from hmstrain.distributed import World, join_world
from hmstrain.errors import ConfigError
from hmstrain.events import Events, silent
from hmstrain.models import find_model
from hmstrain.models.encoders import EEG
from hmstrain.models.network import make_network
from hmstrain.runs.folder import CONFIG, RunFolder, write_json
from hmstrain.runs.outcome import Outcome, interval_text, score_text
from hmstrain.runs.plots import Bar, study_bars
from hmstrain.scoring.metrics import better_when_higher, shown_in
from hmstrain.training.run import run
from hmstrain.words import plural


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table; what the report published of it, if it did."""

    model: str
    inputs: str
    contrastive: bool
    kl: float | None = None
    accuracy: float | None = None
    f1: float | None = None

    @property
    def published(self) -> dict[str, float]:
        """What the report published of it, by key of the score that it compares with."""
        found = {"kl_votes": self.kl, "accuracy": self.accuracy, "f1_macro": self.f1}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def title_of_inputs(self) -> str:
        """Inputs, and whether their embeddings are pulled together."""
        return f"{self.inputs} contrastive" if self.contrastive else self.inputs

    @property
    def name(self) -> str:
        """Short name, also of its folder."""
        model = self.model.replace(":", ".")
        return f"{model}-{self.inputs}{CONTRASTIVE * self.contrastive}"

    def of(self, config: Config) -> Config:
        """A study's common configuration, made this system's."""
        return replace(
            config,
            model=self.model,
            inputs=self.inputs,
            contrastive=self.contrastive,
            pretrained=config.pretrained and find_model(self.model).pretrained,
        )


CONTRASTIVE = "-contrastive"


SYSTEMS = (
    System("naive_cnn", "spec", False, 0.966, 0.490, 0.555),
    System("efficientnet_b0", "spec", False, 0.895, 0.596, 0.625),
    System("efficientnet_v2_s", "spec", False, 0.871, 0.597, 0.633),
    System("convnext_tiny", "spec", False, 0.910, 0.617, 0.644),
    System("naive_cnn", "spec+eeg", False, 0.805, 0.601, 0.621),
    System("efficientnet_b0", "spec+eeg", False, 0.754, 0.612, 0.625),
    System("efficientnet_v2_s", "spec+eeg", False, 0.712, 0.621, 0.633),
    System("convnext_tiny", "spec+eeg", False, 0.730, 0.640, 0.685),
    System("naive_cnn", "spec+eeg", True),
)
"""The student report's results, on a random split of windows (patients leak); its contrastive model
was never finished. Its accuracy and F1 follow formulas of its own."""

RECIPE = {"test_each_epoch": True}
"""How the report trained, where nothing else is given."""
MAIN = "kl_votes"
"""Score by which systems are compared: with its interval, and less the constant prediction's."""
PUBLISHED = {"kl_votes": "report KL", "accuracy": "report accuracy", "f1_macro": "report F1"}
"""Column of each score that the report published."""
PUBLISHED_NOTE = (
    " The report's numbers are from a random split of windows of real data, in which patients "
    "leak, with its own formulas for accuracy and F1; its contrastive model was never finished."
)


@dataclass(frozen=True, slots=True)
class Row:
    """A system of a study, and what its run came to."""

    system: System
    outcome: Outcome

    @property
    def main(self) -> tuple[float | None, tuple[float, float] | None]:
        """The main score and its interval, where there is a test split."""
        test = self.outcome.test
        return (None, None) if test is None else (test.get(MAIN), test.intervals.get(MAIN))

    @property
    def published(self) -> dict[str, float]:
        """What the report published of the system; nothing where the data have other classes."""
        return self.system.published if self.outcome.store.classes == HMS.classes else {}

    def to_json(self) -> dict[str, Any]:
        """As a row of `study.json`."""
        published = self.published
        test, constant = self.outcome.test, self.outcome.constant
        alignment = self.outcome.alignment
        return {
            "name": self.system.name,
            "model": self.system.model,
            "inputs": self.system.title_of_inputs,
            **{score.key: test and test.get(score.key) for score in shown_in("final")},
            "interval": self.main[1],
            "less_constant": constant and dict(constant.difference),
            "less_constant_intervals": constant and dict(constant.difference_intervals),
            "alignment": alignment and asdict(alignment),
            "published": {
                "kl": published.get("kl_votes"),
                "accuracy": published.get("accuracy"),
                "f1": published.get("f1_macro"),
            },
        }

    def cells(self) -> list[str]:
        """As a row of the table, in the order of `columns`."""
        test, constant = self.outcome.test, self.outcome.constant
        texts = [self.system.model, self.system.title_of_inputs]
        for score in shown_in("study"):
            texts.append(score_text(None if test is None else test.get(score.key)))
            if score.key == MAIN:
                texts.append(interval_text(self.main[1]))
                less = None if constant is None else constant.difference.get(MAIN)
                span = None if constant is None else constant.difference_intervals.get(MAIN)
                texts.append(f"{score_text(less)} {interval_text(span)}".strip())
        return [*texts, *(score_text(self.published.get(key)) for key in PUBLISHED)]


def columns() -> list[str]:
    """Titles of the table's columns; scores have their names in `metrics.json`."""
    titles = ["model", "inputs"]
    for score in shown_in("study"):
        titles += [score.key, "95% interval", "less constant"] if score.key == MAIN else [score.key]
    return [*titles, *PUBLISHED.values()]


@dataclass(frozen=True, slots=True)
class Study:
    """Systems trained on one store: what `study.json`, `.csv`, `.md`, `.html` and `.png` hold."""

    title: str
    """Where weights came from, how much was seen, whose patients leak."""
    config: Config
    """What all systems have in common."""
    store: str
    """Identity of the store."""
    rows: tuple[Row, ...] = ()

    @property
    def constant_kl(self) -> float | None:
        """The constant prediction's KL, over one window of each EEG and votes."""
        found = [row.outcome.constant for row in self.rows if row.outcome.constant is not None]
        return found[-1].get(MAIN) if found else None

    def to_json(self) -> dict[str, Any]:
        """As `study.json`."""
        return {
            "title": self.title,
            "constant_kl_votes": self.constant_kl,
            "config": self.config.to_json(),
            "store": self.store,
            "rows": [row.to_json() for row in self.rows],
        }

    def to_markdown(self) -> str:
        """The table as Markdown, with what one has to know to read it."""
        titles = columns()
        lines = [
            f"# Study: {self.title}",
            "",
            "| " + " | ".join(titles) + " |",
            "|" + "---|" * len(titles),
            *("| " + " | ".join(row.cells()) + " |" for row in self.rows),
            "",
            self.explanation(),
        ]
        return "\n".join(lines) + "\n"

    def explanation(self) -> str:
        """What one has to know to read the table."""
        shown = shown_in("study")
        names = "; ".join(f"{one.key}: {one.label}" for one in shown if one.key != one.label)
        return (
            f"{names}. {better_when_higher(shown)} The constant prediction, the mean of the "
            f"training targets, has {MAIN} {score_text(self.constant_kl)}. 'less constant' is "
            f"{MAIN} minus the constant prediction's (below 0: better), paired window by window, "
            "with its 95% interval over patients."
            + PUBLISHED_NOTE
            * any(row.published for row in self.rows)
        )

    def write(self, out: Path) -> None:
        """Write the table into a folder in each of its forms."""
        write_json(out / "study.json", self.to_json())
        with whole_file(out / "study.md") as partial:
            partial.write_text(self.to_markdown())
        with whole_file(out / "study.csv") as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([columns(), *(row.cells() for row in self.rows)])
        figure = study_bars(
            [Bar(row.system.name, *row.main, row.published.get(MAIN)) for row in self.rows],
            self.constant_kl,
            self.title,
        )
        save(figure, out / "study.png", dpi=110)
        page = Page("Systems compared")
        page.text(self.title)
        page.figure(figure, "KL of each system with its 95% interval, and the published numbers.")
        page.table("", columns(), [row.cells() for row in self.rows])
        page.note(self.explanation())
        page.write(out / "study.html")


def choose(names: Sequence[str] | None) -> list[System]:
    """Systems of these names, MODEL-INPUTS or MODEL-INPUTS-contrastive; the report's if none.

    Raises
    ------
    ConfigError
        A name has another form.
    """
    known = {system.name: system for system in SYSTEMS}
    chosen = [known.get(name) or _parse(name) for name in names or ()]
    return list(dict.fromkeys(chosen)) or list(SYSTEMS)


def _parse(name: str) -> System:
    model, _, inputs = name.removesuffix(CONTRASTIVE).partition("-")
    if not model or not all(word in (EEG, *INPUTS) for word in inputs.split("+")):
        raise ConfigError(
            f"There is no system {name!r}: the report has "
            f"{', '.join(system.name for system in SYSTEMS)}; others are MODEL-INPUTS, such as "
            "MODEL-spec, MODEL-eeg or MODEL-spec+eeg."
        )
    return System(model, inputs, name.endswith(CONTRASTIVE))


def study(
    store: Store | Path | str,
    *,
    out: Path | str = "study",
    systems: Sequence[str] | None = None,
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
    systems : sequence of str, optional
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
            "A study has several models and no one file of weights: use --pretrained."
        )
    each_systems_own = ("model", "inputs", "contrastive")
    if any(getattr(config, name) != getattr(Config(), name) for name in each_systems_own):
        raise ConfigError(
            "Each system of a study has its own model, inputs and contrastive: name others with "
            "--system, such as convnext_atto-spec+eeg."
        )
    if (out / CONFIG).exists():
        raise ConfigError(f"{out} is the folder of a run. Name another --out for the study.")
    for system in systems:  # refuses now what would otherwise stop a later row
        make_network(system.of(config), classes=len(store.spec.classes))
    table = Study(heading(config, store), config, store.identity)
    for system in systems:
        folder = RunFolder(out / system.name)
        if world.main:
            events("system", {"name": system.name})
        outcome = run(system.of(config), store, folder, world, events, resume=True)
        table = replace(table, rows=(*table.rows, Row(system, outcome)))
        if world.main:
            table.write(out)
    return table


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
    if config.fold == "rotate":
        parts.append("PATIENTS LEAK between training and validation")
    leaks = "PATIENTS LEAK between training and test"
    parts.append(leaks if store.leaks else "test split by patient")
    return ", ".join(parts)
