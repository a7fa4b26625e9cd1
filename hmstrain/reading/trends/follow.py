"""A recording -> its trends, block by block, and kept beside what was unpacked of it.

Memory holds a block of five minutes and the trends themselves, about 100 MB for a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.atomic import whole_file
from hmsstore.sums import DIGITS
from hmstrain.errors import DataError
from hmstrain.reading.coming import ComingRecording, Readable
from hmstrain.reading.pieces import PRIVATE
from hmstrain.reading.trends.amplitude import margins_uv
from hmstrain.reading.trends.epochs import (
    BLOCK_EPOCHS,
    SIDES,
    STEP_S,
    Block,
    Floats,
    blocks,
)
from hmstrain.reading.trends.fir import Spectra
from hmstrain.reading.trends.quality import artefacts
from hmstrain.reading.trends.rhythm import rhythms
from hmstrain.reading.trends.spectrum import asymmetries, power_density, spectrograms_db
from hmstrain.reading.trends.suppression import suppressed, suppression_ratio
from hmstrain.reading.trends.trends import Trends

VERSION = 3
"""Of what is kept; raised whenever a formula changes."""


def kept_name(recording: Readable) -> str:
    """Name of the file of a recording's trends; recordings of one import share a folder."""
    return f"trends-{VERSION}-{recording.sha256[:DIGITS]}.npz"


def follow_trends(recording: Readable) -> Iterator[tuple[Trends, float]]:
    """Compute the trends of a recording, five minutes at a time.

    They are kept in the recording's cache once they are whole, and are then there at once. Of a
    recording that is still imported they are kept once it is, and computed anew if it was filtered.

    Parameters
    ----------
    recording : Recording
        What to compute them of.

    Yields
    ------
    trends : Trends
        The same object each time, more and more of which is filled in.
    done_s : float
        Seconds from the recording's start that are filled in; at last its length.

    Raises
    ------
    DataError
        The recording cannot be read.
    """
    path = recording.cache / kept_name(recording)
    trends = Trends.empty(recording.seconds)
    coming = recording if isinstance(recording, ComingRecording) else None
    if coming is None and _load(path, trends):
        yield trends, recording.seconds
        return
    shares = {side: np.full(len(trends.time_s), np.nan, np.float32) for side in SIDES}
    done_s = 0.0
    for block in blocks(recording):
        if coming is not None and coming.changed:
            break
        _fill(trends, block, shares)
        done_s = min((block.first + BLOCK_EPOCHS) * STEP_S, recording.seconds)
        if coming is None and done_s >= recording.seconds:
            _keep(path, trends)
        yield trends, done_s
    if coming is not None:
        try:
            imported = coming.whole()
        except DataError:
            return  # which is told where imports are
        if coming.changed:
            yield from follow_trends(imported)
        else:
            _keep(path, trends)


def trends_of(recording: Readable) -> Trends:
    """Compute all trends of a recording, or take those that are kept; raises as `follow_trends`."""
    trends = Trends.empty(0)
    for so_far, _ in follow_trends(recording):
        trends = so_far
    return trends


def _fill(trends: Trends, block: Block, shares: dict[str, Floats]) -> None:
    """Compute the trends of a block's epochs.

    `shares` holds how much of each epoch was suppressed, by side, from the recording's start on.
    """
    first, stop = block.first, min(block.first + BLOCK_EPOCHS, len(trends.time_s))
    here, own = slice(first, stop), slice(0, stop - first)
    power = power_density(block)
    for name, picture in spectrograms_db(power).items():
        trends.spectrogram_db[name][here] = picture[own]
    relative, index = asymmetries(power)
    trends.asymmetry[here], trends.asymmetry_index[here] = relative[own], index[own]
    spectra = Spectra(block.bridged_uv_PT)
    margins, quiet, found = (how(block, spectra) for how in (margins_uv, suppressed, rhythms))
    for side in SIDES:
        trends.aeeg_uv[side][here] = margins[side][own]
        shares[side][here] = quiet[side][own]
        trends.suppression[side][here] = suppression_ratio(shares[side], first, stop)
        for into, values in zip((trends.rhythmicity, trends.rhythm_hz), found[side], strict=True):
            into[side][here] = values[own]
    wrong = artefacts(block, power)
    for kind, share in wrong.items():
        trends.artefacts[kind][here] = share[own]
    trends.quality[here] = 1 - np.sum(list(wrong.values()), axis=0)[own]


def _keep(path: Path, trends: Trends) -> None:
    """Write trends whole, for nobody but the user to read."""
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, **_names(trends))  # type: ignore[arg-type]  # NumPy 2.0 takes no more
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}. Name another folder for the cache."
        ) from None


def _load(path: Path, into: Trends) -> bool:
    """Fill in the trends that were kept; False if there are none, or others."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            found = {name: kept[name] for name in kept.files}
    except Exception:  # whatever a file may hold that was cut short: they are computed anew
        return False
    wanted = _names(into)
    if {name: values.shape for name, values in found.items()} != {
        name: values.shape for name, values in wanted.items()
    }:
        return False
    for name, values in wanted.items():
        values[:] = found[name]
    return True


def _names(trends: Trends) -> dict[str, NDArray[Any]]:
    """Arrays as a file names them."""
    return {name.replace("/", "."): values for name, values in trends.arrays().items()}
