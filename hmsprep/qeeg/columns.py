"""A description of data -> the columns of its features, each with unit, formula and source.

A column is named MEASURE.PLACE.SPAN, such as `line_length.Fp1-F7.10s`. Names, order and formulas
are those of `VERSION`; a change of any makes another version.

Legend: x signal of a bipolar pair in microvolts, x' its mean removed; t sample, r samples a second;
P(f) power spectral density by Welch's method, of frequencies from 0.5 to 30 Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hmsstore import Spec
from hmsstore.montage import mirrored, mirrored_region, neighbours, region_side, side
from hmsstore.reading.feature_table import LATEST, WINDOW
from hmsstore.reading.observed import judged_rows

VERSION = LATEST[WINDOW]
"""Of names, order and formulas."""
MIDLINE = "midline"

BANDS_HZ: Mapping[str, tuple[float, float]] = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
}
"""From the first frequency up to the second, which only the last band includes."""
WAVELET, LEVELS = "db4", 6
SCALES = (*(f"d{level}" for level in range(1, LEVELS + 1)), f"a{LEVELS}")
"""Details of each level, the finest first, and what is left."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a feature is."""

    unit: str
    """Empty where it has none."""
    formula: str
    source: str


_MOMENT = "Joanes and Gill 1998, The Statistician 47: g1 and g2"
_HJORTH = "Hjorth 1970, Electroencephalogr Clin Neurophysiol 29"
_WELCH = "Welch 1967, IEEE Trans Audio 15: Hann windows of 2 s, half overlapping, means removed"
_RHYTHM = "after Hirsch et al. 2021, ACNS terminology: rhythmic patterns repeat from 0.5 to 4 Hz"
_SPIKES = "Mukhopadhyay and Ray 1998, IEEE Trans Biomed Eng 45: smoothed nonlinear energy"

OF_PAIRS: Mapping[str, Measure] = {
    "mean_abs": Measure("uV", "mean |x|", "mean absolute amplitude"),
    "std": Measure("uV", "sqrt(mean x'^2)", "standard deviation"),
    "skewness": Measure("", "mean x'^3 / std^3", _MOMENT),
    "kurtosis": Measure("", "mean x'^4 / std^4 - 3", _MOMENT),
    "zero_crossings": Measure("1/s", "changes of the sign of x' a second", "zero-crossing rate"),
    "line_length": Measure(
        "uV/s", "r mean |x[t+1] - x[t]|", "Esteller et al. 2001, Proc IEEE EMBS 23: over time"
    ),
    "hjorth_activity": Measure("uV^2", "var x", _HJORTH),
    "hjorth_mobility": Measure("1/s", "r sqrt(var dx / var x), dx[t] = x[t+1] - x[t]", _HJORTH),
    "hjorth_complexity": Measure("", "mobility of dx / mobility of x", _HJORTH),
    **{
        f"power_{band}": Measure(
            "ln uV^2", f"ln of the sum of P df, {low:g} to {high:g} Hz", _WELCH
        )
        for band, (low, high) in BANDS_HZ.items()
    },
    **{
        f"relative_{band}": Measure(
            "", f"power from {low:g} to {high:g} Hz over that from 0.5 to 30 Hz", _WELCH
        )
        for band, (low, high) in BANDS_HZ.items()
    },
    "alpha_delta_ratio": Measure(
        "ln", "ln(alpha / delta)", "Claassen et al. 2004, Clin Neurophysiol 115"
    ),
    "theta_beta_ratio": Measure("ln", "ln(theta / beta)", "Lubar 1991, Biofeedback Self-Regul 16"),
    "slow_fast_ratio": Measure(
        "ln",
        "ln((delta + theta) / (alpha + beta))",
        "DTABR: Finnigan et al. 2016, Clin Neurophysiol 127",
    ),
    "spectral_edge": Measure(
        "Hz", "lowest f with 95% of the power from 0.5 to f", "Rampil 1998, Anesthesiology 89"
    ),
    "spectral_entropy": Measure(
        "",
        "-sum p ln p / ln n, p = P / sum P over n frequencies",
        "Inouye et al. 1991, Electroencephalogr Clin Neurophysiol 79",
    ),
    **{
        f"wavelet_{scale}": Measure(
            "",
            f"energy of the coefficients {scale.upper()} over that of all",
            f"{WAVELET}, {LEVELS} levels (Daubechies 1992): D1 is r/4 to r/2, each next the half",
        )
        for scale in SCALES
    },
    "rhythmicity": Measure(
        "",
        "autocorrelation of x from 0.5 to 4 Hz at its peak between lags of 0.25 and 2 s",
        _RHYTHM,
    ),
    "rhythm_frequency": Measure("Hz", "1 / lag of that peak", _RHYTHM),
    "spike_rate": Measure(
        "1/s",
        "peaks of x[t]^2 - x[t-1] x[t+1], over 60 ms, that reach 5 times its mean, 0.15 s apart",
        _SPIKES,
    ),
    "spike_interval_cv": Measure(
        "",
        "standard deviation over mean of the intervals between these peaks, if there are three",
        "coefficient of variation; 0 is periodic, 1 is random",
    ),
}
"""Measures of each bipolar pair; of a chain, their mean over its pairs."""
OF_ELECTRODES: Mapping[str, Measure] = {
    **{
        f"coherence_{band}": Measure(
            "",
            f"mean of |S_ab|^2 / (S_aa S_bb) from {low:g} to {high:g} Hz",
            f"Nunez et al. 1997, Electroencephalogr Clin Neurophysiol 103, on the common average; "
            f"{_WELCH}",
        )
        for band, (low, high) in BANDS_HZ.items()
    },
    **{
        f"phase_locking_{band}": Measure(
            "",
            f"|mean exp i(phase a - phase b)|, phases of the signal from {low:g} to {high:g} Hz",
            "Lachaux et al. 1999, Hum Brain Mapp 8, on the common average",
        )
        for band, (low, high) in BANDS_HZ.items()
    },
}
"""Measures of two electrodes: of those of each pair, and of homologous ones."""
OF_SIDES: Mapping[str, Measure] = {
    **{
        f"asymmetry_{band}": Measure(
            "ln",
            "ln(left / right) of the mean power of homologous pairs that have a signal on both "
            f"sides, {low:g} to {high:g} Hz",
            "log ratio of homologous chains",
        )
        for band, (low, high) in BANDS_HZ.items()
    },
    "asymmetry_all": Measure("ln", "the same, 0.5 to 30 Hz", "log ratio of homologous chains"),
    "symmetry_index": Measure(
        "",
        "mean |P_left - P_right| / (P_left + P_right) over the same pairs and all frequencies",
        "pdBSI: Sheorajpanday et al. 2009 and 2011, Clin Neurophysiol 120 and 122",
    ),
}
"""Measures of a left chain and the right one."""
MEASURES: Mapping[str, Measure] = {**OF_PAIRS, **OF_ELECTRODES, **OF_SIDES}


@dataclass(frozen=True, slots=True)
class Span:
    """Part of the window that is measured."""

    name: str
    """Its length, such as '50s'."""
    first: int
    stop: int
    """Samples of the window: the first, and the one after the last."""


@dataclass(frozen=True)
class Layout:
    """Electrodes, pairs, chains and columns of a store's features."""

    spec: Spec = field(repr=False)

    @cached_property
    def electrodes(self) -> tuple[str, ...]:
        """All channels but the heart's, in the order of the store."""
        return tuple(name for name in self.spec.eeg.features if name != self.spec.heart)

    @cached_property
    def chains(self) -> dict[str, tuple[str, ...]]:
        """Electrodes of each chain, the midline last."""
        more = {MIDLINE: self.spec.midline} if len(self.spec.midline) > 1 else {}
        return dict(self.spec.chains) | more

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The bipolar montage."""
        return neighbours(self.chains)

    @cached_property
    def chain_pairs(self) -> dict[str, slice]:
        """Which of the pairs each chain has."""
        found, first = {}, 0
        for name, chain in self.chains.items():
            found[name] = slice(first, first + len(chain) - 1)
            first += len(chain) - 1
        return found

    @cached_property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """Left chains, each with the right one, if it has as many pairs."""
        return tuple(
            (name, mirrored_region(name))
            for name, chain in self.spec.chains.items()
            if region_side(name) == "left"
            and len(self.spec.chains.get(mirrored_region(name), ())) == len(chain)
        )

    @cached_property
    def homologous(self) -> tuple[tuple[str, str], ...]:
        """Left electrodes, each with the one in the same place on the right."""
        return tuple(
            (name, mirrored(name))
            for name in self.electrodes
            if side(name) == "left" and mirrored(name) in self.electrodes
        )

    @cached_property
    def rate_hz(self) -> float:
        """Samples a second."""
        return self.spec.eeg.row_rate_hz

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The window, and its judged seconds."""
        whole = self.spec.eeg.window_rows
        window = Span(f"{self.spec.eeg.window_s:g}s", 0, whole)
        judged = Span(f"{self.spec.judged_s:g}s", *judged_rows(self.spec, "eeg"))
        return (window,) if judged.name == window.name else (window, judged)

    @cached_property
    def places(self) -> dict[str, tuple[str, ...]]:
        """By measure, the places that it is of."""
        pairs = tuple("-".join(pair) for pair in (*self.pairs,))
        homologous = tuple("-".join(pair) for pair in self.homologous)
        along = (*pairs, *self.chains)
        return {
            **dict.fromkeys(OF_PAIRS, along),
            **dict.fromkeys(OF_ELECTRODES, (*along, *homologous)),
            **dict.fromkeys(OF_SIDES, tuple("-".join(chains) for chains in self.sides)),
        }

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in order: span by span, measure by measure, place by place."""
        return tuple(
            f"{measure}.{place}.{span.name}"
            for span in self.spans
            for measure, places in self.places.items()
            for place in places
        )
