"""A model of features and windows that it did not see -> which features it goes by, and how much.

Features are many and alike: a model that loses one column loses little, since others say nearly the
same. So whole groups of them are exchanged among the windows at once: all columns of a measure, of
a place, of a span (grouped permutation importance: Breiman 2001, Machine Learning 45; Gregorutti et
al. 2015, Computational Statistics and Data Analysis 90).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hmsstore import FeatureTable, Store
from hmsstore.atomic import whole_file
from hmsstore.plain.text import write_rows
from hmsstore.view.colours import BLUE, GREY
from hmsstore.view.saving import save
from hmstrain.config import Config
from hmstrain.data.seeds import Stream, generator
from hmstrain.data.table import TableRows
from hmstrain.data.validation import Judge
from hmstrain.errors import RunError
from hmstrain.models.tabular.base import TabularModel, probabilities
from hmstrain.scoring.formulas import kaggle_kl

TABLE, FIGURE = "importances.csv", "importances.png"
PARTS = ("measure", "place", "span")
"""What a column's name consists of."""
MOST_WINDOWS = 400
ROUNDS = 3
SHOWN = 15
"""Groups of each kind that the figure has room for."""
HEADER = ("of", "name", "columns", "share", "kl_increase", "kl_increase_std", "windows")


@dataclass(frozen=True, slots=True)
class Importance:
    """What a group of columns, or a single one, is to a model."""

    of: str
    """'measure', 'place', 'span', or 'column'."""
    name: str
    columns: int
    share: float
    """In what all splits gain, or in the sizes of all weights."""
    increase: float | None = None
    """By how much KL rises once the windows' values are exchanged, mean over the rounds; None where
    nothing was held out to measure it."""
    std: float | None = None
    """Its standard deviation over the rounds."""
    windows: int = 0
    """That it is measured on."""


def write_importances(
    folder: Path,
    config: Config,
    store: Store,
    model: TabularModel,
    table: FeatureTable,
    values: TableRows,
    judge: Judge,
) -> None:
    """Measure importances on the held-out windows; write a table and a figure into the run."""
    rows = judge.rows[judge.judged] if len(judge.judged) else judge.rows
    rows = rows[store.windows["votes"][rows].sum(axis=1) > 0]
    if len(rows) > MOST_WINDOWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_WINDOWS).astype(int)]
    target = store.windows["target"][rows].astype(np.float64)
    found = importances(model, table.columns, values(rows), target, config.seed)
    with whole_file(folder / TABLE) as partial, partial.open("w", newline="") as file:
        lines = []
        for one in found:
            told = ["" if x is None else f"{x:.6f}" for x in (one.increase, one.std)]
            lines.append([one.of, one.name, one.columns, f"{one.share:.6f}", *told, one.windows])
        write_rows(file, HEADER, lines)
    save(draw_importances(found), folder / FIGURE, dpi=110)


def read_importances(folder: Path) -> list[Importance]:
    """Read what `write_importances` wrote into a run; nothing if it is not of features.

    Raises
    ------
    RunError
        The table is damaged.
    """
    path = folder / TABLE
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            return [
                Importance(
                    line["of"],
                    line["name"],
                    int(line["columns"]),
                    float(line["share"]),
                    float(line["kl_increase"]) if line["kl_increase"] else None,
                    float(line["kl_increase_std"]) if line["kl_increase_std"] else None,
                    int(line["windows"]),
                )
                for line in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def importances(
    model: TabularModel,
    columns: Sequence[str],
    values_NF: NDArray[np.float32],
    target_NK: NDArray[np.float64],
    seed: int,
) -> list[Importance]:
    """Measure what each measure, place, span and column is to a model.

    Parameters
    ----------
    columns : sequence of str
        MEASURE.PLACE.SPAN of each.
    values_NF : float32 (N, columns)
        Of windows that the model did not see.
    target_NK : float64 (N, classes)
        Their shares of votes.
    seed : int
        Of the run.

    Returns
    -------
    list of Importance
        Groups first, each kind from the largest down; single columns have a share alone.
    """
    shares = model.shares()
    parts = np.array([name.split(".") for name in columns])
    base = kaggle_kl(target_NK, probabilities(model, values_NF)) if len(values_NF) else 0.0
    found, number = [], 0
    for place, of in enumerate(PARTS):
        groups = []
        for name in dict.fromkeys(parts[:, place]):
            group = parts[:, place] == name
            increase = []
            for round_ in range(ROUNDS if len(values_NF) > 1 else 0):
                order = generator(seed, Stream.IMPORTANCE, number, round_).permutation(
                    len(values_NF)
                )
                exchanged = values_NF.copy()
                exchanged[:, group] = values_NF[np.ix_(order, group)]
                increase.append(float(kaggle_kl(target_NK, probabilities(model, exchanged)) - base))
            number += 1
            mean = float(np.mean(increase)) if increase else None
            std = float(np.std(increase)) if increase else None
            share, windows = float(shares[group].sum()), len(values_NF)
            groups.append(Importance(of, str(name), int(group.sum()), share, mean, std, windows))
        found += sorted(groups, key=lambda one: (-(one.increase or 0), -one.share))
    order = np.argsort(-shares, kind="stable")
    found += [Importance("column", columns[one], 1, float(shares[one])) for one in order]
    return found


def draw_importances(found: Sequence[Importance]) -> Figure:
    """Draw the largest groups of each kind: KL by which an exchange makes answers worse."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.7))
    measured = any(one.increase is not None for one in found)
    for axis, of in zip(panels, PARTS, strict=True):
        groups = [one for one in found if one.of == of][:SHOWN]
        sizes = [one.increase if one.increase is not None else one.share for one in groups]
        places = np.arange(len(groups))[::-1]
        axis.barh(places, sizes, 0.7, color=BLUE)
        for place, one, size in zip(places, groups, sizes, strict=True):
            if one.std is not None:
                axis.plot([size - one.std, size + one.std], [place] * 2, color="black", lw=1)
        axis.axvline(0, color=GREY, lw=0.8)
        axis.set_yticks(places, [one.name.replace("_", " ") for one in groups], fontsize=8)
        axis.set_ylim(-0.6, max(len(groups), 1) - 0.4)
        axis.tick_params(axis="x", labelsize=8)
        axis.set_title(f"by {of}", fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    what = (
        f"rise of KL when the features are exchanged among {found[0].windows:,} held-out windows "
        f"(mean and deviation of {ROUNDS} rounds)"
        if measured
        else "share in the gain of splits, or in the sizes of weights"
    )
    figure.supxlabel(what, fontsize=9)
    return figure
