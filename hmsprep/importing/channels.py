"""Labels of signals, as recorders and archives write them -> the store's twenty channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsstore.schema import CHAINS, CHANNELS

NEWER = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
"""Names of the 10-10 system (ACNS guideline 2) -> those of the 10-20 system at the same place."""
EKG = re.compile(r"(EKG|ECG)\s*[0-9LRI]*")
"""Labels of an electrocardiogram: 'EKG', 'ECG1', 'ECGL', 'ECG II'."""
PREFIX = re.compile(r"^(EEG|POL|ECG(?=\s+E)|EKG(?=\s+E))\s+")
"""What stands before the name itself: EDF's type of signal, or a recorder's word."""
SCALP = re.compile(r"(FP|AF|F|FT|FC|C|T|TP|CP|P|PO|O|N|I)(Z|\d{1,2})")
"""Electrodes on the scalp, of the 10-10 system too; ears and mastoids (A1, M2) are none."""
SCALP_REFERENCE, CHAINS_REFERENCE = "scalp", "chains"
NEEDED = tuple(sorted({name for chain in CHAINS.values() for name in chain}, key=CHANNELS.index))
"""Electrodes without which there is no bipolar montage."""
_SCALP = {name.upper(): name for name in CHANNELS if name != "EKG"} | NEWER


ReadSignals = Callable[[Sequence[int], int, int], NDArray[np.floating]]
"""Numbers of signals, first sample at 200 Hz, the one after the last -> (signals, samples) uV."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """How the channels are mixed from a file's signals."""

    mix: Mapping[str, Mapping[int, float]]
    """Channel -> number of each signal that it consists of -> weight. A channel of no signals is 0
    by right: the electrode that the others were measured against, or the first of a chain."""
    references: tuple[str, ...] = ()
    """What the labels say that electrodes were measured against; empty if they do not."""
    reference: str = SCALP_REFERENCE
    """'scalp' if all electrodes share a reference; 'chains' if only the differences of electrodes
    along a chain are known, each chain up to a constant."""
    interpolated: tuple[str, ...] = ()
    """Electrodes that were computed from others."""
    notes: tuple[str, ...] = ()
    """What was guessed or left out, a sentence each, without the file's name."""

    @property
    def filled(self) -> tuple[str, ...]:
        """Channels that the file lacks and the montage can do without."""
        return tuple(name for name in CHANNELS if name not in self.mix)

    @property
    def signals(self) -> tuple[int, ...]:
        """Numbers of the signals that are read, ascending."""
        return tuple(sorted({number for parts in self.mix.values() for number in parts}))

    def mixed(self, read: ReadSignals, first: int, stop: int) -> NDArray[np.float32]:
        """Read the channels of samples [first, stop): (20, samples) microvolts at 200 Hz."""
        numbers = self.signals
        weights = np.zeros((len(CHANNELS), len(numbers)))
        for channel, parts in self.mix.items():
            for number, weight in parts.items():
                weights[CHANNELS.index(channel), numbers.index(number)] = weight
        signals_uv = read(numbers, first, stop)
        mixed_uv = np.zeros((len(CHANNELS), stop - first), np.float32)
        for mixture, row in zip(mixed_uv, weights, strict=True):
            used = np.flatnonzero(row)  # or one signal's missing values would be everyone's
            mixture[:] = row[used] @ signals_uv[used]
        return mixed_uv


def read_label(label: str) -> tuple[str, str] | None:
    """Read the label of one signal.

    Parameters
    ----------
    label : str
        'Fp1', 'FP1', 'T7', 'EEG FP1-REF', 'EEG T3-LE', 'POL C3', 'EKG1-REF' ...

    Returns
    -------
    (str, str) or None
        Channel, and its reference in capitals ('' if none is named); None for any other signal,
        and for a difference of two electrodes.
    """
    text = PREFIX.sub("", label.strip().upper())
    electrode, _, reference = (part.strip() for part in text.partition("-"))
    if EKG.fullmatch(electrode):
        return "EKG", reference
    if electrode not in _SCALP or SCALP.fullmatch(reference):
        return None
    return _SCALP[electrode], reference


def choose_signals(labels: Sequence[str], renamed: Mapping[str, str], where: str) -> Chosen:
    """Find the twenty channels among a file's signals.

    Parameters
    ----------
    labels : sequence of str
        As they stand in the file.
    renamed : mapping
        Label -> what to read it as, for labels of no convention.
    where : str
        Name of the file, for messages.

    Raises
    ------
    DataError
        An electrode of the four chains is missing, or stands there twice.
    """
    signals: dict[str, int] = {}
    references: set[str] = set()
    for number, label in enumerate(labels):
        found = read_label(renamed.get(label.strip(), label))
        if found is None:
            continue
        channel, reference = found
        if channel in signals:
            if channel == "EKG":
                continue  # several leads: the first will do
            raise DataError(
                f"{where} has two signals for {channel}: {labels[signals[channel]]!r} and "
                f"{label!r}. Exclude one of them with --rename '{label.strip()}=none'."
            )
        signals[channel] = number
        if channel != "EKG" and reference:
            references.add(reference)
    absent = [name for name in NEEDED if name not in signals]
    if absent:
        pairs = [label.strip() for label in labels if _is_difference(label)]
        why = ""
        if pairs:
            why = f" It holds differences such as {pairs[0]!r}; referential signals are needed."
        elif labels:
            held = ", ".join(label.strip() for label in labels[:8])
            why = f" It has {held}{' ...' if len(labels) > 8 else ''}."
        raise DataError(
            f"{where} lacks {', '.join(absent)} of the 16 electrodes of the montage.{why} If they "
            "have other names, give them with --rename LABEL=Fp1."
        )
    mix = {channel: {number: 1.0} for channel, number in signals.items()}
    return Chosen(mix, tuple(sorted(references)))


def _is_difference(label: str) -> bool:
    one, dash, other = PREFIX.sub("", label.strip().upper()).partition("-")
    return bool(dash) and all(SCALP.fullmatch(part.strip()) for part in (one, other))
