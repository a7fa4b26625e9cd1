"""A data set with three classes of other names: the simulated recordings, differently voted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from hmsstore import HMS, PatternClass

WARD = replace(
    HMS,
    name="ward",
    classes=(
        PatternClass("quiet", "Quiet sleep"),
        PatternClass("burst", "Burst suppression"),
        PatternClass("spikes", "Spikes"),
    ),
    background="quiet",
)
VOTED = {
    "quiet": ("other",),
    "burst": ("lpd", "gpd"),
    "spikes": ("seizure", "lrda", "grda"),
}
"""Class of the ward -> classes of HMS whose votes it gets."""


def write_ward(folder: Path, data: Path, *, titles: bool = True) -> Path:
    """Write a data set of the ward: the recordings of `data`, its votes summed by class.

    With `titles` the consensus is given by the class's title, else by its key.
    """
    folder.mkdir()
    for name in ("train_eegs", "train_spectrograms"):
        (folder / name).symlink_to(data / name)
    table = pl.read_csv(data / "train.csv")
    votes = table.select(
        pl.sum_horizontal(f"{name}_vote" for name in names).alias(f"{key}_vote")
        for key, names in VOTED.items()
    )
    words = WARD.class_titles if titles else WARD.class_keys
    most = votes.to_numpy().argmax(axis=1).tolist()
    consensus = pl.Series("expert_consensus", [words[code] for code in most])
    kept = [c for c in table.columns if not c.endswith("_vote") and c != "expert_consensus"]
    pl.concat([table.select(kept), votes], how="horizontal").with_columns(consensus).write_csv(
        folder / "train.csv"
    )
    return folder
