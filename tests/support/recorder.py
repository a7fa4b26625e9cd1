"""EDF files as recorders write them, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import edfio
import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CHANNELS

CONVENTIONS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "tuh": lambda name: f"EEG {name.upper()}-REF" if name != "EKG" else "EEG EKG1-REF",
    "newer": lambda name: {"T3": "t7", "T4": "t8", "T5": "p7", "T6": "p8", "EKG": "ecg"}.get(
        name, name.lower()
    ),
    "linked ears": lambda name: f"EEG {name.upper()}-LE" if name != "EKG" else "ECG EKG",
}
"""How archives write the names of electrodes."""
QUANTUM_UV = 6_500 / 2**16
"""Step of a 16-bit file that holds +-3250 uV."""


def noise(seconds: float, rate_hz: float = 200.0, seed: int = 0) -> NDArray[np.float64]:
    """EEG of nothing but smooth noise, (20, samples) in microvolts."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(20, round(seconds * rate_hz)))
    from scipy.signal import butter, sosfiltfilt

    return 100 * sosfiltfilt(butter(4, 30, fs=rate_hz, output="sos"), white)


def write_edf(
    path: Path,
    eeg_uv: NDArray[np.floating],
    rate_hz: float = 200.0,
    names: Callable[[str], str] = str,
    channels: Sequence[str] = CHANNELS,
    unit: str = "uV",
    scale: float = 1.0,
    **more: Any,
) -> Path:
    """Write EEG (channels, samples); `scale` turns microvolts into the unit."""
    signals = [
        edfio.EdfSignal(
            values.astype(np.float64) * scale, rate_hz, label=names(channel),
            physical_dimension=unit, physical_range=(-3_250 * scale, 3_250 * scale),
        )
        for channel, values in zip(channels, eeg_uv, strict=True)
    ]  # fmt: skip
    edfio.Edf(signals, **more).write(path)
    return path
