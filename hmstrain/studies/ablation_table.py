"""Rows of an ablation and their comparison -> a table and a figure, in five files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hmsstore import Store
from hmsstore.atomic import whole_file
from hmsstore.plain.text import write_rows
from hmsstore.view.colours import BLUE, GREY, ORANGE
from hmsstore.view.page import Page
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.reporting.comparison.table import precise_text
from hmstrain.runs.json_file import write_json
from hmstrain.runs.outcome import interval_text, score_text
from hmstrain.scoring.comparison.results import Comparison, Difference, Model
from hmstrain.studies.factors import BASE, Factor
from hmstrain.words import plural

SCORES = ("kl_votes", "kl_hi")
"""Scores of which each row is compared with the base; the table is ordered as the list is."""
HEADER = (
    "factor", "settings", "seeds", *(
        title.format(key)
        for key in SCORES
        for title in ("{}", "{} 95% interval", "{} less base", "{} paired 95%", "{} all at once")
    ),
    "asks",
)  # fmt: skip
STEM = "ablation"


def _paired_text(less: Difference) -> str:
    """Interval of a difference and, where patients are few, the p value that stands beside it."""
    text = precise_text(less.interval)
    return text if less.sign_flip_p is None else f"{text} (p {less.sign_flip_p:.4f})".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """What each factor is worth, less the base on the same windows."""

    title: str
    base: Config
    store: str
    """Identity of the store."""
    factors: tuple[Factor, ...]
    """Those whose runs are finished."""
    configs: Mapping[str, Config]
    comparison: Comparison
    models: Mapping[str, str]
    """Name of each row's model in the comparison."""
    notes: tuple[str, ...]

    def model(self, row: str) -> Model:
        """Scores of a row, the mean over its seeds."""
        return self.comparison.models[self.models[row]]

    def less_base(self, row: str, key: str) -> Difference | None:
        """A score of a row less the base's."""
        return self.comparison.differences.get(self.models[row], {}).get(key)

    def cells(self) -> list[list[str]]:
        """Rows of the table, in the order of `HEADER`: the base first."""
        found = []
        for one in (Factor(BASE, "", {}), *self.factors):
            model = self.model(one.name)
            texts = [one.name, one.changed, f"{model.seeds}"]
            for key in SCORES:
                less = self.less_base(one.name, key)
                texts += [
                    score_text(model.scores.get(key)),
                    interval_text(model.scores.intervals.get(key)),
                    "" if less is None else f"{less.difference:+.4f}",
                    "" if less is None else _paired_text(less),
                    "" if less is None else precise_text(less.simultaneous),
                ]
            found.append([*texts, one.asks])
        return found

    def explanation(self) -> str:
        """What one has to know to read the table."""
        found = self.comparison
        drawn = f"{found.unit} and seeds" if found.seeds_resampled else found.unit
        return (
            f"{plural(found.rows, 'test window')} of {found.groups:,} {found.unit}. Scores are "
            "means over seeds. 'less base': below 0 the factor is better, on the same windows; "
            f"intervals resample {drawn}. 'all at once': intervals that hold for all rows together."
        )

    def to_json(self) -> dict[str, Any]:
        """As `ablation.json`."""
        return {
            "title": self.title,
            "base": self.base.to_json(),
            "store": self.store,
            "rows": [
                {
                    "name": one.name,
                    "asks": one.asks,
                    "settings": {
                        k: list(v) if isinstance(v, tuple) else v for k, v in one.settings.items()
                    },
                    "seeds": self.model(one.name).seeds,
                    "scores": self.model(one.name).scores.to_json(),
                    "less_base": {
                        key: found.to_json()
                        for key, found in self.comparison.differences.get(
                            self.models[one.name], {}
                        ).items()
                    },
                }
                for one in (Factor(BASE, "", {}), *self.factors)
            ],
            "notes": list(self.notes),
            "warnings": list(self.comparison.warnings),
        }

    def to_markdown(self) -> str:
        """The table as Markdown."""
        lines = [
            f"# {self.title}",
            "",
            *(f"> Warning: {text}\n" for text in self.comparison.warnings),
            "| " + " | ".join(HEADER) + " |",
            "|" + "---|" * len(HEADER),
            *(
                "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
                for row in self.cells()
            ),
            "",
            self.explanation(),
            *(f"\n{text}" for text in self.notes),
        ]
        return "\n".join(lines) + "\n"

    def write(self, out: Path, store: Store) -> None:
        """Write the table and the figure into a folder, the file for programs last."""
        with whole_file(out / f"{STEM}.md") as partial:
            partial.write_text(self.to_markdown())
        with whole_file(out / f"{STEM}.csv") as partial, partial.open("w", newline="") as file:
            write_rows(file, HEADER, self.cells())
        figure = draw(self)
        save(figure, out / f"{STEM}.png", dpi=110)
        page = Page(self.title)
        page.note(RESEARCH_ONLY)
        for text in dict.fromkeys((*store.info["warnings"], *self.comparison.warnings)):
            page.warning(text)
        page.figure(
            figure,
            "Each factor less the base, with its own 95% interval (blue) and one "
            "that holds for all at once (orange). Left of 0: better than the base.",
        )
        page.table("", HEADER, self.cells())
        page.note(self.explanation())
        for text in self.notes:
            page.text(text)
        page.write(out / f"{STEM}.html")
        write_json(out / f"{STEM}.json", self.to_json())


def draw(found: Ablation) -> Figure:
    """Draw each factor's difference to the base, of each score that there is."""
    shown = [key for key in SCORES if found.model(BASE).scores.get(key) is not None]
    names = [one.name for one in found.factors]
    size = (4.4 * len(shown) + 1.6, 0.34 * len(names) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(1, len(shown), sharey=True, squeeze=False)
    for axis, key in zip(grid[0], shown, strict=True):
        for place, name in enumerate(names):
            one = found.less_base(name, key)
            if one is None:
                continue
            if one.simultaneous is not None:
                axis.plot(one.simultaneous, [place, place], color=ORANGE, lw=1)
            if one.interval is not None:
                axis.plot(one.interval, [place, place], color=BLUE, lw=2.5, solid_capstyle="butt")
            axis.plot(one.difference, place, "o", color="black", ms=4)
        axis.axvline(0, color=GREY, lw=1, ls="--")
        level = score_text(found.model(BASE).scores.get(key))
        axis.set_title(f"{key} less the base's {level}", fontsize=9, loc="left")
        axis.set_yticks(np.arange(len(names)), names, fontsize=8, parse_math=False)
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.set_xlabel("below 0: better than the base", fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    return figure
