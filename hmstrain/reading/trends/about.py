"""Each trend's title, unit, formula, source and scale: what a page's hint and the guide show."""

from __future__ import annotations

from dataclasses import dataclass

from hmsstore.view.spectrogram import SCALE_DB


@dataclass(frozen=True, slots=True)
class About:
    """What there is to know of a trend."""

    title: str
    unit: str
    formula: str
    """How it is computed, in a sentence or two."""
    source: str
    """Where the formula is from."""
    scale: tuple[float, float]
    """Lowest and highest value that are drawn, the same for every recording and both sides."""
    narrowed: str = "mean"
    """What stands for several epochs where there is less room: their 'mean' or their 'largest'."""


ABOUT = {
    "spectrogram_db": About(
        "Compressed spectrogram",
        "dB above 1 uV^2/Hz",
        "10 log10 of the mean power spectral density of a side's eight longitudinal bipolar pairs, "
        "or a chain's four: 4 s with Hann's taper every 2 s, 0.5 to 20 Hz in steps of 0.25 Hz.",
        "Welch 1967, IEEE Trans Audio Electroacoust 15, 70-73",
        SCALE_DB,
    ),
    "asymmetry": About(
        "Relative asymmetry",
        "-1 (left) to 1 (right)",
        "(R - L) / (R + L) of the power of homologous pairs, of which each is averaged over 12 s; "
        "mean of the eight pairs at each frequency.",
        "van Putten and Tavy 2004, Stroke 35, 2489-2492",
        (-1.0, 1.0),
    ),
    "asymmetry_index": About(
        "Asymmetry index",
        "0 to 1",
        "Mean over 1 to 20 Hz of |R - L| / (R + L), where R and L are the mean power of a side's "
        "pairs over 12 s: the revised brain symmetry index.",
        "van Putten 2007, Clin Neurophysiol 118, 2362-2367",
        (0.0, 1.0),
    ),
    "aeeg_uv": About(
        "Amplitude-integrated EEG",
        "uV from peak to peak",
        "C3-P3 and C4-P4, 2 to 15 Hz with a gain that rises by 12 dB a decade and is 1 at 10 Hz, "
        "rectified, running mean of 0.5 s, times pi, so that a sine reads its peak-to-peak "
        "amplitude; lower and upper margin are the 10th and 90th percentile of 10 s. The scale is "
        "linear to 10 uV, logarithmic above.",
        "Maynard et al. 1969, Br Med J 4, 545-546; Hellstroem-Westas et al. 2006, NeoReviews 7, "
        "e76-e87",
        (0.0, 100.0),
    ),
    "suppression": About(
        "Suppression ratio",
        "share of the last minute",
        "Share of the last 60 s in which a pair, 1 to 30 Hz, stays within +-5 uV for 0.5 s or "
        "longer; mean of the side's eight pairs.",
        "Rampil 1998, Anesthesiology 89, 980-1002; the threshold of 10 uV from peak to peak: "
        "Hirsch et al. 2021, J Clin Neurophysiol 38, 1-29",
        (0.0, 1.0),
    ),
    "rhythmicity": About(
        "Rhythmicity",
        "0 to 1",
        "Height of the peak that tells the period, the first that reaches nine tenths of the "
        "highest, of the autocorrelation of 10 s, 0.5 to 16 Hz, at lags of a period of 0.5 to "
        "12 Hz: mean of a chain's four pairs, the higher of the side's two chains.",
        "Liu et al. 1992, Electroencephalogr Clin Neurophysiol 82, 30-37",
        (0.0, 1.0),
        "largest",
    ),
    "rhythm_hz": About(
        "Frequency of the rhythm",
        "Hz",
        "One over the lag of the peak whose height is the rhythmicity.",
        "Liu et al. 1992, Electroencephalogr Clin Neurophysiol 82, 30-37",
        (0.0, 12.0),
    ),
    "quality": About(
        "Quality",
        "share of pairs",
        "Share of the 18 longitudinal pairs that are recorded throughout 2 s, not at the rail "
        "(beyond 1,000 uV and still for a quarter of the time), not flat (less than 0.1 uV) and "
        "not full of muscle (more than 5 uV root mean square from 25 to 45 Hz over 4 s). Not known "
        "at both ends of the recording and beside gaps, where half of the pairs have no such 4 s.",
        "own definition",
        (0.0, 1.0),
    ),
    "artefacts": About(
        "Artefacts",
        "share of pairs",
        "Share of the 18 longitudinal pairs that are missing, railed, flat or full of muscle; a "
        "pair counts for the first that holds.",
        "own definition",
        (0.0, 1.0),
    ),
}
"""By field of `Trends`."""
