"""What electrodes pick up besides the brain on a ward: from the body, from people, from machines.

Each function adds to (19, samples) in microvolts, in place. How often each comes is drawn for every
recording anew, from never to much, so that networks learn to look past it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.background import Patient, moments
from hmsprep.simulator.head import PLACES, electrodes, field
from hmsprep.simulator.noise import RATE_HZ, band, shaped, slow_wander
from hmsstore.montage import ELECTRODES

Eeg = NDArray[np.float32]


def add_body(
    rng: np.random.Generator, patient: Patient, eeg: Eeg, ekg: NDArray[np.float32]
) -> None:
    """Add eyes, muscle, chewing, heart, pulse, sweat."""
    samples = eeg.shape[1]
    seconds = samples / RATE_HZ
    time = np.arange(-0.25, 0.35, 1 / RATE_HZ)
    blink = np.exp(-((time / 0.09) ** 2)) - 0.2 * np.exp(-(((time - 0.2) / 0.08) ** 2))
    eyes = field(np.asarray([-0.31, 1.1]), 0.32) + field(np.asarray([0.31, 1.1]), 0.32)
    for at in moments(rng, samples - len(blink), patient.blinks_hz * seconds):
        part = eyes[:, None] * blink.astype(np.float32)
        eeg[:, at : at + len(blink)] += part * np.float32(rng.uniform(50, 200))
    tension = np.float32(patient.muscle * 12)
    for side in (("T3", "F7", "Fp1"), ("T4", "F8", "Fp2")):
        low = rng.uniform(15, 28)
        muscle = shaped(rng, 3, samples, band(low, 75)) * slow_wander(rng, samples, 4, 0.8)
        eeg[electrodes(*side)] += muscle * (tension * np.float32(rng.lognormal(0, 0.5)))
    if rng.random() < 0.05:
        _add_chewing(rng, eeg)
    eeg += rng.lognormal(np.log(0.0025), 1.0, (len(eeg), 1)).astype(np.float32) * ekg
    if rng.random() < 0.05:  # an electrode over an artery
        late = np.roll(np.abs(ekg), int(0.2 * RATE_HZ))
        pulse = np.convolve(late, np.hanning(int(0.4 * RATE_HZ)), mode="same")
        pulse *= rng.uniform(10, 40) / max(float(np.percentile(pulse, 99)), 1e-6)
        eeg[rng.integers(len(eeg))] += pulse.astype(np.float32)
    if rng.random() < 0.12:  # sweat: slow and large
        chosen = rng.random(len(eeg)) < 0.5
        drift = shaped(rng, 1, samples, band(0.1, 0.5))[0]
        size = rng.uniform(10, 60) * rng.lognormal(0, 0.5, int(chosen.sum()))
        eeg[chosen] += size.astype(np.float32)[:, None] * drift


def _add_chewing(rng: np.random.Generator, eeg: Eeg) -> None:
    """Bursts of muscle at 0.7 to 2 Hz over the temples, for a while."""
    samples = eeg.shape[1]
    for at in moments(rng, samples, samples / RATE_HZ / 120):
        length = min(int(rng.uniform(3, 20) * RATE_HZ), samples - at)
        time = np.arange(length) / RATE_HZ
        hull = np.clip(np.sin(2 * np.pi * rng.uniform(0.7, 2) * time), 0, 1) ** 2
        wave = shaped(rng, 1, length, band(20, 80))[0] * hull.astype(np.float32)
        slow = np.float32(0.4) * hull.astype(np.float32)
        seen = (np.abs(PLACES[:, 0]) ** 2).astype(np.float32) * np.float32(rng.uniform(15, 60))
        eeg[:, at : at + length] += seen[:, None] * (wave + slow)


def add_ward(rng: np.random.Generator, eeg: Eeg) -> None:
    """Add movement, ventilator, chest compressions, dialysis."""
    samples = eeg.shape[1]
    seconds = samples / RATE_HZ
    for at in moments(rng, samples, seconds / rng.uniform(100, 1200)):  # movement
        length = min(int(rng.uniform(0.5, 5) * RATE_HZ), samples - at)
        slow = shaped(rng, 3, length, band(0.4, 3)) * np.hanning(length).astype(np.float32)
        seen = rng.normal(0, 1, (len(eeg), 3)).astype(np.float32) * np.float32(rng.uniform(10, 60))
        eeg[:, at : at + length] += seen @ slow
    if rng.random() < 0.08:
        _add_machine(rng, eeg, rng.uniform(0.2, 0.5), 0.25, rng.uniform(5, 25))  # ventilator
    if rng.random() < 0.03:
        _add_machine(rng, eeg, rng.uniform(0.7, 2.0), 0.5, rng.uniform(5, 20))  # dialysis, pump
    if rng.random() < 0.02:  # chest compressions, for a minute or two
        at = int(rng.integers(samples))
        length = min(int(rng.uniform(20, 120) * RATE_HZ), samples - at)
        _add_machine(
            rng, eeg[:, at : at + length], rng.uniform(1.6, 2.0), 0.6, rng.uniform(40, 150)
        )


def _add_machine(
    rng: np.random.Generator, eeg: Eeg, rate_hz: float, width: float, size_uv: float
) -> None:
    """Waves as regular as a machine's, of another size and sign at each electrode."""
    time = np.arange(eeg.shape[1]) / RATE_HZ
    turn = (time * rate_hz + rng.random()) % 1
    wave = np.where(turn < width, np.sin(np.pi * turn / width), 0).astype(np.float32)
    wave -= wave.mean()
    seen = rng.normal(0, 1, (len(eeg), 1)) * (rng.random((len(eeg), 1)) < rng.uniform(0.1, 0.7))
    eeg += (size_uv * seen).astype(np.float32) * wave


def add_electrodes(rng: np.random.Generator, eeg: Eeg) -> None:
    """Add pops, loose, drifting, bridged and dead electrodes."""
    samples = eeg.shape[1]
    seconds = samples / RATE_HZ
    decay = np.exp(-np.arange(int(1.5 * RATE_HZ)) / (0.25 * RATE_HZ)).astype(np.float32)
    for at in moments(rng, samples - len(decay), seconds / 250):
        size = np.float32(rng.choice((-1, 1)) * rng.uniform(50, 900))
        eeg[rng.integers(len(eeg)), at : at + len(decay)] += size * decay
    for _ in range(rng.poisson(0.25)):  # bad for the whole time, or for some
        one = rng.integers(len(eeg))
        at = 0 if rng.random() < 0.6 else int(rng.integers(samples))
        length = samples if at == 0 else min(int(rng.uniform(2, 60) * RATE_HZ), samples - at)
        part = eeg[one, at : at + length]
        low = rng.uniform(0.3, 1)
        part += np.float32(rng.lognormal(np.log(25), 0.8)) * (
            shaped(rng, 1, length, band(low, rng.uniform(3, 40)))[0]
            * slow_wander(rng, length, 3, 0.6)
        )
    if rng.random() < 0.03:  # a loose electrode
        at = int(rng.integers(samples))
        eeg[rng.integers(len(eeg)), at : at + int(rng.uniform(1, 20) * RATE_HZ)] += rng.choice(
            np.asarray((-1e5, -5e3, 5e3, 1e5), np.float32)
        )
    if rng.random() < 0.06:  # bridged: paste from one to its neighbour
        here = int(rng.integers(len(ELECTRODES)))
        apart = np.linalg.norm(PLACES - PLACES[here], axis=1)
        other = int(np.argsort(apart)[1])
        share = np.float32(rng.uniform(0.85, 1.0))
        middle = (eeg[here] + eeg[other]) / 2
        eeg[here] += share * (middle - eeg[here])
        eeg[other] += share * (middle - eeg[other])
    if rng.random() < 0.02:  # dead
        eeg[rng.integers(len(eeg))] *= np.float32(0.01)
