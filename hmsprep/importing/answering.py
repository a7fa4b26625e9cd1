"""A recorder's file -> what an import will say of it, then any stretch that is asked for.

For a program that shows a recording while it is imported. Both sides speak in lines; this one
answers::

    {"recording": {...}, "annotations": [[onset, duration, text], ...], "warnings": [...]}
    < 0 2000                                samples at 200 Hz: the first, and the one after the last
    {"samples": 2000}                       then float32 (samples, 20) in microvolts, little-endian
    < 2000 4000
    {"problem": "night.edf ends early ..."}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hmsprep.errors import DataError
from hmsprep.importing.convert import MOST_PIECES, Imported, described, notes_of
from hmsprep.importing.gathering import gathered
from hmsprep.importing.labels.words import Words
from hmsprep.importing.pieces import RATE, cut
from hmsprep.importing.recording import Options
from hmsprep.importing.values import high_passed
from hmsprep.importing.writing import in_blocks
from hmsstore.recordings import ImportedPiece
from hmsstore.schema import JUDGED_S

THREADS = 2
"""That read a long stretch, a minute each."""


def answer(
    path: Path, requests: Iterable[str], out: BinaryIO, importing: Mapping[str, Any]
) -> None:
    """Describe a recording, then give stretches of it until there are no more requests.

    Values are those that an import writes, but for the high-pass that it turns out to need only
    once all was read.

    Parameters
    ----------
    path : Path
        A recorder's file.
    requests : iterable of str
        Lines of two numbers: the first sample at 200 Hz and the one after the last.
    out : binary file
        Where answers go.
    importing : mapping
        As of `import_recordings`: how the file is to be read.

    Raises
    ------
    DataError
        The file cannot be imported.
    """
    options = Options(**{**importing, "rename": importing.get("rename") or {}})
    with (
        gathered([path], options, Words.of({}), unlabelled=True) as found,
        ThreadPoolExecutor(THREADS) as readers,
    ):
        (recording,) = found.recordings
        pieces = [
            ImportedPiece(MOST_PIECES + place, piece.start_s)
            for place, piece in enumerate(cut(recording.samples, round(JUDGED_S * RATE)))
        ]
        known = described(recording, 1, pieces, sha256="")
        one = replace(known, highpass_hz=options.highpass_hz)
        made = Imported(labelled=False, recordings=[one], notes=notes_of(recording))
        _write_line(
            out,
            {
                "recording": asdict(one),
                "annotations": list(recording.annotations),
                "warnings": made.remarks,
            },
        )
        source = in_blocks(recording, readers)
        if options.highpass_hz is not None:
            source = high_passed(source, options.highpass_hz, readers)
        for request in requests:
            first, stop = map(int, request.split())
            try:
                eeg_uv_TC = np.ascontiguousarray(source.read(first, stop).T, "<f4")
            except DataError as error:
                _write_line(out, {"problem": str(error)})
            except OSError as error:
                _write_line(out, {"problem": f"{path} cannot be read: {error.strerror}."})
            else:
                _write_line(out, {"samples": len(eeg_uv_TC)}, eeg_uv_TC.tobytes())


def _write_line(out: BinaryIO, value: Mapping[str, Any], content: bytes = b"") -> None:
    out.write(json.dumps(value).encode() + b"\n" + content)
    out.flush()
