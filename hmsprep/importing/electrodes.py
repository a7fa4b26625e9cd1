"""The label of one signal, as recorders and archives write it -> an electrode and a second part.

Labels come padded, cut by NUL, in any encoding and case, with a type in front and a reference or a
second electrode behind, with any separator: 'Fp1..', 'EEG FP1-REF', 'EEG_T7', 'POL C3', 'C3A2'.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from hmsstore.schema import CHANNELS

HEART = "EKG"
NEWER = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
"""Names of the 10-10 system (ACNS guideline 2) -> those of the 10-20 system at the same place."""
EKG = re.compile(r"(EKG|ECG)\s*(I{1,3}|[LR]|V?\d{1,2})?")
"""Labels of an electrocardiogram: 'EKG', 'ECG1', 'ECGL', 'ECG II', 'ECG V1'."""
SCALP = re.compile(r"(FP|AF|F|FT|FC|C|T|TP|CP|P|PO|O|N|I)(Z|\d{1,2})")
"""Electrodes on the scalp, of the 10-10 system too; ears and mastoids (A1, M2) are none."""
_NAMES = {name.upper(): name for name in CHANNELS if name != HEART} | NEWER
_DASHES = dict.fromkeys(map(ord, "\x96\x97\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
"""Dashes that are not ASCII's, those of cp1252 read as Latin-1 too."""
_PREFIX = re.compile(r"(EEG|POL|ECG(?=\W+E)|EKG(?=\W+E))[\s._:-]*|\d+\s*[-.:_)]\s*(?=[A-Z])")
"""What stands before the name: EDF's type of signal, a recorder's word, a running number."""
_QUOTED = re.compile(r"^(['\"])(.*)\1$")
_UNIT = re.compile(r"\s*[(\[]\s*[NUM\u03bc\u039c]?V\s*[)\]]$")
_SEPARATED = re.compile(r"\s*[-/:_.,][-/:_.,\s]*(.*)")
_KNOWN_SECOND = re.compile(r"A[12]|A1\+?A2|M[12]|M1\+?M2|REF|AVG|AVE?|LE|CAR")
"""References that may follow without a separator, as in 'C3A2' or 'C3 Ref'."""
_PAIR = re.compile(rf"([A-Z]+[\dZ])[\s/:_.-]+(?:{_KNOWN_SECOND.pattern}|\d+)")
"""The second electrode of a pair with what a recorder hung onto it: 'Fp1-F7-REF', 'Fp1-F7 1'."""
_COPY = re.compile(r"-\d+$")
"""Number that a reader hung onto a label that stands there twice: 'T8-P8-1'."""


def shown(label: str) -> str:
    """Make a label fit to be shown: cut at NUL, without padding, in its own characters.

    Parameters
    ----------
    label : str
        As it stands in the file, bytes beyond ASCII read as Latin-1.
    """
    text = label.partition("\0")[0]
    with suppress(UnicodeError):  # it is not UTF-8, or is characters already
        text = text.encode("latin-1").decode("utf-8")
    text = unicodedata.normalize("NFKC", text.translate(_DASHES)).replace("\ufeff", "")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def read_label(label: str) -> tuple[str, str] | None:
    """Read the label of one signal.

    Parameters
    ----------
    label : str
        'Fp1', 'FP1..', 'T7', 'EEG FP1-REF', 'EEG T3-LE', 'POL C3', 'F3 - Pz', 'EKG1-REF' ...

    Returns
    -------
    (str, str) or None
        Channel, and what stands behind it: an electrode of the store by its name there, anything
        else in capitals, '' if nothing does. None for signals of no channel.

    Examples
    --------
    >>> read_label("EEG T7-REF"), read_label("FP1-F7"), read_label("Photic")
    (('T3', 'REF'), ('Fp1', 'F7'), None)
    """
    text = _UNIT.sub("", _QUOTED.sub(r"\2", shown(label).upper().rstrip("._* ")))
    while _heart(text) is None and (prefix := _PREFIX.match(text)):
        text = text[prefix.end() :]
    return _heart(text) or _electrode(text)


def _heart(text: str) -> tuple[str, str] | None:
    first, _, second = (part.strip() for part in text.partition("-"))
    return (HEART, second) if EKG.fullmatch(first) else None


def _electrode(text: str) -> tuple[str, str] | None:
    first = next((name for name in (text[:3], text[:2]) if name in _NAMES), None)
    if first is None:
        return None
    rest = text[len(first) :]
    separated = _SEPARATED.fullmatch(rest)
    second = separated[1] if separated else rest.strip()
    if _COPY.sub("", second) in _NAMES:
        second = _COPY.sub("", second)
    pair = _PAIR.fullmatch(second)
    if pair is not None and pair[1] in _NAMES:
        second = pair[1]
    if second.isdigit() and separated:
        second = ""  # 'F3-1': a reader's number of a label that stands there twice
    if not separated and second and not _KNOWN_SECOND.fullmatch(second) and second not in _NAMES:
        return None  # 'C3P' and 'Fp10' are other electrodes
    return _NAMES[first], _NAMES.get(second, second)
