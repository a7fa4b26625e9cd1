"""Imports of recordings, written without importing any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.kaggle.write import write_eeg
from hmsstore.recordings import ImportedPiece, ImportedRecording, write_recordings

RATE = 200


def write_import(
    folder: Path, eeg_uv: NDArray[np.float32], *, piece_s: int = 3_600, overlap_s: int = 600,
    **more: Any,
) -> Path:  # fmt: skip
    """Write EEG (20, T) at 200 Hz as an import of night.edf, in overlapping pieces."""
    (folder / "test_eegs").mkdir(parents=True)
    samples = eeg_uv.shape[1]
    pieces = []
    for number, first in enumerate(range(0, samples, (piece_s - overlap_s) * RATE)):
        stop = min(first + piece_s * RATE, samples)
        write_eeg(folder / "test_eegs" / f"{10_000 + number}.parquet", eeg_uv[:, first:stop])
        pieces.append(ImportedPiece(10_000 + number, first / RATE))
        if stop == samples:
            break
    told: dict[str, Any] = {"filled": (), "references": ("A1A2",), **more}
    one = ImportedRecording("night.edf", samples / RATE, 1, (200.0,), pieces=tuple(pieces), **told)
    write_recordings(folder, (one,), 10.0)
    return folder
