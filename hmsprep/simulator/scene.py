"""A patient and what happens when -> the whole recording: referential EEG and EKG in microvolts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator import patterns
from hmsprep.simulator.head import (
    PLACES,
    electrodes,
    field,
    general_field,
    lateral_field,
)
from hmsprep.simulator.noise import RATE_HZ, band, shaped, slow_wander
from hmsstore.montage import CHAIN_PAIRS, ELECTRODES
from hmsstore.schema import CLASSES

OTHER = CLASSES.index("other")
RAMP_S = 3.0
"""Time in which a pattern comes up and goes away."""
PATTERN_TO_BACKGROUND = 3.2
"""Typical peak of a pattern in a bipolar trace over the background's standard deviation there."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What stays the same through all of a patient's recordings."""

    background_uv: float
    """Standard deviation of a bipolar background trace."""
    slope: float
    """Exponent of the 1/f spectrum of power."""
    slowing: float
    """How much stronger than 1/f theta and delta are, 0 to 3."""
    alpha: float
    """Posterior rhythm of 8 to 12 Hz over the background, 0 in most who are critically ill."""
    alpha_hz: float
    blinks_hz: float
    muscle: float
    side: int
    """Hemisphere of lateralised patterns: -1 left, 1 right."""
    heart_hz: float


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time during which raters would judge alike."""

    start_s: float
    stop_s: float
    truth: NDArray[np.float64]
    """Distribution (6,) that its votes are drawn from: how strong each pattern is in it."""


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient of an intensive care unit."""
    awake = rng.random() < 0.35
    return Patient(
        background_uv=float(rng.lognormal(np.log(14), 0.4)),
        slope=float(rng.uniform(1.2, 2.2)),
        slowing=float(rng.gamma(1.5, 0.6)),
        alpha=float(rng.uniform(0.4, 1.2) if awake else 0.0),
        alpha_hz=float(rng.uniform(8, 11.5)),
        blinks_hz=float(rng.uniform(0.05, 0.35) if awake else 0.0),
        muscle=float(rng.lognormal(np.log(0.18), 0.8)),
        side=int(rng.choice((-1, 1))),
        heart_hz=float(rng.uniform(1.0, 1.9)),
    )


def simulate(
    rng: np.random.Generator, patient: Patient, periods: list[Period], samples: int
) -> NDArray[np.float32]:
    """Simulate a recording from its first sample to its last.

    Returns
    -------
    float32 (20, samples)
        Microvolts: nineteen electrodes, EKG.
    """
    eeg = _background(rng, patient, samples)
    for period in periods:
        first = max(0, int((period.start_s - RAMP_S) * RATE_HZ))
        last = min(samples, int((period.stop_s + RAMP_S) * RATE_HZ))
        if last - first > 2 * RAMP_S * RATE_HZ:
            _add_patterns(rng, patient, period.truth, eeg[:, first:last])
    _add_artefacts(rng, patient, eeg)
    ekg = _heart(rng, patient.heart_hz, samples)
    eeg += rng.uniform(0, 0.01, (len(ELECTRODES), 1)).astype(np.float32) * ekg
    return np.concatenate([eeg, ekg[None]])


def _background(rng: np.random.Generator, patient: Patient, samples: int) -> NDArray[np.float32]:
    def spectrum(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        octaves = np.log2(np.maximum(frequency, 1e-3) / 2.0)
        slow = 1 + patient.slowing * np.exp(-((octaves / 1.3) ** 2))
        shape = (frequency**2 + 0.3**2) ** (-patient.slope / 4)
        return np.asarray(shape * slow / np.sqrt(1 + (frequency / 70) ** 8))

    apart = np.linalg.norm(PLACES[:, None] - PLACES[None, :], axis=2)
    mixing = np.linalg.cholesky(0.45 + 0.55 * np.exp(-((apart / 0.6) ** 2)) + 0.03 * np.eye(19))
    eeg = mixing.astype(np.float32) @ shaped(rng, len(ELECTRODES), samples, spectrum)
    if patient.alpha:
        rhythm = shaped(rng, 3, samples, band(patient.alpha_hz - 0.5, patient.alpha_hz + 0.5))
        for wave, place in zip(rhythm, ((-0.45, -0.85), (0.45, -0.85), (0, -0.6)), strict=True):
            wave *= patient.alpha * slow_wander(rng, samples, 2, 0.5)
            eeg += field(np.asarray(place), 0.45)[:, None] * wave
    eeg *= slow_wander(rng, samples, 15, 0.15)
    eeg *= patient.background_uv / max(float(_chain_differences(eeg[:, :20_000]).std()), 1e-6)
    return eeg


def _chain_differences(eeg: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sixteen bipolar signals (16, n) of nineteen electrodes (19, n), or of a field (19,)."""
    front, back = zip(*CHAIN_PAIRS, strict=True)
    return eeg[electrodes(*front)] - eeg[electrodes(*back)]


def _add_patterns(
    rng: np.random.Generator,
    patient: Patient,
    truth: NDArray[np.float64],
    eeg: NDArray[np.float32],
) -> None:
    """Add to (19, samples), in place, every pattern as strongly as raters are likely to see it."""
    samples = eeg.shape[1]
    ramp = int(RAMP_S * RATE_HZ)
    envelope = np.ones(samples, np.float32)
    envelope[:ramp] = np.sin(np.linspace(0, np.pi / 2, ramp)) ** 2
    envelope[-ramp:] = envelope[:ramp][::-1]
    for number, name in enumerate(CLASSES):
        strength = truth[number] ** 0.7 * rng.lognormal(np.log(PATTERN_TO_BACKGROUND), 0.35)
        if truth[number] > 0.03:
            size = np.float32(strength * patient.background_uv)
            eeg += _pattern(rng, name, patient, samples) * (size * envelope)
    if rng.random() < 0.25 * truth[OTHER]:
        eeg *= 1 - envelope * (1 - _bursts(rng, samples))


def _pattern(
    rng: np.random.Generator, name: str, patient: Patient, samples: int
) -> NDArray[np.float32]:
    """One pattern on the head, (19, samples); peaks near 1 in the bipolar traces that see it."""
    side = patient.side if rng.random() < 0.85 else -patient.side
    if name == "seizure":
        return _seizure(rng, side, samples)
    if name == "lpd":
        seen = lateral_field(rng, side, (0.3, 0.55))
        wave = patterns.periodic(rng, samples, triphasic=False)
    elif name == "gpd":
        seen = general_field(rng, rng.uniform(0.3, 1.0))
        wave = patterns.periodic(rng, samples, triphasic=rng.random() < 0.6)
    elif name == "lrda":
        seen = lateral_field(rng, side, (0.35, 0.65))
        wave = patterns.rhythmic(rng, samples)
    elif name == "grda":
        seen = general_field(rng, rng.uniform(0.7, 1.0))
        wave = patterns.rhythmic(rng, samples)
    else:
        return _none_of_them(rng, samples)
    return _visible(seen)[:, None] * wave


def _seizure(rng: np.random.Generator, side: int, samples: int) -> NDArray[np.float32]:
    if rng.random() < 0.3:
        general = rng.random() < 0.6
        seen = general_field(rng, 0.8) if general else lateral_field(rng, side, (0.35, 0.6))
        return _visible(seen)[:, None] * patterns.spike_and_wave(rng, samples)
    wave, spread = patterns.evolving(rng, samples)
    focus = _visible(lateral_field(rng, side, (0.25, 0.4)))
    wide = _visible(
        lateral_field(rng, side, (0.6, 0.9)) if rng.random() < 0.6 else general_field(rng, 0.6)
    )
    return (focus[:, None] * (1 - spread) + wide[:, None] * spread) * wave


def _none_of_them(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """What raters call other: nothing much, slow waves without rhythm, lone sharp waves, runs."""
    kind = rng.choice(("nothing", "delta", "sharp", "runs"), p=(0.3, 0.35, 0.2, 0.15))
    side = int(rng.choice((-1, 1)))
    lateral = rng.random() < 0.5
    seen = _visible(lateral_field(rng, side, (0.35, 0.7)) if lateral else general_field(rng, 0.7))
    if kind == "delta":
        wave = shaped(rng, 1, samples, band(0.6, 3.5))[0] * slow_wander(rng, samples, 2, 0.4)
    elif kind == "sharp":
        wave = patterns.sporadic(rng, samples, rng.uniform(0.05, 0.3))
    elif kind == "runs":
        gate = slow_wander(rng, samples, 1.5, 1.0) > 1.8
        wave = patterns.rhythmic(rng, samples) * gate
    else:
        wave = np.zeros(samples, np.float32)
    return np.asarray(seen[:, None] * wave, np.float32)


def _visible(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a field so that the bipolar traces that see it best have a peak of 1."""
    best = np.percentile(np.abs(_chain_differences(seen)), 90)
    return np.asarray(seen / best, np.float32)


def _bursts(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """Burst suppression: a factor (samples,) that is 1 in bursts and small between them."""
    level = np.log(slow_wander(rng, samples, 1.5, 1.0))
    return (0.12 + 0.88 / (1 + np.exp(-8 * (level - 0.2)))).astype(np.float32)


def _add_artefacts(rng: np.random.Generator, patient: Patient, eeg: NDArray[np.float32]) -> None:
    """Add blinks, muscle, electrode pops, mains hum and drift to (19, samples), in place."""
    samples = eeg.shape[1]
    seconds = samples / RATE_HZ
    time = np.arange(-0.25, 0.35, 1 / RATE_HZ)
    blink = (np.exp(-((time / 0.09) ** 2)) - 0.2 * np.exp(-(((time - 0.2) / 0.08) ** 2))).astype(
        "f4"
    )
    eyes = field(np.asarray([-0.31, 1.1]), 0.32) + field(np.asarray([0.31, 1.1]), 0.32)
    for at in _moments(rng, samples - len(blink), patient.blinks_hz * seconds):
        eeg[:, at : at + len(blink)] += eyes[:, None] * blink * np.float32(rng.uniform(80, 200))

    tension = np.float32(patient.muscle * patient.background_uv)
    for side in (("T3", "F7", "Fp1"), ("T4", "F8", "Fp2")):
        muscle = shaped(rng, 3, samples, band(22, 75)) * slow_wander(rng, samples, 4, 0.7)
        eeg[electrodes(*side)] += muscle * tension

    decay = np.exp(-np.arange(int(1.5 * RATE_HZ)) / (0.25 * RATE_HZ)).astype(np.float32)
    for at in _moments(rng, samples - len(decay), seconds / 250):
        size = np.float32(rng.choice((-1, 1)) * rng.uniform(100, 900))
        eeg[rng.integers(len(eeg)), at : at + len(decay)] += size * decay
    if rng.random() < 0.03:  # a loose electrode
        at = int(rng.integers(samples))
        eeg[rng.integers(len(eeg)), at : at + int(rng.uniform(1, 20) * RATE_HZ)] += rng.choice(
            np.asarray((-1e5, -5e3, 5e3, 1e5), np.float32)
        )
    hum = np.sin(np.arange(samples) * (2 * np.pi * 60 / RATE_HZ)).astype(np.float32)
    eeg += rng.gamma(1, 0.4, (len(eeg), 1)).astype(np.float32) * hum
    eeg += rng.normal(0, 8, (len(eeg), 1)).astype(np.float32)


def _moments(rng: np.random.Generator, before: int, expected: float) -> list[int]:
    return sorted(rng.integers(0, max(before, 1), rng.poisson(expected)).tolist())


def _heart(rng: np.random.Generator, rate_hz: float, samples: int) -> NDArray[np.float32]:
    """Electrocardiogram (samples,) in microvolts: QRS complexes with T waves."""
    count = int(samples / RATE_HZ * rate_hz * 1.2) + 4
    times = np.cumsum(rng.normal(1, 0.03, count)) / rate_hz
    time = np.arange(-0.2, 0.5, 1 / RATE_HZ)
    beat = (
        np.exp(-((time / 0.012) ** 2))
        - 0.25 * np.exp(-(((time - 0.03) / 0.012) ** 2))
        + 0.2 * np.exp(-(((time - 0.25) / 0.05) ** 2))
    ).astype(np.float32)
    train = np.zeros(samples + len(beat), np.float32)
    at = np.rint(times * RATE_HZ).astype(np.int64)
    for start in at[at < samples]:
        train[start : start + len(beat)] += beat
    return train[:samples] * np.float32(rng.choice((-1, 1)) * rng.uniform(250, 900))
