"""Shares of time and seconds -> words of the ACNS; terms by which a background is described.

From Hirsch et al., American Clinical Neurophysiology Society's Standardized Critical Care EEG
Terminology: 2021 Version, J Clin Neurophysiol 2021, 38: 1-29, doi:10.1097/WNP.0000000000000806.
"""

from __future__ import annotations

PREVALENCE = ((0.9, "continuous"), (0.5, "abundant"), (0.1, "frequent"), (0.01, "occasional"))
"""Smallest share of the record or epoch -> word; any less is rare."""
DURATION = ((3600, "very long"), (600, "long"), (60, "intermediate duration"), (10, "brief"))
"""Smallest number of seconds -> word; any less is very brief."""
STATUS_S, STATUS_SHARE, STATUS_HOUR_S = 600.0, 0.2, 3600.0
"""Electrographic status epilepticus: a seizure of ten minutes or more, or seizures that make up a
fifth or more of any 60 minutes."""
ROUNDING, ROUNDING_S = 1e-9, 1e-6
"""By which a share, and seconds, may miss a limit: of sums of floats."""
BACKGROUND_TERMS: dict[str, tuple[str, ...]] = {
    "symmetry": ("symmetric", "mild asymmetry", "marked asymmetry"),
    "breach_effect": ("present", "absent", "unclear"),
    "posterior_rhythm": ("present, ... Hz", "absent", "unclear"),
    "predominant_frequency": ("delta", "theta", "alpha", "beta", "theta and delta"),
    "gradient": ("present", "absent", "reverse", "unclear"),
    "variability": ("present", "absent", "unclear"),
    "reactivity": ("present", "SIRPIDs only", "absent", "unclear", "not tested"),
    "voltage": ("high", "normal", "low", "suppressed"),
    "continuity": (
        "continuous",
        "nearly continuous",
        "discontinuous",
        "burst-attenuation",
        "burst-suppression",
        "attenuation",
        "suppression",
    ),
    "sleep": ("present and normal", "present but abnormal", "absent"),
    "sporadic_discharges": ("none", "rare", "occasional", "frequent", "abundant"),
}
"""What is described of a background -> the terms for it. High voltage is 150 uV or more, low 10 to
less than 20, suppressed less than 10, of most or all activity, peak to trough in a longitudinal
bipolar montage. Nearly continuous: attenuated or suppressed for up to a tenth of the record;
discontinuous: 10 to 49%; burst-attenuation, burst-suppression: 50 to 99%; above: attenuation,
suppression. Sporadic discharges: abundant from one in 10 s on, frequent one a minute, occasional
one an hour."""


def prevalence_word(share: float) -> str:
    """Say a share of the record: 'continuous' from 0.9 on, 'abundant', ... 'rare'; 'none' of 0."""
    if share <= 0:
        return "none"
    return next((word for least, word in PREVALENCE if share >= least - ROUNDING), "rare")


def duration_word(seconds: float) -> str:
    """Say a length: 'very long' from an hour on, ... 'very brief' below 10 s."""
    return next((word for least, word in DURATION if seconds >= least - ROUNDING_S), "very brief")
