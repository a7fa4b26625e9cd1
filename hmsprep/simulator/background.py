"""Who is recorded -> the EEG that their patterns stand upon: 19 electrodes, microvolts.

Everything is drawn from wide priors, so that real backgrounds lie inside: awake, encephalopathic,
in coma, sedated, asleep; attenuated, suppressed, asymmetric, over a hole in the skull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator.head import PLACES, chain_differences, field, general_field, lateral_place
from hmsprep.simulator.noise import RATE_HZ, Spectrum, band, shaped, slow_wander
from hmsstore.montage import ELECTRODES

STATES = ("awake", "slow", "coma", "sedated", "asleep", "suppressed")
CHANCES = (0.14, 0.36, 0.2, 0.14, 0.08, 0.08)
USUAL_UV = 11.0
"""Median of the standard deviation of a bipolar trace, 0.5 to 35 Hz."""
QUIETEST_UV = 1.2
LONGEST_TRAVEL_S = 0.15
ACROSS = (0.82, 1.0)
"""What one hemisphere sees of the other's background; as ALONE and the reach of places, fitted with
the electrodes' places (`head.RIGHT`) to how unlike electrodes of real segments are."""
ALONE = 0.09
"""What each electrode sees alone, over the rest: the median over patients."""
AT_ONCE = 8192
"""Samples that are mixed at a time: few enough to stay in a processor's cache."""
CENTRE = field(np.asarray([0.0, -0.2]), 0.4)
"""Where the background is weaker: around the vertex."""
Eeg = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Patient:
    """What stays the same through all of a patient's recordings."""

    state: str
    """One of STATES."""
    background_uv: float
    """Standard deviation of a bipolar background trace."""
    slope: float
    """Exponent of the 1/f spectrum of power, and the frequency below which it is flat."""
    knee_hz: float
    fast: float
    """What falls only as 1/f, over the rest where that is flat: amplitudes."""
    slowing: float
    """How much stronger than 1/f theta and delta are, and around which frequency."""
    slowing_hz: float
    alpha: float
    """Posterior rhythm over the background, 0 in most who are critically ill."""
    alpha_hz: float
    beta: float
    """Frontal fast activity under sedation."""
    beta_hz: float
    common: float
    """What all electrodes have in common, over the rest: variances."""
    reach: float
    """Width of the parts of the head that go together, and how long waves travel over them."""
    alone: float
    """What each electrode sees alone, over the rest."""
    across: float
    """What one hemisphere sees of the other's background."""
    travel_s: float
    surges: float
    """How much the background comes and goes within seconds."""
    gains: tuple[float, ...]
    """Of each electrode's background: asymmetry, breach, attenuation."""
    blinks_hz: float
    muscle: float
    side: int
    """Hemisphere of lateralised patterns: -1 left, 1 right."""
    heart_hz: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient of an intensive care unit."""
    state = str(rng.choice(STATES, p=CHANCES))
    quiet = {"suppressed": 0.25, "coma": 0.75}.get(state, 1.0)
    awake = state == "awake"
    side = int(rng.choice((-1, 1)))
    return Patient(
        state=state,
        background_uv=max(float(rng.lognormal(np.log(USUAL_UV * quiet), 0.5)), QUIETEST_UV),
        slope=float(rng.uniform(2.6, 5.2)),
        knee_hz=float(rng.lognormal(np.log(3.2), 0.8)),
        fast=float(rng.lognormal(np.log(0.018), 0.8)),
        slowing=float(rng.gamma(1.5, 0.5)) * (0.4 if awake else 1.0),
        slowing_hz=float(rng.lognormal(np.log(3.3), 0.5)),
        alpha=float(rng.uniform(0.4, 1.2)) if awake else 0.0,
        alpha_hz=float(rng.uniform(7.5, 11.5)),
        beta=float(rng.uniform(0.2, 0.9)) if state == "sedated" or rng.random() < 0.25 else 0.0,
        beta_hz=float(rng.uniform(13, 24)),
        common=float(rng.uniform(0.3, 1.5)),
        reach=float(rng.uniform(0.45, 0.8)),
        alone=float(rng.lognormal(np.log(ALONE), 0.4)),
        across=float(rng.uniform(*ACROSS)),
        travel_s=float(rng.lognormal(np.log(0.005), 0.5)),
        surges=float(rng.uniform(0.1, 0.5)),
        gains=tuple(_gains(rng, side).tolist()),
        blinks_hz=float(rng.uniform(0.05, 0.35)) if awake or rng.random() < 0.15 else 0.0,
        muscle=float(rng.lognormal(np.log(0.05), 1.2)),
        side=side,
        heart_hz=float(rng.uniform(0.8, 2.0)),
    )


def _gains(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """How strong the background is at each electrode (19,): 1 where nothing is special."""
    gains = rng.lognormal(0, 0.08, len(ELECTRODES)) * (1 - rng.uniform(0.0, 0.45) * CENTRE)
    kind = rng.random()
    if kind < 0.12:  # one hemisphere attenuated, mostly the one with the lesion
        weak = side if rng.random() < 0.7 else -side
        gains[np.sign(PLACES[:, 0]) == weak] *= rng.uniform(0.4, 0.9)
    elif kind < 0.2:  # a breach: larger where the skull is open
        gains *= 1 + rng.uniform(0.4, 1.8) * field(lateral_place(rng, side), 0.35)
    elif kind < 0.28:  # a region attenuated
        gains *= 1 - rng.uniform(0.3, 0.75) * field(lateral_place(rng, side), 0.4)
    return gains


def background(rng: np.random.Generator, patient: Patient, samples: int) -> Eeg:
    """Simulate the background, float32 (19, samples) in microvolts."""

    def spectrum(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        octaves = np.log2(np.maximum(frequency, 1e-3) / patient.slowing_hz)
        slow = 1 + patient.slowing * np.exp(-((octaves / 0.9) ** 2))
        shape = slow * (1 + (frequency / patient.knee_hz) ** 2) ** (-patient.slope / 4)
        shape += patient.fast * (1 + (frequency / 2) ** 2) ** -0.25
        return np.asarray(shape / np.sqrt(1 + (frequency / 70) ** 8))

    eeg = _travelling(rng, patient, samples, spectrum)
    if patient.alpha:
        rhythm = shaped(rng, 3, samples, band(patient.alpha_hz - 0.5, patient.alpha_hz + 0.5))
        for wave, place in zip(rhythm, ((-0.45, -0.85), (0.45, -0.85), (0, -0.6)), strict=True):
            wave *= patient.alpha * slow_wander(rng, samples, 2, 0.5)
            eeg += field(np.asarray(place), 0.45)[:, None] * wave
    if patient.beta:
        fast = shaped(rng, 2, samples, band(patient.beta_hz * 0.85, patient.beta_hz * 1.15))
        for wave, x in zip(fast, (-0.4, 0.4), strict=True):
            wave *= np.float32(patient.beta * 0.5) * slow_wander(rng, samples, 3, 0.3)
            eeg += field(np.asarray([x, 0.6]), 0.6)[:, None] * wave
    eeg *= np.asarray(patient.gains, np.float32)[:, None]
    eeg *= slow_wander(rng, samples, 15, 0.15) * slow_wander(rng, samples, 0.7, patient.surges)
    scale = patient.background_uv / max(float(chain_differences(eeg[:, :20_000]).std()), 1e-6)
    eeg *= np.float32(scale)
    if patient.state == "asleep":
        _add_sleep(rng, patient, eeg)
    return eeg


def _travelling(
    rng: np.random.Generator, patient: Patient, samples: int, spectrum: Spectrum
) -> Eeg:
    """Noise of many places that neighbours share, each seen later the farther away."""
    places = PLACES + rng.normal(0, 0.1, PLACES.shape)
    apart = np.linalg.norm(PLACES[:, None] - places[None, :], axis=2)
    fields = np.exp(-((apart / patient.reach) ** 2) / 2)
    fields[PLACES[:, :1] * places[:, 0] < 0] *= patient.across
    travel_s = patient.travel_s * rng.lognormal(0, 0.5, len(places))
    lags = np.rint(np.minimum(apart * travel_s, LONGEST_TRAVEL_S) * RATE_HZ).astype(np.int64)
    longest = int(lags.max())
    waves = shaped(rng, len(places) + 1, samples + longest, spectrum)
    fields *= 1 / np.sqrt((fields**2).sum(axis=1).mean())
    eeg = np.zeros((len(PLACES), samples), np.float32)
    steps = [(int(lag), np.flatnonzero((lags == lag).any(axis=0))) for lag in np.unique(lags)]
    seen = [np.where(lags == lag, fields, 0)[:, of].astype(np.float32) for lag, of in steps]
    for begin in range(0, samples, AT_ONCE):
        part = eeg[:, begin : begin + AT_ONCE]
        for (lag, of), one in zip(steps, seen, strict=True):
            first = begin + longest - lag
            part += one @ waves[of, first : first + part.shape[1]]
    eeg += np.float32(patient.common**0.5) * waves[-1, longest:]
    eeg += np.float32(patient.alone) * shaped(rng, len(PLACES), samples, spectrum)
    return eeg


def _add_sleep(rng: np.random.Generator, patient: Patient, eeg: Eeg) -> None:
    """Add spindles, vertex waves and K complexes, in place."""
    samples = eeg.shape[1]
    seconds = samples / RATE_HZ
    seen = field(np.asarray([0, 0.1]), 0.5)
    for at in moments(rng, samples, seconds / rng.uniform(5, 20)):
        length = min(int(rng.uniform(0.5, 1.5) * RATE_HZ), samples - at)
        time = np.arange(length) / RATE_HZ
        wave = np.sin(2 * np.pi * rng.uniform(11, 15) * time) * np.hanning(length)
        size = np.float32(patient.background_uv * rng.uniform(0.8, 2))
        eeg[:, at : at + length] += seen[:, None] * (size * wave.astype(np.float32))
    for at in moments(rng, samples, seconds / rng.uniform(15, 60)):
        wide = rng.uniform(0.04, 0.25)
        length = min(int(8 * wide * RATE_HZ), samples - at)
        time = np.arange(length) / RATE_HZ - 2.5 * wide
        wave = -np.exp(-((time / wide) ** 2)) + 0.7 * np.exp(-(((time / wide - 2) / 1.5) ** 2))
        size = np.float32(patient.background_uv * rng.uniform(2, 5))
        eeg[:, at : at + length] += seen[:, None] * (size * wave.astype(np.float32))


def bursts(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """Suppression-burst: a factor (samples,) near 1 in bursts and small between them.

    The share of suppression is from a fifth to nine tenths; bursts last 0.3 s and more.
    """
    suppressed = rng.uniform(0.2, 0.9)
    burst_s = float(rng.uniform(0.6, 3))
    gap_s = burst_s * suppressed / (1 - suppressed)
    found = np.full(samples, np.float32(rng.uniform(0.02, 0.2)))
    at = -rng.uniform(0, gap_s)
    while at * RATE_HZ < samples:
        at += gap_s * rng.gamma(4, 0.25)
        length = max(int(burst_s * rng.gamma(4, 0.25) * RATE_HZ), 60)
        first = int(at * RATE_HZ)
        rise = np.minimum(np.minimum(np.arange(length), np.arange(length)[::-1]) / 20, 1)
        part = found[max(first, 0) : max(first + length, 0)]
        np.maximum(part, rise[max(-first, 0) :][: len(part)].astype(np.float32), out=part)
        at += length / RATE_HZ
    return found


def unlike_patterns(rng: np.random.Generator, samples: int, kind: str) -> Eeg:
    """Slow waves that are none of the patterns, (19, samples); peaks near 1."""
    low, high = {"delta": (0.5, 3.0), "theta": (4.0, 7.5)}[kind]
    waves = shaped(rng, 3, samples, band(low, high)) * slow_wander(rng, samples, 2, 0.4)
    found = np.zeros((len(ELECTRODES), samples), np.float32)
    for wave in waves:
        general = rng.random() < 0.5
        side = int(rng.choice((-1, 1)))
        seen = general_field(rng, rng.uniform(-0.5, 1)) if general else None
        if seen is None:
            seen = field(lateral_place(rng, side), rng.uniform(0.35, 0.8))
        found += seen[:, None] * wave
    return found / np.float32(max(float(np.percentile(np.abs(chain_differences(found)), 98)), 1e-6))


def moments(rng: np.random.Generator, before: int, expected: float) -> list[int]:
    """Samples at random, so many on average, in order."""
    return sorted(rng.integers(0, max(before, 1), rng.poisson(expected)).tolist())
