"""What reading found beyond the clip -> a warning, or a refusal where it cannot be EEG in uV."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.tasks import Ingested
from hmsprep.errors import DataError
from hmsprep.planning.choices import CLIP_REFUSED, CLIP_WARNED
from hmsprep.planning.plan import Plan
from hmsprep.words import plural

NAMED = 5
"""Recordings that a sentence names."""
Shares = dict[int, dict[str, float]]
"""EEG -> channel -> share of its values beyond the clip, where there are any."""


def shares_clipped(plan: Plan, reads: Iterable[Ingested]) -> Shares:
    """Add up what the shards have of each recording."""
    segments, channels = plan.segments["eeg"], plan.spec.eeg.features
    rows: dict[int, int] = {}
    for recording, count in zip(
        segments.recording.tolist(), (segments.rows - segments.shared).tolist(), strict=True
    ):
        rows[recording] = rows.get(recording, 0) + count
    counts: dict[int, NDArray[np.int64]] = {}
    for read in reads:
        for file, found in read.clipped.items():
            recording = int(Path(file).stem)
            none = np.zeros(len(channels), np.int64)
            counts[recording] = counts.get(recording, none) + np.asarray(found)
    return {
        recording: {
            name: count / rows[recording]
            for name, count in zip(channels, found.tolist(), strict=True)
            if count
        }
        for recording, found in sorted(counts.items())
    }


def clip_warnings(plan: Plan, reads: Iterable[Ingested]) -> list[str]:
    """Say which recordings have 1% or more of a channel beyond the clip."""
    worst = {
        recording: {name: share for name, share in shares.items() if share >= CLIP_WARNED}
        for recording, shares in shares_clipped(plan, reads).items()
    }
    told = {recording: shares for recording, shares in worst.items() if shares}
    if not told:
        return []
    most = sorted(told, key=lambda recording: -sum(told[recording].values()))[:NAMED]
    named = "; ".join(
        f"{recording}: " + ", ".join(f"{name} {part:.0%}" for name, part in told[recording].items())
        for recording in most
    )
    return [
        f"{plural(len(told), 'EEG')} of {len(set(plan.segments['eeg'].recording.tolist())):,} "
        f"have 1% or more of a channel beyond the clip of +-{plan.parameters.eeg_clip or 0:,.0f} "
        f"uV, where the store holds the clip ({named}{'; ...' if len(told) > NAMED else ''})."
    ]


def check_clipped(plan: Plan, reads: Iterable[Ingested]) -> None:
    """Refuse a data set that is beyond the clip for the most part.

    Raises
    ------
    DataError
        Of half of the recordings or more, half of the electrodes' values or more are beyond it.
    """
    electrodes = [name for name in plan.spec.eeg.features if name != plan.spec.heart]
    recordings = set(plan.segments["eeg"].recording.tolist())
    bad = [
        recording
        for recording, shares in shares_clipped(plan, reads).items()
        if sum(shares.get(name, 0.0) for name in electrodes) >= CLIP_REFUSED * len(electrodes)
    ]
    if bad and len(bad) >= CLIP_REFUSED * len(recordings):
        raise DataError(
            f"{len(bad):,} of {plural(len(recordings), 'EEG')} ({', '.join(map(str, bad[:NAMED]))}"
            f"{' ...' if len(bad) > NAMED else ''}) are for half or more beyond the clip of "
            f"+-{plan.parameters.eeg_clip or 0:,.0f} uV: expected EEG in uV, without electrodes' "
            "offsets. Import it with --highpass auto, use --eeg-clip none with --bandpass, or "
            "build it unchanged with --clipped."
        )
