"""The report's nine systems, and others, on one store -> one table beside published numbers.

Each row is an ordinary run in a folder of its own, as `hmstrain run` would make it; a study that is
stopped goes on with the row it was at.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.atomic import whole_file
from hmsstore.view.page import Page
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.data.inputs import INPUTS
from hmstrain.distributed import World
from hmstrain.errors import ConfigError
from hmstrain.models import find_model
from hmstrain.models.encoders import EEG
from hmstrain.models.network import make_network
from hmstrain.runs.folder import CONFIG, RunFolder, write_json
from hmstrain.runs.plots import study_bars
from hmstrain.training.run import run
from hmstrain.training.step_log import Tell


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

COLUMNS = (
    "model",
    "inputs",
    "kl_votes",
    "95% interval",
    "less constant",
    "kl_hi",
    "accuracy",
    "F1",
    "report KL",
    "report accuracy",
    "report F1",
)


def choose(names: list[str] | None) -> list[System]:
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
    config: Config,
    store: Store,
    out: Path,
    world: World,
    systems: list[System],
    tell: Callable[[System], Tell],
) -> dict[str, Any]:
    """Run each system, or go on with those that are unfinished, and put the table together.

    Parameters
    ----------
    config : Config
        What all have in common; model, inputs and contrastive are each system's own.
    tell : callable
        Gives, for each system, what its run shall tell.
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
    for system in systems:
        make_network(system.of(config))  # refuses now what would otherwise stop a later row
    table: dict[str, Any] = {
        "title": heading(config, store),
        "constant_kl_votes": None,
        "config": config.to_json(),
        "store": store.identity,
        "rows": [],
    }
    for system in systems:
        folder = RunFolder(out / system.name)
        found = run(system.of(config), store, folder, world, tell(system), resume=True)
        table["rows"].append(_row(system, found))
        if found.get("constant"):
            table["constant_kl_votes"] = found["constant"]["kl_votes"]
        if world.main:
            _write(table, out)
    return table


def _write(table: dict[str, Any], out: Path) -> None:
    rows = table["rows"]
    write_json(out / "study.json", table)
    with whole_file(out / "study.md") as partial:
        partial.write_text(markdown(table))
    with whole_file(out / "study.csv") as partial, partial.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *(cells(row) for row in rows)])
    figure = study_bars(rows, table["constant_kl_votes"], table["title"])
    save(figure, out / "study.png", dpi=110)
    page = Page("Study of the systems side by side")
    page.text(table["title"])
    page.figure(figure, "KL of each system with its 95% interval, beside the published numbers.")
    page.table("", COLUMNS, [cells(row) for row in rows])
    page.note(explanation(table))
    page.write(out / "study.html")


def heading(config: Config, store: Store) -> str:
    """What a study's table stands under: where weights came from, how much was seen, who leaks."""
    start = "from scratch"
    if config.pretrained:
        start = "timm's weights (naive_cnn from scratch)"
    size = f"{config.image_size} px" if config.image_size else "400 x 300 px"
    parts = [start, f"{config.epochs} epochs", size]
    if config.steps:
        parts[1] = f"{config.steps} steps"
    if config.fraction < 1:
        parts.append(f"{config.fraction:.0%} of the training patients")
    if config.fold == "all":
        parts.append("mean of the folds' predictions")
    if config.fold == "rotate":
        parts.append("PATIENTS LEAK between training and validation")
    leaks = "PATIENTS LEAK between training and test"
    parts.append(leaks if store.leaks else "test split by patient")
    return ", ".join(parts)


def _row(system: System, found: dict[str, Any]) -> dict[str, Any]:
    test = found["test"] or {}
    constant = found.get("constant") or {}
    return {
        "name": system.name,
        "model": system.model,
        "inputs": system.inputs + " contrastive" * system.contrastive,
        "kl_votes": test.get("kl_votes"),
        "interval": test.get("intervals", {}).get("kl_votes"),
        "kl": test.get("kl"),
        "kl_hi": test.get("kl_hi"),
        "accuracy": test.get("accuracy"),
        "f1_macro": test.get("f1_macro"),
        "less_constant": constant.get("difference"),
        "less_constant_intervals": constant.get("difference_intervals"),
        "alignment": found.get("alignment"),
        "published": {"kl": system.kl, "accuracy": system.accuracy, "f1": system.f1},
    }


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the table as text."""
    published = row["published"]
    less = (row["less_constant"] or {}).get("kl_votes")
    less_interval = (row["less_constant_intervals"] or {}).get("kl_votes")
    return [
        row["model"],
        row["inputs"],
        number(row["kl_votes"]),
        span(row["interval"]),
        f"{number(less)} {span(less_interval)}".strip(),
        number(row["kl_hi"]),
        number(row["accuracy"]),
        number(row["f1_macro"]),
        number(published["kl"]),
        number(published["accuracy"]),
        number(published["f1"]),
    ]


def markdown(table: dict[str, Any]) -> str:
    """The table as Markdown, with what one has to know to read it."""
    lines = [
        f"# Study: {table['title']}",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *("| " + " | ".join(cells(row)) + " |" for row in table["rows"]),
        "",
        explanation(table),
    ]
    return "\n".join(lines) + "\n"


def explanation(table: dict[str, Any]) -> str:
    """What one has to know to read the table."""
    return (
        f"A constant prediction has kl_votes {number(table['constant_kl_votes'])}. "
        "'less constant' is kl_votes less that of the constant prediction (below 0: better), "
        "paired window by window, with its 95% interval over patients. The report's numbers are "
        "from a random split of windows, in which patients leak, on real data, with accuracy and "
        "F1 by formulas of its own; its contrastive model was never finished."
    )


def number(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "-" if value is None else f"{value:.3f}"


def span(interval: list[float] | None) -> str:
    """An interval in brackets, or nothing."""
    return "" if not interval else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
