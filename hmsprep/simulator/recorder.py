"""What amplifiers and recorders make of the potentials: reference, mains, filters, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.head import field
from hmsprep.simulator.noise import RATE_HZ, band, shaped, slow_wander

MAINS_HZ = (60.0, 50.0)
FEW_MAINS_50 = 0.03
"""Share of recordings with mains of 50 Hz."""
MAINS_WANDER_HZ = 0.03
"""Deviation of the mains from that."""
REFERENCE = field(np.asarray([0.05, 0.15]), 0.2)
REFERENCE /= REFERENCE.sum()
"""What a reference near the vertex sees of each electrode's potential, (19,)."""
REFERENCE_SHARE = 0.2
"""At most so much of it is subtracted."""
OFTEN_STEEP = 0.15
"""Share of recordings that were filtered steeply before they were shared, such as a third of the
sources of real segments: 0.5 to 40 Hz."""


def recorded(rng: np.random.Generator, eeg: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn potentials (19, samples) into what is written to a file, microvolts."""
    from scipy.signal import butter, sosfilt, sosfiltfilt

    samples = eeg.shape[1]
    eeg -= np.float32(rng.uniform(0, REFERENCE_SHARE)) * (REFERENCE @ eeg)
    time = np.arange(samples, dtype=np.float64) / RATE_HZ
    mains = MAINS_HZ[rng.random() < FEW_MAINS_50]
    hum = np.sin(2 * np.pi * (mains + rng.normal(0, MAINS_WANDER_HZ)) * time)
    hum *= slow_wander(rng, samples, 2, rng.uniform(0, 0.2))
    size = rng.lognormal(np.log(rng.lognormal(np.log(3.5), 1.2)), 0.7, (len(eeg), 1))
    if rng.random() < 0.08:  # one electrode with a poor contact
        size[rng.integers(len(eeg))] += rng.lognormal(np.log(15), 0.8)
    eeg += size.astype(np.float32) * hum.astype(np.float32)
    drift = shaped(rng, len(eeg), samples, band(0.03, 0.3))
    drift += shaped(rng, 1, samples, band(0.03, 0.4))  # of the reference
    drift_uv = rng.lognormal(np.log(rng.lognormal(np.log(10), 0.6)), 0.4, (len(eeg), 1))
    eeg += drift_uv.astype(np.float32) * drift
    if rng.random() < 0.1:  # the reference sits on muscle or moves
        low, high = ((0.3, 2.0), (20.0, 70.0))[rng.random() < 0.5]
        common = shaped(rng, 1, samples, band(low, high))[0] * slow_wander(rng, samples, 5, 0.6)
        eeg += np.float32(rng.uniform(3, 25)) * common
    own = shaped(rng, len(eeg), samples, np.ones_like)  # of each amplifier
    own *= rng.lognormal(np.log(0.17), 0.6, (len(eeg), 1)).astype(np.float32)
    eeg += own
    if rng.random() < OFTEN_STEEP:
        sos = butter(2, (rng.uniform(0.3, 0.6), 40.0), "bandpass", fs=RATE_HZ, output="sos")
        eeg = sosfiltfilt(sos, eeg, axis=1).astype(np.float32)
    low_hz = float(np.clip(rng.lognormal(np.log(0.16), 0.8), 0.03, 1.6))
    high_hz = float(rng.choice((35.0, 50.0, 70.0, 95.0), p=(0.05, 0.1, 0.25, 0.6)))
    sos = np.concatenate(
        [
            butter(1, low_hz, "highpass", fs=RATE_HZ, output="sos"),
            butter(2, high_hz, "lowpass", fs=RATE_HZ, output="sos"),
        ]
    )
    eeg = sosfilt(sos.astype(np.float32), eeg, axis=1).astype(np.float32, copy=False)
    eeg += rng.normal(0, 8, (len(eeg), 1)).astype(np.float32)
    return eeg
