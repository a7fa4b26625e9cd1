"""Systems and what their runs came to -> one table beside published numbers, in five files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hmsstore import HMS
from hmsstore.atomic import whole_file
from hmsstore.plain.text import write_rows
from hmsstore.view.page import Page
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.reporting.systems import System
from hmstrain.runs.json_file import write_json
from hmstrain.runs.outcome import Outcome, interval_text, score_text
from hmstrain.runs.plots import Bar, study_bars
from hmstrain.scoring.comparison.results import Difference
from hmstrain.scoring.metrics import better_when_higher, shown_in

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
    less_first: Difference | None = None
    """The main score less that of the study's first system, on the same windows."""

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
            "less_first": self.less_first and self.less_first.to_json(),
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
                first = self.less_first
                texts.append(
                    ""
                    if first is None
                    else f"{score_text(first.difference)} {interval_text(first.interval)}".strip()
                )
        return [*texts, *(score_text(self.published.get(key)) for key in PUBLISHED)]


def columns() -> list[str]:
    """Titles of the table's columns; scores have their names in `metrics.json`."""
    titles = ["model", "inputs"]
    for score in shown_in("study"):
        titles.append(score.key)
        if score.key == MAIN:
            titles += ["95% interval", "less constant", "less first"]
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
    warnings: tuple[str, ...] = ()
    """What speaks against the scores: of the store, and of comparing the systems."""

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
            "warnings": list(self.warnings),
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
            *(f"\nWarning: {text}" for text in self.warnings),
            "",
            RESEARCH_ONLY,
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
            "with its 95% interval over patients; 'less first' is that minus the first system's. "
            "The folder compared holds every score's differences."
            + PUBLISHED_NOTE
            * any(row.published for row in self.rows)
        )

    def write(self, out: Path) -> None:
        """Write the table into a folder in each of its forms, the one for programs last."""
        with whole_file(out / "study.md") as partial:
            partial.write_text(self.to_markdown())
        with whole_file(out / "study.csv") as partial, partial.open("w", newline="") as file:
            write_rows(file, columns(), (row.cells() for row in self.rows))
        figure = study_bars(
            [Bar(row.system.name, *row.main, row.published.get(MAIN)) for row in self.rows],
            self.constant_kl,
            self.title,
        )
        save(figure, out / "study.png", dpi=110)
        page = Page("Systems compared")
        page.note(RESEARCH_ONLY)
        page.text(self.title)
        for text in self.warnings:
            page.warning(text)
        page.figure(figure, "KL of each system with its 95% interval, and the published numbers.")
        page.table("", columns(), [row.cells() for row in self.rows])
        page.note(self.explanation())
        page.write(out / "study.html")
        write_json(out / "study.json", self.to_json())
