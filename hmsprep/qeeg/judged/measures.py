"""A description of data -> the columns that windows are compared by: unit, formula, source of each.

A column is named MEASURE or MEASURE.PLACE. All are of the judged seconds that were recorded. What
quantitative EEG has (`hmsprep.qeeg`) is taken from there: its median over the bipolar pairs, and
for some its interquartile range over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hmsprep.qeeg.columns import OF_ELECTRODES, OF_PAIRS, OF_SIDES, Layout
from hmsstore import Spec
from hmsstore.reading.feature_table import JUDGED, LATEST

VERSION = LATEST[JUDGED]
"""Of names, order and formulas."""
LEFT_OUT = ("mean_abs", "hjorth_activity", *(name for name in OF_PAIRS if name[:7] == "wavelet"))
"""Hand features that say what others here say."""
SPREAD = (
    "std", "kurtosis", "line_length", "relative_delta", "spectral_edge", "spectral_entropy",
    "rhythmicity",
)  # fmt: skip
"""Hand features whose spread over the head is compared too."""
ACNS = "Hirsch et al. 2021, J Clin Neurophysiol 38 (ACNS terminology)"
_DISTANCE = (
    "angle between electrodes on a sphere: near under 40 degrees (neighbours), middle up to 80, "
    "far beyond"
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a column is."""

    group: str
    """Which question of the page it belongs to."""
    unit: str
    """Empty where it has none."""
    formula: str
    source: str
    log: bool = False
    """Whether distributions are compared on a logarithmic scale: of amounts that are never 0."""


def _of_hand_features() -> dict[str, Measure]:
    groups = {
        "power": "spectrum",
        "relative": "spectrum",
        "spectral": "spectrum",
        "std": "amplitude",
    }
    found = {}
    for name, one in OF_PAIRS.items():
        if name in LEFT_OUT:
            continue
        group = groups.get(name.split("_")[0], "shape")
        if name.endswith("_ratio"):
            group = "spectrum"
        if name.startswith("rhythm"):
            group = "waves"
        log = name in ("std", "line_length")
        found[name] = Measure(
            group, one.unit, f"median over pairs of {one.formula}", one.source, log
        )
        if name in SPREAD:
            formula = f"interquartile range over pairs of {one.formula}"
            found[f"{name}.spread"] = Measure(group, one.unit, formula, one.source)
    for name, one in OF_ELECTRODES.items():
        formula = f"median over the electrodes of pairs of {one.formula}"
        found[name] = Measure("coupling", one.unit, formula, one.source)
        formula = f"median over homologous electrodes of {one.formula}"
        found[f"{name}.homologous"] = Measure("coupling", one.unit, formula, one.source)
    for name, one in OF_SIDES.items():
        formula = f"mean over the chains of the size of {one.formula}"
        found[name] = Measure("sides", one.unit, formula, one.source)
    return found


_KNEE = (
    "Donoghue et al. 2020, Nat Neurosci 23 (with knee); fitted by least absolute error on a grid"
)
_LAG = "cross-correlation on the common average, lags up to 100 ms"
_FITTED = "log10 P = b - log10(1 + (f / knee)^exponent), 1 to 30 Hz, P the median over pairs"
_COLE = "after Cole et al. 2017, J Neurosci 37 (sharpness of extrema)"
_FOUND = (
    "discharge: a peak from 2 to 25 Hz that reaches 4.5 deviations of the background in two pairs "
    "or more within 0.1 s"
)
_OWN = "stated here"

OF_WINDOWS: Mapping[str, Measure] = {
    "exponent": Measure("spectrum", "", _FITTED, _KNEE),
    "knee": Measure("spectrum", "Hz", f"{_FITTED}; 0.25: no knee in sight", _KNEE, log=True),
    **{
        f"correlation_{part}": Measure(
            "coupling", "", f"mean correlation of electrodes, {part}; {_DISTANCE}",
            "Pearson, on the common average",
        )
        for part in ("near", "middle", "far")
    },
    **{
        f"lag_{part}": Measure(
            "coupling", "ms",
            f"mean size of the lag at which the correlation is strongest, {part}; {_DISTANCE}",
            _LAG,
        )
        for part in ("near", "middle", "far")
    },
    "no_lag": Measure(
        "coupling", "", "share of the pairs of electrodes that are most alike without lag", _LAG
    ),
    "first_component": Measure(
        "coupling", "", "share of the variance that one time course for all electrodes explains",
        "principal components of the electrodes on the common average",
    ),
    "dimensions": Measure(
        "coupling", "", "(sum l)^2 / sum l^2 of the variances l of the principal components",
        "participation ratio: Gao and Ganguli 2015, Curr Opin Neurobiol 32", log=True,
    ),
    "common_share": Measure(
        "coupling", "", "variance of the mean of all electrodes over the mean of their variances",
        "what one reference adds to all: Nunez and Srinivasan 2006, Electric Fields of the Brain",
    ),
    "envelope_correlation": Measure(
        "coupling", "", "mean correlation between pairs of ln RMS over 0.25 s", _OWN
    ),
    "discharge_rate": Measure("discharges", "1/s", f"discharges a second; {_FOUND}", _OWN),
    "discharge_frequency": Measure(
        "discharges", "Hz", "1 / median interval, of three discharges or more", ACNS, log=True
    ),
    "interval_cv": Measure(
        "discharges", "", "standard deviation over mean of intervals, of four discharges or more",
        f"coefficient of variation; {ACNS}: periodic if intervals vary by less than half",
    ),
    "discharge_height": Measure(
        "discharges", "uV", "median height at the pair that sees most of it", ACNS, log=True
    ),
    "discharge_prominence": Measure(
        "discharges", "",
        "median height over RMS between discharges (0.15 s away or more), same pair",
        f"{ACNS}: a clear interval between discharges", log=True,
    ),
    "discharge_duration": Measure(
        "discharges", "ms", "median width at half of that height",
        f"{ACNS}: spiky under 70 ms, sharp 70 to 200, blunt above (whole width)", log=True,
    ),
    "discharge_sharpness": Measure(
        "discharges", "", "median share of the height that is lost 20 ms before and after the peak",
        _COLE,
    ),
    "discharge_phases": Measure(
        "discharges", "",
        "mean number of half waves around the peak that reach a fifth of its height", ACNS,
    ),
    "discharge_field": Measure(
        "discharges", "", "mean share of the pairs that see a discharge", _OWN
    ),
    "discharge_lag": Measure(
        "discharges", "ms", "median over discharges of the deviation of its times over pairs", _OWN
    ),
    "discharge_laterality": Measure(
        "discharges", "", "|left - right| / (left + right) of mean heights over the chains",
        "laterality index",
    ),
    "discharge_height_cv": Measure(
        "discharges", "", "standard deviation over mean of heights, of four discharges or more",
        _OWN,
    ),
    "discharge_alike": Measure(
        "discharges", "",
        "median correlation of each discharge's 0.4 s with the mean of the others, same pair", _OWN,
    ),
    "discharge_field_alike": Measure(
        "discharges", "",
        "median cosine of each discharge's heights over pairs with the mean of the others", _OWN,
    ),
    "wave_frequency": Measure(
        "waves", "Hz", "1 / median period from 0.5 to 4 Hz, at the pair with most delta", ACNS,
        log=True,
    ),
    "wave_cv": Measure(
        "waves", "", "standard deviation over mean of these periods, of four or more",
        f"coefficient of variation; {ACNS}: rhythmic if the cycle varies by less than half",
    ),
    "suppression_ratio": Measure(
        "course", "",
        "share of time within +-5 uV for 0.5 s or longer, mean over bipolar pairs",
        f"Vijn and Sneyd 1998, Br J Anaesth 81; {ACNS}: suppressed under 10 uV, bipolar",
    ),
    "rise": Measure(
        "course", "ln",
        "largest ln of the RMS over all pairs of one second over that of the one before", _OWN,
    ),
    "fall": Measure("course", "ln", "the same, of one second over that of the one after", _OWN),
    "rise_quarter": Measure(
        "course", "ln", "the same as rise, of a quarter of a second: how sudden", _OWN
    ),
    "envelope_deviation": Measure(
        "course", "ln", "standard deviation of ln RMS over all pairs of 0.25 s", _OWN
    ),
    "amplitude_change": Measure(
        "course", "ln", "size of ln(RMS of the last four seconds / of the first four)",
        f"{ACNS}: evolution",
    ),
    "frequency_change": Measure(
        "course", "octaves",
        "size of log2(last / first) of the median frequency of these, 1 to 20 Hz",
        f"{ACNS}: evolution",
    ),
    "frequency_wander": Measure(
        "course", "octaves",
        "standard deviation of the log2 of that frequency over segments of 2 s",
        f"{ACNS}: fluctuation",
    ),
    "place_change": Measure(
        "course", "", "1 - cosine of the RMS by pair of the first and the last four seconds",
        f"{ACNS}: evolution in location",
    ),
    **{
        f"mains_{hz}": Measure(
            "artefacts", "ln",
            f"ln of the density within 1 Hz of {hz} over that 3 to 6 Hz away, median over pairs",
            "unfiltered",
        )
        for hz in (50, 60)
    },
    "muscle": Measure(
        "artefacts", "", "share of the seconds of pairs with over 5 uV RMS from 25 to 45 Hz",
        "unfiltered; after van de Velde et al. 1998, Electroencephalogr Clin Neurophysiol 107",
    ),
    "power_fast": Measure(
        "artefacts", "ln uV^2", "ln of the power from 30 to 45 Hz, median over pairs", "unfiltered"
    ),
    "drift": Measure(
        "artefacts", "uV", "standard deviation of means over one second, median over electrodes",
        "unfiltered", log=True,
    ),
    "steps": Measure(
        "artefacts", "",
        "share of electrodes whose median over 0.2 s changes within 0.05 s by more than 150 uV and "
        "by 8 times what is usual of it",
        "unfiltered; stated here",
    ),
    "large": Measure(
        "artefacts", "", "share of the seconds of pairs that span more than 500 uV", "unfiltered"
    ),
    "flat": Measure(
        "artefacts", "", "share of the time of electrodes without change for 0.1 s or longer",
        "unfiltered",
    ),
    "clipped": Measure(
        "artefacts", "",
        "share of the time of electrodes at their largest or smallest value for three samples or "
        "more", "unfiltered",
    ),
}  # fmt: skip
"""Measures of a window as a whole."""
MEASURES: Mapping[str, Measure] = {
    "amplitude": Measure(
        "amplitude", "uV",
        "sqrt(mean x'^2) of an electrode, on the reference it was stored with, or of a pair",
        "standard deviation", log=True,
    ),
    **_of_hand_features(),
    **OF_WINDOWS,
}  # fmt: skip
"""Every measure; `amplitude` is of each electrode and of each pair."""
GROUPS: Mapping[str, str] = {
    "amplitude": "Amplitude",
    "spectrum": "Spectrum",
    "shape": "Shape of the signal",
    "coupling": "Correlation and lag",
    "sides": "Left and right",
    "waves": "Rhythmic waves",
    "discharges": "Discharges",
    "course": "Suppression, onsets, evolution",
    "artefacts": "Artefacts",
}
"""Questions of the page, in its order."""


@dataclass(frozen=True)
class Columns:
    """What is measured of a store's windows."""

    spec: Spec = field(repr=False)

    @cached_property
    def layout(self) -> Layout:
        """Electrodes, pairs and chains."""
        return Layout(self.spec)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        pairs = tuple("-".join(pair) for pair in self.layout.pairs)
        return (
            *(f"amplitude.{name}" for name in self.layout.electrodes),
            *(f"amplitude.{name}" for name in pairs),
            *(name for name in MEASURES if name != "amplitude"),
        )


def measure_of(column: str) -> Measure:
    """What a column is."""
    return MEASURES[column] if column in MEASURES else MEASURES[column.split(".")[0]]
