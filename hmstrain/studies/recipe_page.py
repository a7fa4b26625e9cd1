"""A recipe's members, their answer and its comparison -> one page, and JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.view.page import Page
from hmstrain.config import MACHINE_ONLY, Config
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.reporting.comparison.files import (
    BLEND_NOTE,
    CALIBRATION_NOTE,
    blend_table,
    calibration_table,
)
from hmstrain.reporting.comparison.forest import forest
from hmstrain.reporting.comparison.page import add_scores
from hmstrain.reporting.comparison.table import precise_text
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.json_file import write_json
from hmstrain.runs.outcome import Outcome, StoreId, interval_text, score_text
from hmstrain.scoring.comparison.results import Comparison
from hmstrain.studies.answer import Answered
from hmstrain.studies.recipe_file import Recipe
from hmstrain.words import plural

MAIN = "kl_votes"
"""Score whose interval and difference to the constant prediction stand in the short table."""
SHOWN = ("kl", "kl_hi", "balanced_accuracy")
"""Other scores that stand there."""
RESULT, PAGE = "result.json", "recipe.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooked:
    """What a recipe came to on a store."""

    recipe: Recipe
    out: Path
    store: StoreId
    configs: Mapping[str, Config]
    """Of each member, with what the user changed."""
    outcomes: Mapping[str, Outcome]
    """Of each member's run."""
    answered: Answered
    split: str | None
    """Windows that are compared: 'test'; 'valid', out of fold, of a store without a test split;
    None where there are neither."""
    comparison: Comparison | None
    """Of the constant prediction, each member and the answer, less the constant prediction."""

    @property
    def notes(self) -> list[str]:
        """What was kept and why, a sentence each."""
        kept = [f"{name}: {text}" for name, text in self.kept.items()]
        return [*kept, *self.answered.notes]

    @property
    def kept(self) -> dict[str, str]:
        """Which checkpoint each network kept and why, by its folder."""
        networks = [one for name in self.outcomes for one in RunFolder(self.out / name).networks()]
        return {one.path.relative_to(self.out).as_posix(): one.outcome().kept for one in networks}

    @property
    def predicts(self) -> str:
        """The command that predicts with it; empty where members make no one answer."""
        if self.answered.folder is None:
            return ""
        words = ["hmstrain", "predict", str(self.answered.folder), "INPUT"]
        words += ["--calibrated"] * (self.answered.applied is not None)
        asked = self.recipe.answer
        words += [f"--{view}" for view in (asked.views if asked else ())]
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        """As `result.json`."""
        answered = self.answered
        return {
            **self.recipe.to_json(),
            "store": self.store.to_json(),
            "members": {
                name: {
                    "path": str(self.out / name),
                    "config": config.to_json(),
                    "test": (test := self.outcomes[name].test) and test.to_json(),
                }
                for name, config in self.configs.items()
            },
            "answer": None if self.recipe.answer is None else asdict(self.recipe.answer),
            "blend": answered.blended and answered.blended.to_json(),
            "calibration": answered.calibrated and answered.calibrated.to_json(),
            "calibrated": answered.applied is not None,
            "kept": self.kept,
            "notes": list(self.answered.notes),
            "predicts": self.predicts,
            "split": self.split,
            "comparison": self.comparison and self.comparison.to_json(),
        }

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / PAGE

    def header(self) -> list[str]:
        """Titles of the short table; those of numbers begin with '>'."""
        less = [f">{MAIN}", "95% interval", ">less constant", "95% interval"]
        return ["", *less, *(f">{key}" for key in SHOWN)]

    def rows(self) -> list[list[str]]:
        """The short table: each member and the answer, beside the constant prediction."""
        found = self.comparison
        if found is None:
            return []
        rows = []
        for name, model in found.models.items():
            less = found.differences.get(name, {}).get(MAIN)
            rows.append(
                [
                    name,
                    score_text(model.scores.get(MAIN)),
                    interval_text(model.scores.intervals.get(MAIN)),
                    "" if less is None else f"{less.difference:+.3f}",
                    "" if less is None else precise_text(less.interval),
                    *(score_text(model.scores.get(key)) for key in SHOWN),
                ]
            )
        return rows

    def explanation(self) -> str:
        """What one has to know to read the short table."""
        if self.comparison is None:
            return "The store has no windows to score on that were not trained on."
        what = {"test": "test windows", "valid": "windows out of fold"}[self.split or "test"]
        return (
            f"{plural(self.comparison.rows, 'window')} of {self.comparison.groups:,} "
            f"{self.comparison.unit}: {what}. Intervals are over {self.comparison.unit}; below 0: "
            "better than the constant prediction, the mean of the training targets."
        )

    def write(self, store: Store) -> None:
        """Write the page and, last, the JSON."""
        make_page(self, store).write(self.page)
        write_json(self.out / RESULT, self.to_json())


def make_page(cooked: Cooked, store: Store) -> Page:
    """Make the page: what the recipe is, what it came to here, what was kept and why."""
    recipe, answered = cooked.recipe, cooked.answered
    page = Page(f"{recipe.name}: {recipe.title}")
    page.note(RESEARCH_ONLY)
    if store.leaks:
        page.warning("Patients leak between training and test: these scores are too good.")
    found = cooked.comparison
    for text in dict.fromkeys((*store.info["warnings"], *(found.warnings if found else ()))):
        page.warning(text)
    page.text(recipe.about)
    page.table("", ("", ""), [(key, getattr(recipe, key)) for key in ("source", "needs", "reach")])
    page.section("Results")
    if found is not None:
        header = [title.lstrip(">") for title in cooked.header()]
        page.table("", header, cooked.rows())
    page.note(cooked.explanation())
    if cooked.predicts:
        page.text(f"To predict with it: {cooked.predicts}")
    page.section("What was kept, and why")
    for text in cooked.notes:
        page.text(text)
    if answered.blended is not None:
        header, rows = blend_table(answered.blended)
        page.table("Blend", [title.lstrip(">") for title in header], rows)
        page.note(BLEND_NOTE.format(answered.blended.best))
    if answered.calibrated is not None:
        header, rows = calibration_table(answered.calibrated)
        page.table("Calibration", [title.lstrip(">") for title in header], rows)
        page.note(CALIBRATION_NOTE)
    if found is not None:
        add_scores(page, found, forest(found))
    _settings(page, cooked)
    return page


def _settings(page: Page, cooked: Cooked) -> None:
    """Settings of the members that differ from the default, and the store."""
    page.section("Settings")
    usual = Config().to_json()
    named = ("model", "inputs", "fold", "seeds", *MACHINE_ONLY)
    rows = []
    for name, config in cooked.configs.items():
        values = config.to_json()
        differ = [f"{k}={v}" for k, v in values.items() if k not in named and v != usual[k]]
        networks = f"fold {config.fold}, {plural(config.seeds, 'seed')}"
        rows.append((name, config.model, config.inputs, networks, ", ".join(differ)))
    header = ("member", "model", "inputs", "networks", "settings that differ from the default")
    page.table("", header, rows)
    page.table(
        "", ("", ""), [("store", cooked.store.path), ("its identity", cooked.store.identity)]
    )
