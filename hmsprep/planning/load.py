"""A path and parameters -> source and plan, after comparing the table with the files that exist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from hmsprep.errors import DataError, MissingFilesError
from hmsprep.kaggle.files import KaggleData, read_given
from hmsprep.kaggle.table import Columns, read_table
from hmsprep.planning import checks
from hmsprep.planning.choices import Missing
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.plan import Montage, Plan, make_plan
from hmsprep.planning.windows import take
from hmsprep.words import plural
from hmsstore import StoreError
from hmsstore.recordings import RECORDINGS_NAME, parse_montages
from hmsstore.schema import REFERENCES, SIGNALS

TITLES = {"eeg": "EEG", "spectrogram": "spectrogram"}
"""Names of signals as people write them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Data that are ready to be built.

    Attributes
    ----------
    source : KaggleData
        Where the files are.
    plan : Plan
        What to build of them.
    unnamed : dict of str to int
        Files per signal that the table does not name; they are never read.
    """

    source: KaggleData
    plan: Plan
    unnamed: dict[str, int]

    @property
    def warnings(self) -> list[str]:
        """What the user should know before building."""
        messages = list(self.plan.warnings)
        if skipped := self.plan.skipped:
            messages.append(
                f"Left out {plural(skipped['windows'], 'window')}: "
                f"{plural(len(skipped['eeg']), 'EEG')} and "
                f"{plural(len(skipped['spectrogram']), 'spectrogram')} without a file."
            )
        for name, count in self.unnamed.items():
            if count:
                messages.append(
                    f"Ignored {plural(count, f'{TITLES[name]} file')} that "
                    f"{self.source.table_name} does not name."
                )
        return messages


def load(
    data: Path,
    parameters: Parameters,
    missing: Missing = "error",
    part: str | None = None,
    table: Path | None = None,
) -> Planned:
    """Read the table of a data set (of its part 'train' or 'test'), look for its files, and plan.

    `table` stands in place of the data set's own.

    Raises
    ------
    MissingFilesError
        Recordings are missing and `missing` is 'error', or nothing is left without them.
    DataError
        The table is not as the competition's, or names other classes than `parameters.spec`.
    ParameterError
        `missing` is neither 'error' nor 'skip'.
    """
    checks.word("missing", missing, get_args(Missing))
    source = KaggleData(data, part, table)
    rows = read_table(source.read_table(), source.table_name, parameters.spec)
    absent: dict[str, list[int]] = {}
    unnamed: dict[str, int] = {}
    for name in SIGNALS:
        there, named = source.recordings(name), set(rows[f"{name}_id"].tolist())
        absent[name] = sorted(named - there)
        unnamed[name] = len(there - named)
    skipped: dict[str, Any] = {}
    chosen = rows
    if any(absent.values()):
        without = np.zeros(len(rows["eeg_id"]), bool)
        for name, ids in absent.items():
            without |= np.isin(rows[f"{name}_id"], ids)
        chosen = take(rows, np.flatnonzero(~without))
        skipped = {"windows": int(without.sum()), **absent}
        if missing == "error" or without.all():
            raise MissingFilesError(_missing_message(source, rows, absent, int(without.sum())))
    montages = read_montages(source, parameters)
    return Planned(source, make_plan(rows, parameters, chosen, skipped, montages), unnamed)


def read_montages(source: KaggleData, parameters: Parameters) -> Montage:
    """Read from the description of an import how its recordings were recorded, if there is one.

    Raises
    ------
    DataError
        The description is not what an import writes.
    """
    if RECORDINGS_NAME not in source.sizes:
        return Montage()
    try:
        found = parse_montages(
            source.files.read(RECORDINGS_NAME), str(source.path / RECORDINGS_NAME)
        )
    except StoreError as error:
        raise DataError(str(error)) from None
    features = parameters.spec.eeg.features
    chains, contiguous, interpolated = set(), set(), {}
    for recording in found.recordings:
        bits = sum(1 << features.index(name) for name in recording.interpolated if name in features)
        for piece in recording.pieces:
            if recording.reference != REFERENCES[0]:
                chains.add(piece.eeg_id)
            if recording.contiguous:
                contiguous.add(piece.eeg_id)
            if bits:
                interpolated[piece.eeg_id] = bits
    return Montage(frozenset(chains), interpolated, frozenset(contiguous), found.patients)


def load_metadata(path: Path, parameters: Parameters) -> Plan:
    """Plan from a CSV or parquet file of metadata alone, without any recording.

    Raises
    ------
    DataError
        There is no such file, or it is no table of windows.
    """
    content = read_given(path)
    table = read_table(content, path.name, parameters.spec)
    return make_plan(table, parameters)


def _missing_message(
    source: KaggleData, table: Columns, absent: dict[str, list[int]], windows: int
) -> str:
    lines = [f"{source.table_name} names recordings that have no file in {source.path}:"]
    for name, ids in absent.items():
        if ids:
            total = len(np.unique(table[f"{name}_id"]))
            shown = ", ".join(source.file_name(name, recording) for recording in ids[:3])
            more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
            lines.append(f"  {len(ids):,} of {plural(total, TITLES[name])}: {shown}{more}")
    left = len(table["eeg_id"]) - windows
    if left:
        lines.append(
            f"Download them, or use --missing skip to build the {left:,} of "
            f"{len(table['eeg_id']):,} windows that have both files."
        )
    else:
        lines.append("No window has both files, so --missing skip would leave nothing.")
    return "\n".join(lines)
