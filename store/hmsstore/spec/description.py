"""What a data set consists of -> classes, signals, electrodes and judged seconds as one value.

A store carries its `Spec` in its root attributes, so that whatever reads it asks the store and
assumes nothing. `HMS` is that of the HMS data; stores that name none are of HMS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any

from hmsstore.errors import SpecError
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    items,
    mapping,
    number,
    optional,
    text,
    texts,
    whole,
)
from hmsstore.spec.parts import AXES, PatternClass, Signal, spec_problems


@dataclass(frozen=True)
class Spec:
    """What a data set consists of.

    Raises
    ------
    SpecError
        Listing everything that is wrong with it.
    """

    name: str
    """Name of the data set in small letters, such as 'hms'."""
    classes: tuple[PatternClass, ...]
    """The patterns, in the order of every array of votes, targets and predictions."""
    signals: Mapping[str, Signal] = field(hash=False)
    """'eeg' and 'spectrogram'."""
    chains: Mapping[str, tuple[str, ...]] = field(hash=False)
    """Region of the spectrogram -> electrodes of its bipolar chain, front to back."""
    midline: tuple[str, ...]
    """Electrodes of the midline, front to back."""
    heart: str | None
    """Channel of the electrocardiogram, if there is one."""
    judged_s: float
    """Raters judged so many seconds at the centre of the EEG window."""
    background: str | None = None
    """Key of the class that stands for none of the other patterns, if there is one."""

    def __post_init__(self) -> None:
        if problems := spec_problems(vars(self)):
            raise SpecError(problems)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle HMS as its name, any other as JSON: work sent to processes stays small."""
        return "HMS" if self is HMS else (Spec.from_json, (self.to_json(),))

    @property
    def class_keys(self) -> tuple[str, ...]:
        """Keys of the classes, in order."""
        return tuple(one.key for one in self.classes)

    @property
    def class_titles(self) -> tuple[str, ...]:
        """Titles of the classes, in order."""
        return tuple(one.title for one in self.classes)

    @property
    def eeg(self) -> Signal:
        """The EEG."""
        return self.signals["eeg"]

    @property
    def spectrogram(self) -> Signal:
        """The spectrogram."""
        return self.signals["spectrogram"]

    @property
    def samples_per_row(self) -> int:
        """EEG samples per row of the spectrogram."""
        return round(self.eeg.row_rate_hz / self.spectrogram.row_rate_hz)

    @property
    def judged_from_s(self) -> float:
        """Where in the EEG window the judged seconds start."""
        return (self.eeg.window_s - self.judged_s) / 2

    @property
    def background_code(self) -> int | None:
        """Position of the background among the classes, if there is one."""
        return None if self.background is None else self.class_keys.index(self.background)

    @property
    def format_version(self) -> int:
        """Version of the format in which a store of such data is written."""
        return 1 if self == HMS else 2

    def same_signals(self, other: Spec) -> bool:
        """Whether windows of both hold the same features at the same rates, for as long."""
        return all(
            replace(signal, shard_rows=0) == replace(other.signals[name], shard_rows=0)
            for name, signal in self.signals.items()
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON value, for a store's root attributes."""
        return {
            "name": self.name,
            "classes": [{"key": one.key, "title": one.title} for one in self.classes],
            "background": self.background,
            "signals": {
                name: {
                    "features": list(signal.features),
                    "unit": signal.unit,
                    "row_rate_hz": signal.row_rate_hz,
                    "window_rows": signal.window_rows,
                    "shard_rows": signal.shard_rows,
                }
                for name, signal in self.signals.items()
            },
            "chains": [
                {"region": region, "electrodes": list(chain)}
                for region, chain in self.chains.items()
            ],
            "midline": list(self.midline),
            "heart": self.heart,
            "judged_s": self.judged_s,
        }

    @classmethod
    def from_json(cls, value: object) -> Spec:
        """Read what `to_json` wrote; keys that are not known are ignored.

        Raises
        ------
        SpecError
            Listing everything that is missing, of the wrong type or contradicts the rest.
        """
        if not isinstance(value, dict):
            raise SpecError([f"expected an object, got {value!r}"])
        found: dict[str, Any] = {}
        problems = []
        for key, read in _READERS.items():
            try:
                found[key] = entry(value, key, read)
            except ShapeError as error:
                problems.append(str(error))
        # What could be read is checked all the same, so that every problem is said at once.
        if problems := problems + spec_problems(found):
            raise SpecError(problems)
        return cls(**found)


def _classes(value: object) -> tuple[PatternClass, ...]:
    return tuple(
        PatternClass(entry(one, "key", text), entry(one, "title", text)) for one in items(value)
    )


def _chains(value: object) -> dict[str, tuple[str, ...]]:
    return {entry(one, "region", text): entry(one, "electrodes", texts) for one in items(value)}


def _signals(value: object) -> dict[str, Signal]:
    return {
        name: Signal(
            name,
            entry(one, "features", texts),
            AXES.get(name, ("row", "feature")),
            entry(one, "unit", text),
            entry(one, "row_rate_hz", number),
            entry(one, "window_rows", whole),
            entry(one, "shard_rows", whole),
        )
        for name, one in sorted(mapping(value).items())
    }


_READERS: dict[str, Callable[[object], Any]] = {
    "name": text,
    "classes": _classes,
    "background": optional(text),
    "signals": _signals,
    "chains": _chains,
    "midline": texts,
    "heart": optional(text),
    "judged_s": number,
}

HMS_FREQUENCIES_HZ = tuple(k * 200 / 1024 for k in range(3, 103))
"""Bins 3 to 102 of a 1024-point transform at 200 Hz: 0.59 to 19.92 Hz."""


def frequency_name(frequency_hz: float) -> str:
    """Name a frequency as the competition's files do: two decimals, halves up, no end zeros."""
    return f"{floor(frequency_hz * 100 + 0.5) / 100:g}"


_HMS_CHAINS = {
    "LL": ("Fp1", "F7", "T3", "T5", "O1"),
    "RL": ("Fp2", "F8", "T4", "T6", "O2"),
    "LP": ("Fp1", "F3", "C3", "P3", "O1"),
    "RP": ("Fp2", "F4", "C4", "P4", "O2"),
}

HMS = Spec(
    name="hms",
    classes=(
        PatternClass("seizure", "Seizure"),
        PatternClass("lpd", "LPD"),
        PatternClass("gpd", "GPD"),
        PatternClass("lrda", "LRDA"),
        PatternClass("grda", "GRDA"),
        PatternClass("other", "Other"),
    ),
    signals={
        "eeg": Signal(
            name="eeg",
            features=tuple(
                "Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz Pz Fp2 F4 C4 P4 F8 T4 T6 O2 EKG".split()
            ),
            dims=AXES["eeg"],
            unit="uV",
            row_rate_hz=200.0,
            window_rows=10_000,
            shard_rows=1_600_000,
        ),
        "spectrogram": Signal(
            name="spectrogram",
            features=tuple(
                f"{r}_{frequency_name(f)}" for r in _HMS_CHAINS for f in HMS_FREQUENCIES_HZ
            ),
            dims=AXES["spectrogram"],
            unit="ln(uV^2/Hz)",
            row_rate_hz=0.5,
            window_rows=300,
            shard_rows=79_800,
        ),
    },
    chains=_HMS_CHAINS,
    midline=("Fz", "Cz", "Pz"),
    heart="EKG",
    judged_s=10.0,
    background="other",
)
"""The HMS data: six patterns (ACNS 2021), 50 s of EEG in 20 channels and 600 s of spectrogram in
four regions with the same centre, of which raters judged the central ten seconds."""
