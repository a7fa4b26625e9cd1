"""Numbers -> words with the right unit and number; sentences said in several places. No imports."""

from __future__ import annotations

LEAK_WARNING = (
    "Split by window: the same patients are in train and test, so test scores are too good. "
    "Use it only to compare with reports that were scored this way."
)
"""Said when such a store is planned, built, or opened by any command."""
PATIENT_WARNINGS = {
    "guessed": "Whose recordings these are was guessed from file names, folders or headers: if a "
    "guess is wrong, training and test data share patients and scores are too good.",
    "unknown": "Nothing tells whose some of these recordings are, so each of them counts as a "
    "patient of its own: if a patient has several, training and test data share patients and "
    "scores are too good.",
}
"""What to warn of where a split by patient is only as good as a guess."""


def plural(count: int, noun: str, several: str = "") -> str:
    """Put a noun after its count: '1 row', '2 rows', '0 rows'.

    Parameters
    ----------
    count : int
        How many.
    noun : str
        The noun in the singular.
    several : str
        Its plural, if that is not the noun with an 's'.
    """
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def size(nbytes: float) -> str:
    """Say a number of bytes in the unit that suits it: '12.3 MB', '14.4 GB'."""
    if nbytes >= 1e9:
        return f"{nbytes / 1e9:,.1f} GB"
    return f"{nbytes / 1e6:,.1f} MB" if nbytes >= 1e5 else f"{nbytes / 1e3:,.1f} kB"


def clock(seconds: float) -> str:
    """Write a time of a recording as h:mm:ss: '0:00:30', '26:05:00', '-0:00:10'."""
    whole = abs(round(seconds))
    sign = "-" if round(seconds) < 0 else ""
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
