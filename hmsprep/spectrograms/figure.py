"""The agreement of two sets of spectrograms -> a figure."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from hmsprep.spectrograms.agreement import SMALLEST, Agreement
from hmsstore.view.colours import BLUE, GREY, POWER_MAP


def draw_agreement(found: Agreement) -> Figure:
    """Draw log power against log power, and ratio and error by frequency."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    cloud, ratio = figure.subplots(1, 2)
    known = (found.ours > 0) & (found.theirs >= SMALLEST)
    ours, theirs = (np.log(side[known]) for side in (found.ours, found.theirs))
    ends = [float(np.percentile(theirs, part)) for part in (0.01, 99.99)]
    _, _, _, picture = cloud.hist2d(
        theirs, ours, bins=150, range=[ends, ends], cmap=POWER_MAP, norm=LogNorm()
    )
    cloud.plot(ends, ends, color="white", lw=0.8, ls="--")
    cloud.set_facecolor("black")
    cloud.set_aspect("equal")
    cloud.set_xlabel("given, ln(uV$^2$/Hz)")
    cloud.set_ylabel("computed, ln(uV$^2$/Hz)")
    numbers = found.numbers(slice(None))
    cloud.set_title(
        f"{numbers['values']:,} values of {found.eegs} EEG{'s' * (found.eegs != 1)}, correlation "
        f"{numbers['correlation']:.4f}", fontsize=10, loc="left",
    )  # fmt: skip
    figure.colorbar(picture, ax=cloud, label="values")
    lines = found.by_frequency()
    frequency = [line["Hz"] for line in lines]
    middle = np.asarray([line["median ratio"] for line in lines])
    error = np.exp([line["median error"] for line in lines])
    ratio.fill_between(
        frequency, middle / error, middle * error, color=BLUE, alpha=0.25, lw=0,
        label="median distance",
    )  # fmt: skip
    ratio.plot(frequency, middle, color=BLUE, lw=1.2, label="median")
    ratio.axhline(1, color=GREY, lw=0.8, ls="--")
    far = max(0.02, 1.3 * float(np.nanmax(np.abs(np.r_[middle * error, middle / error] - 1))))
    ratio.set_ylim(1 - far, 1 + far)
    ratio.set_xlabel("Hz")
    ratio.set_title("computed / given, by frequency", fontsize=10, loc="left")
    ratio.legend(fontsize=8, frameon=False)
    ratio.spines[["top", "right"]].set_visible(False)
    return figure
