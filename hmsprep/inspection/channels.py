"""The twenty channels -> what each is for, in words and as a map of the head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmsstore.montage import (
    ALL_CHAINS,
    CHAIN_TITLES,
    ELECTRODES,
    neighbours,
    positions,
    side,
)
from hmsstore.schema import CHAINS, CHANNELS
from hmsstore.view.colours import GREY, side_colour
from hmsstore.view.saving import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOBES = {
    "Fp": ("frontal pole", "behind the forehead; blinks and eye movements are largest here"),
    "F": ("frontal", "planning and movement; F7 and F8 also see the front of the temporal lobe"),
    "C": ("central", "the strips of movement and touch"),
    "T": ("temporal", "memory, hearing, language; where focal seizures most often begin"),
    "P": ("parietal", "touch and the sense of space"),
    "O": ("occipital", "sight; the alpha rhythm of closed eyes is largest here"),
}
"""First letters of an electrode's name -> the lobe below it, and what that is known for."""

READING = (
    "Odd numbers are left, even ones right, z is the midline; numbers grow outwards.",
    "Referential: a column is an electrode's voltage against a common reference, in microvolts.",
    "Bipolar: neighbours along a chain are subtracted, front minus back, which removes what all "
    "electrodes share. Where two traces that share an electrode point in opposite directions (a "
    "phase reversal), the activity is largest under that electrode.",
    "The four chains read front to back make the longitudinal or 'double banana' montage: two "
    "crescents on each side of the head. The spectrograms' regions are these chains.",
    "Negative is drawn upwards.",
    "Lateralised patterns (LPD, LRDA) are on one side, generalised ones (GPD, GRDA) on both.",
    "The EKG shows the heart; activity in the EEG that is in time with it is an artefact.",
)
SOURCES = (
    "Klem et al. 1999, The ten-twenty electrode system of the International Federation",
    "Acharya et al. 2016, ACNS Guideline 2: standard electrode position nomenclature",
    "Acharya et al. 2016, ACNS Guideline 3: montages for clinical EEG",
    "Hirsch et al. 2021, ACNS standardized critical care EEG terminology",
)


def channel_rows() -> list[dict[str, str]]:
    """One row per column of an EEG file: electrode, side, lobe, regions of the spectrogram."""
    rows = []
    for number, name in enumerate(ELECTRODES, 1):
        regions = [region for region, chain in CHAINS.items() if name in chain]
        rows.append(
            {
                "column": str(number),
                "channel": name,
                "side": side(name),
                "lobe": LOBES[name.rstrip("z0123456789")][0],
                "regions": ", ".join(regions) or "none",
            }
        )
    heart = {"column": str(len(CHANNELS)), "channel": "EKG", "side": "", "lobe": "the heart"}
    return [*rows, heart | {"regions": "none"}]


@dataclass(frozen=True, slots=True)
class Montage:
    """The twenty channels: a table and a picture of them."""

    channels: list[dict[str, str]]
    """One row per column of an EEG file: column, channel, side, lobe, regions."""
    figure: Figure
    """The head from above with electrodes and chains."""


def montage(out: str | Path | None = None) -> Montage:
    """Explain the twenty channels.

    Parameters
    ----------
    out : str or Path, optional
        Picture to write.

    Returns
    -------
    Montage

    Raises
    ------
    StoreError
        The picture cannot be written.

    Examples
    --------
    >>> hmsprep.montage("montage.png").channels[0]["channel"]
    'Fp1'
    """
    figure = draw_montage()
    if out is not None:
        save(figure, Path(out))
    return Montage(channel_rows(), figure)


def draw_montage() -> Figure:
    """Draw the head from above with electrodes and chains; the order of traces beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), dpi=100, layout="constrained")
    head, key = figure.subplots(1, 2, width_ratios=(5, 4))
    _draw_head(head)
    _draw_order(key)
    figure.suptitle("The 10-20 system and the longitudinal bipolar montage", fontsize=12)
    return figure


def _draw_head(axes: Axes) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(angle), np.sin(angle), color=GREY, lw=1.5)
    axes.plot([-0.1, 0, 0.1], [0.995, 1.12, 0.995], color=GREY, lw=1.5)
    for ear in (-1, 1):
        axes.plot(
            ear * (1 + 0.05 * np.sin(np.linspace(0, np.pi, 20))),
            np.linspace(-0.14, 0.14, 20),
            color=GREY,
            lw=1.5,
        )
    at = positions()
    for group, chain in ALL_CHAINS.items():
        for first, second in neighbours({group: chain}):
            axes.annotate(
                "",
                xy=at[second],
                xytext=at[first],
                arrowprops={
                    "arrowstyle": "-|>", "color": side_colour(group), "lw": 2,
                    "shrinkA": 15, "shrinkB": 15,
                },
            )  # fmt: skip
    for name, (x, y) in at.items():
        axes.scatter(x, y, s=620, color="white", edgecolor="black", zorder=3)
        axes.text(x, y, name, ha="center", va="center", fontsize=10, zorder=4)
    for x, word in ((-1.12, "left"), (1.12, "right")):
        axes.text(x, 0.22, word, ha="center", color=GREY)
    axes.text(0, 1.16, "front", ha="center", color=GREY)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.3, 1.3)
    axes.set_ylim(-1.1, 1.3)


def _draw_order(axes: Axes) -> None:
    lines = []
    for group, title in CHAIN_TITLES.items():
        code = "" if group == "midline" else f"{group}: "
        lines.append((f"{code}{title}", side_colour(group), True))
        pairs = "   ".join(f"{a}-{b}" for a, b in neighbours({group: ALL_CHAINS[group]}))
        lines.append((pairs, "black", False))
    lines.append(("EKG: the heart", "0.3", True))
    for number, (text, colour, bold) in enumerate(lines):
        axes.text(
            0, -number - 0.4 * (number // 2), text, color=colour, fontsize=11,
            fontweight="bold" if bold else "normal", va="top",
        )  # fmt: skip
    axes.set_xlim(0, 10)
    axes.set_ylim(-len(lines) - 3, 1)
    axes.set_title("From top to bottom of the page; each front minus back", loc="left", fontsize=11)
    axes.set_axis_off()
