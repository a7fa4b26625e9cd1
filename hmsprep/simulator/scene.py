"""A patient and what happens when -> the whole recording: referential EEG and EKG in microvolts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.simulator import artefacts, course, patterns, seizures
from hmsprep.simulator.background import (
    USUAL_UV,
    Patient,
    background,
    bursts,
    draw_patient,
    unlike_patterns,
)
from hmsprep.simulator.head import extended_field, visible
from hmsprep.simulator.noise import RATE_HZ, slow_wander
from hmsprep.simulator.recorder import recorded
from hmsprep.simulator.traits import GPD, GRDA, LPD, LRDA, OTHER, SEIZURE, Traits, draw_traits

MARGIN_S = 8.0
"""Around a period, in which its pattern may come up or go away."""
PEAK_UV = 56.0
"""Median peak of an unmistakable pattern in the bipolar traces that see it best, over a background
of the usual size; it grows with the root of the background. This, RHYTHMIC_SMALLER, GENERAL_LARGER
and ATTENUATED were set by 34 real segments."""
FAINTEST = 0.12
"""Size of a pattern that nobody sees, of one that is unmistakable."""
RHYTHMIC_SMALLER = 0.07
GENERAL_LARGER = 0.35
SEIZURE_LARGER = 1.4
ATTENUATED = {LPD: 0.2, GPD: 0.35, LRDA: 0.35, GRDA: 0.7}
"""How often the background is attenuated where all see such a pattern."""
POSTICTAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time during which raters would judge alike."""

    start_s: float
    stop_s: float
    truth: NDArray[np.float64]
    """Distribution (6,) that its votes are drawn from: how strong each pattern is in it."""


def simulate(
    rng: np.random.Generator, patient: Patient, periods: list[Period], samples: int
) -> NDArray[np.float32]:
    """Simulate a recording from its first sample to its last.

    Returns
    -------
    float32 (20, samples)
        Microvolts: nineteen electrodes, EKG.
    """
    eeg = background(rng, patient, samples)
    for period in periods:
        first = max(0, int((period.start_s - MARGIN_S) * RATE_HZ))
        last = min(samples, int((period.stop_s + MARGIN_S) * RATE_HZ))
        if last > first:
            begin, end = (int(at * RATE_HZ) for at in (period.start_s, period.stop_s))
            _add_period(
                rng,
                patient,
                period.truth,
                eeg[:, first:last],
                max(begin - first, 0),
                max(last - end, 0),
            )
            if period.truth[SEIZURE] > 0.5:
                after = eeg[:, end : end + int(POSTICTAL_S * RATE_HZ)]
                if after.shape[1] > 1:
                    size = np.float32(patient.background_uv * rng.uniform(0.5, 3))
                    after += size * seizures.after(rng, patient.side, after.shape[1])
    ekg = _heart(rng, patient.heart_hz, samples)
    artefacts.add_body(rng, patient, eeg, ekg)
    artefacts.add_ward(rng, eeg)
    artefacts.add_electrodes(rng, eeg)
    return np.concatenate([recorded(rng, eeg), ekg[None]])


def _add_period(
    rng: np.random.Generator,
    patient: Patient,
    truth: NDArray[np.float64],
    eeg: NDArray[np.float32],
    before: int,
    after: int,
) -> None:
    """Add to (19, samples), in place, what raters vote on so; also what they take for nothing."""
    samples = eeg.shape[1]
    traits = draw_traits(rng, truth)
    side = patient.side if rng.random() < 0.85 else -patient.side
    bursting, attenuated = _often_suppressed(truth)
    kind = rng.random()
    if kind < bursting + attenuated:
        hull = course.presence(rng, samples, before, after, 0.0).clip(0, 1)
        left = bursts(rng, samples) if kind < bursting else np.float32(rng.uniform(0.08, 0.6))
        eeg *= 1 - hull * (1 - left)
    size = np.float32(_peak_uv(rng, patient, traits))
    there = course.presence(rng, samples, before, after, 0.01 + 0.08 * (1 - traits.visible))
    if traits.ictal > 0.5:
        eeg += (np.float32(SEIZURE_LARGER) * size * there) * seizures.seizure(
            rng, traits, side, samples
        )
    else:
        eeg += (size * there) * patterns.activity(rng, traits, side, samples)
    if rng.random() < truth[OTHER] or rng.random() < 0.2:
        there = course.presence(rng, samples, before, after, 0.1)
        size = np.float32(_other_uv(rng, patient) * (0.3 + 0.7 * truth[OTHER]))
        eeg += (size * there) * _none_of_them(rng, side, samples)


def _often_suppressed(truth: NDArray[np.float64]) -> tuple[float, float]:
    """Chances that a period's background comes in bursts, and that it is attenuated throughout."""
    bursting = 0.18 * truth[OTHER] + 0.12 * truth[GPD]
    return float(bursting), float(sum(share * truth[of] for of, share in ATTENUATED.items()))


def _peak_uv(rng: np.random.Generator, patient: Patient, traits: Traits) -> float:
    """Draw the peak of a pattern, which is what makes it visible, and its regularity."""
    usual = PEAK_UV * (patient.background_uv / USUAL_UV) ** 0.5
    clear = FAINTEST ** (1 - traits.visible) * (1 - RHYTHMIC_SMALLER * traits.rhythmic)
    clear *= 1 + GENERAL_LARGER * traits.general * (1 - traits.rhythmic)
    return float(usual * clear * rng.lognormal(0, 0.3))


def _other_uv(rng: np.random.Generator, patient: Patient) -> float:
    return float(patient.background_uv * rng.lognormal(np.log(2.5), 0.5))


def _none_of_them(rng: np.random.Generator, side: int, samples: int) -> NDArray[np.float32]:
    """What raters call other, peaks near 1: unrhythmic slow waves, lone discharges, short runs."""
    kind = rng.choice(
        ("nothing", "delta", "theta", "sporadic", "runs"), p=(0.2, 0.3, 0.1, 0.2, 0.2)
    )
    if kind in ("delta", "theta"):
        return unlike_patterns(rng, samples, kind)
    seen = extended_field(rng, side, float(rng.random()))
    if kind == "sporadic":
        return visible(seen)[:, None] * patterns.sporadic(rng, samples, rng.uniform(0.03, 0.3))
    if kind == "runs":  # mostly under six cycles
        gate = np.clip(slow_wander(rng, samples, 1.2, 1.0) - 1.6, 0, 1)
        traits = Traits(1.0, float(rng.random()), float(rng.random()), 0.0)
        gated: NDArray[np.float32] = patterns.activity(rng, traits, side, samples) * gate
        return gated
    return np.zeros((len(seen), samples), np.float32)


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


__all__ = ["Patient", "Period", "draw_patient", "simulate"]
