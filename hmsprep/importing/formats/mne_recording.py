"""A recording that MNE has opened -> microvolts at 200 Hz of any part, and annotations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import partial
from math import ceil, floor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError
from hmsprep.importing.channels import choose_signals, named
from hmsprep.importing.electrodes import shown
from hmsprep.importing.formats.edf_units import NAME_IT, microvolts, read_unit
from hmsprep.importing.pieces import RATE
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.resampling import resampled
from hmsprep.words import plural

MICROVOLTS_PER_VOLT = 1e6
VOLT = 107
"""MNE's number (of the FIFF standard) for channels in volts."""
VOLTAGES = ("V", "mV", "\u00b5V", "nV")
"""Units of files from which MNE's readers scale to volts, whatever the type of a channel."""
SLOWEST_HZ = 50
"""Slower signals do not hold the 20 Hz that spectrograms reach to."""
LARGEST_DENOMINATOR = 10**6
"""Of a rate in Hz as a ratio: a day of such a rate ends within a tenth of a sample."""
BOUNDARIES = ("boundary", "edge boundary", "bad boundary", "new segment", "-99", "-99.0")
"""Annotations that mark where parts were joined, in lower case; -99 among EEGLAB's numbers."""
MOMENT_SAMPLES = 1.5
"""Up to which an annotation is of a moment: BrainVision writes those with a length of 1 sample."""
COMMENT = "Comment/"
"""What MNE puts before a note of BrainVision."""
SKIPPED = "bad_acq_skip"
"""Annotation of a stretch that was not recorded and that MNE fills with zeros."""
log = logging.getLogger("hmsprep")


def raw_recording(
    raw: Any,
    path: Path,
    options: Options,
    unit_v: float | None = 1.0,
    *,
    volts: bool = False,
    seconds: Mapping[int, str] | None = None,
    notes: Sequence[str] = (),
) -> Recording:
    """Take a recording that MNE has opened.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Its signals in volts; they are read when they are needed.
    path : Path
        Its file, for messages and labels.
    options : Options
        How to read what it leaves open.
    unit_v : float, optional
        The unit in volts that its values are in by assumption; None: its file names it.
    volts : bool
        Whether all its signals are in volts, whatever MNE calls them.
    seconds : mapping, optional
        Number of a channel, from 0 on -> what its file says that it was measured against.
    notes : sequence of str
        What else its file says that MNE passes over, a sentence each.

    Raises
    ------
    DataError
        It was cut and joined, lacks electrodes of the montage, is sampled too slowly, or its
        values are no EEG in their unit.
    """
    against = seconds or {}
    labels = [
        f"{name}-{against[number]}" if number in against else name
        for number, name in enumerate(raw.ch_names)
    ]
    of_name = {shown(name): label for name, label in zip(raw.ch_names, labels, strict=True)}
    rename = {of_name.get(shown(key), key): name for key, name in options.rename.items()}
    kinds = raw.get_channel_types()
    scales_uv, unusable = dict[int, float](), dict[int, str]()
    stated = getattr(raw, "_orig_units", {})
    for number, channel in enumerate(raw.info["chs"]):
        unit = stated.get(raw.ch_names[number])
        in_volts = volts or channel["unit"] == VOLT or _is_scaled(raw, channel, unit)
        scale_uv = _scale(in_volts, unit, unit_v, options)
        if scale_uv is None or kinds[number] == "stim":
            unusable[number] = f"{named(number, labels)} is not in volts: if it is, {NAME_IT}."
        else:
            scales_uv[number] = scale_uv
    chosen = choose_signals(
        labels, rename, str(path), unusable=unusable | dict(options.broken),
        interpolate=options.interpolate,
    )  # fmt: skip
    rate_hz = exact_rate(raw.info["sfreq"])
    if rate_hz < SLOWEST_HZ:
        raise DataError(
            f"{path} has {float(rate_hz):g} samples a second, expected at least {SLOWEST_HZ}."
        )
    marks = tuple((float(a["onset"]) - raw.first_time, float(a["duration"]), str(a["description"]))
                  for a in raw.annotations)  # fmt: skip
    _check_joins(marks, path, raw.n_times / float(rate_hz))
    gaps = _joined(
        (onset, onset + lasts) for onset, lasts, text in marks if text.lower() == SKIPPED
    )
    source = _Source(raw, path, rate_hz, scales_uv, gaps)
    said = [*notes]
    lost = sum("lost samples" in text.lower() for _, _, text in marks)
    if lost:
        said.append(
            f"{path.name} marks {plural(lost, 'place')} where samples were lost: what follows is "
            "that much too early."
        )
    if gaps:
        said.append(
            f"{path.name} was paused {plural(len(gaps), 'time')}, {sum(b - a for a, b in gaps):g} "
            "s in all: missing values."
        )
    bad = [name for name in raw.info["bads"] if raw.ch_names.index(name) in chosen.signals]
    if bad:
        said.append(f"{path.name} marks as bad, and they are read: {', '.join(bad)}.")
    return Recording(
        path=path,
        samples=floor(raw.n_times / rate_hz * RATE),
        chosen=chosen,
        rates_hz={name: float(rate_hz) for name, parts in chosen.mix.items() if parts},
        annotations=tuple(
            (onset, lasts if lasts > MOMENT_SAMPLES / rate_hz else None, text.removeprefix(COMMENT))
            for onset, lasts, text in marks
        ),
        patient=_patient(raw.info["subject_info"] or {}),
        read=partial(chosen.mixed, source.read),
        read_signals=source.read,
        notes=tuple(said),
        signals=tuple(raw.ch_names),
        units=tuple(sorted(set(getattr(raw, "_orig_units", {}).values()))) or ("V",),
        gaps=tuple((floor(begin * RATE), ceil(end * RATE)) for begin, end in gaps),
    )


def _joined(gaps: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join gaps that overlap: MNE tells one that a file marks, and finds in it, twice."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(gaps):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined


class _Source:
    """Signals of a recording in microvolts at 200 Hz."""

    def __init__(
        self,
        raw: Any,
        path: Path,
        rate_hz: Fraction,
        scales_uv: Mapping[int, float],
        gaps: Sequence[tuple[float, float]],
    ) -> None:
        self.raw, self.path, self.rate_hz = raw, path, rate_hz
        self.scales_uv, self.gaps = scales_uv, gaps
        self.lock = Lock()  # its readers share buffers and open files

    def read(self, numbers: Sequence[int], first: int, stop: int) -> NDArray[np.float64]:
        """Read samples [first, stop) at 200 Hz of some signals: (signals, samples) microvolts."""
        blocks: dict[tuple[int, int], NDArray[np.float64]] = {}

        def of_signal(place: int, begin: int, end: int) -> NDArray[np.float64]:
            if (begin, end) not in blocks:
                blocks[begin, end] = self._values(numbers, begin, end)
            scale_uv = self.scales_uv[numbers[place]]
            values: NDArray[np.float64] = blocks[begin, end][place] * scale_uv
            return values

        count = self.raw.n_times
        signals_uv = np.zeros((len(numbers), stop - first))
        for place in range(len(numbers)):
            read = partial(of_signal, place)
            signals_uv[place] = resampled(read, self.rate_hz, count, first, stop)
        for start_s, stop_s in self.gaps:
            begin, end = floor(start_s * RATE) - first, ceil(stop_s * RATE) - first
            signals_uv[:, max(0, begin) : max(0, end)] = np.nan
        return signals_uv

    def _values(self, numbers: Sequence[int], begin: int, end: int) -> NDArray[np.float64]:
        """Samples of some signals, gaps bridged by a line: resampled, MNE's zeros would ring."""
        values = self._stored(numbers, begin, end)
        for gap in self.gaps:
            first, stop = (round(seconds * self.rate_hz) for seconds in gap)
            edges = [at for at in (first - 1, stop) if 0 <= at < self.raw.n_times]
            places = np.arange(max(first, begin), min(stop, end))
            if edges and places.size:
                known = np.hstack([self._stored(numbers, at, at + 1) for at in edges])
                values = values.copy()  # it may be the recording's own array
                for row, ends in zip(values, known, strict=True):
                    row[places - begin] = np.interp(places, edges, ends)
        return values

    def _stored(self, numbers: Sequence[int], begin: int, end: int) -> NDArray[np.float64]:
        try:
            with self.lock, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values: NDArray[np.float64] = self.raw.get_data(
                    picks=list(numbers), start=begin, stop=end, verbose="ERROR"
                )
        except Exception as error:  # whatever a reader meets in a file that it did not expect
            log.debug("%s: %s", self.path, error)
            raise DataError(
                f"{self.path} cannot be read from {float(begin / self.rate_hz):,.1f} s on: it is "
                "damaged, or was changed meanwhile. Copy it again."
            ) from None
        return values


def _is_scaled(raw: Any, channel: Mapping[str, Any], stated: str | None) -> bool:
    """Whether MNE has scaled to volts a channel that it does not say is in volts, as of 'misc'.

    BrainVision's reader leaves microvolts that are written in an unusual way ('uv', or with a Greek
    mu) as they are. MNE amends the name of their unit all the same, but not the channel's range.
    """
    left = type(raw).__name__ == "RawBrainVision" and channel["range"] >= 1 and stated != "V"
    return stated in VOLTAGES and not left


def _scale(
    in_volts: bool, stated: str | None, unit_v: float | None, options: Options
) -> float | None:
    """Microvolts in what MNE gives of a channel; None if nobody knows.

    Parameters
    ----------
    in_volts : bool
        Whether MNE gives volts.
    stated : str, optional
        The unit that the file names, which MNE leaves as it is where it does not know it.
    unit_v : float, optional
        The unit in volts that is taken for granted.
    options : Options
        The user's unit, for files that name none, or one that is none or cannot be.
    """
    named_unit = read_unit((stated or "").encode("latin-1", errors="replace"))
    if not in_volts:
        known = options.unit if options.misnamed else named_unit or options.unit
        return microvolts(known) if known else None
    if options.unit and unit_v is not None:
        return microvolts(options.unit) / unit_v
    if options.unit and options.misnamed:
        return MICROVOLTS_PER_VOLT * microvolts(options.unit) / microvolts(named_unit or "")
    return MICROVOLTS_PER_VOLT


def exact_rate(rate_hz: float) -> Fraction:
    """Take a rate for the ratio of whole numbers that was meant."""
    return Fraction(rate_hz).limit_denominator(LARGEST_DENOMINATOR)


def _check_joins(notes: Sequence[tuple[float, float, str]], path: Path, seconds: float) -> None:
    """Refuse a recording of which parts were cut out, since its time does not go on."""
    joins = [
        onset
        for onset, _, text in notes
        if text.lower().split("/")[0].strip() in BOUNDARIES and 0.1 < onset < seconds - 0.1
    ]
    if joins:
        times = ", ".join(f"{onset:,.1f} s" for onset in joins)
        raise DataError(
            f"{path} was cut and joined, or paused, at {times}: the parts on either side are not "
            "continuous. Export each part separately."
        )


def _patient(subject: Any) -> str:
    """Say who it is of as a header of EDF+ does, only to be compared: code, sex, birth, name."""
    born = subject.get("birthday")
    name = " ".join(str(subject[key]) for key in ("last_name", "first_name") if subject.get(key))
    fields = (
        str(subject.get("his_id") or ""),
        "X",
        f"{born:%d-%b-%Y}" if isinstance(born, date) else "",
        name,
    )
    return " ".join("_".join(field.split()) or "X" for field in fields)
