"""Data and options -> what a build would make, without reading a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hmsprep.errors import ParameterError
from hmsprep.kaggle.files import is_table
from hmsprep.planning.choices import (
    EEG_CLIP_UV,
    Balance,
    Fill,
    Missing,
    Normalise,
    Part,
    SplitBy,
    Windows,
)
from hmsprep.planning.cleaning import make_cleaning
from hmsprep.planning.load import load, load_metadata
from hmsprep.planning.parameters import SPECTROGRAM_CLIP, Parameters
from hmsprep.planning.plan import summary
from hmsstore.spec import HMS, Spec


@dataclass(frozen=True, slots=True)
class Preview:
    """What a build would make."""

    windows: int
    eegs: int
    spectrograms: int
    patients: int
    train: int
    """Training windows."""
    test: int
    """Test windows."""
    predict: int
    """Windows without votes."""
    folds: list[int]
    """Training windows that each fold holds out."""
    leaks: bool
    """Whether a patient is in both the training and the test windows."""
    patients_per_split: dict[str, int]
    classes: list[str]
    """Titles of the classes."""
    votes: list[int]
    """Votes of each class."""
    bytes: int
    """Size of the store."""
    signals: dict[str, dict[str, int]]
    """Per signal: recordings, seconds, rows, shards."""
    warnings: list[str]
    plan: str
    """Hash of the plan."""
    parameters: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def plan(
    data: str | Path = "data",
    *,
    half: bool = False,
    windows: Windows = "all",
    balance: Balance = "none",
    split_by: SplitBy = "patient",
    missing: Missing = "error",
    part: Part | None = None,
    table: str | Path | None = None,
    nan: Fill = "zero",
    eeg_clip: float | None = EEG_CLIP_UV,
    spectrogram_clip: tuple[float, float] | None = SPECTROGRAM_CLIP,
    bandpass: tuple[float, float] | None = None,
    normalise: Normalise = "zscore",
    cleaning: str | Path | Mapping[str, Any] | None = None,
    seed: int = 42,
    spec: Spec = HMS,
) -> Preview:
    """Say what a build would make: windows, recordings, folds and bytes.

    Parameters
    ----------
    data : str or Path
        A folder in Kaggle's layout, the competition's zip, or a table of windows alone (CSV or
        parquet); `missing` and `part` mean nothing for a table.
    half, windows, balance, split_by, missing, part, table, seed
        Which windows, and how they are split: as `hmsprep.build` takes them.
    nan, eeg_clip, spectrogram_clip, bandpass, normalise, cleaning
        How values are cleaned: as `hmsprep.build` takes them.
    spec : Spec
        What the data consist of: their classes, channels and rates.

    Returns
    -------
    Preview

    Raises
    ------
    PrepError
        As `hmsprep.build` raises it, as far as the table and the names of files tell.

    Examples
    --------
    >>> hmsprep.plan("train.csv", half=True).windows
    53400
    """
    data = Path(data)
    parameters = Parameters(
        half=half,
        windows=windows,
        balance=balance,
        split_by=split_by,
        normalise=normalise,
        seed=seed,
        spec=spec,
        eeg_shard_rows=spec.eeg.shard_rows,
        spectrogram_shard_rows=spec.spectrogram.shard_rows,
        **make_cleaning(nan, eeg_clip, spectrogram_clip, bandpass, cleaning),
    )
    if is_table(data) and table is not None:
        raise ParameterError(f"--table: {data} is a table of windows already: name one of them.")
    if is_table(data):
        planned = load_metadata(data, parameters)
        warnings = list(planned.warnings)
    else:
        given = None if table is None else Path(table)
        dataset = load(data, parameters, missing, part, given)
        planned, warnings = dataset.plan, dataset.warnings
    known = {"classes": list(spec.class_titles), "warnings": warnings}
    return Preview(**(summary(planned) | known))
