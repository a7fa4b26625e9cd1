"""All trends of a recording, at any resolution.

Legend: T epochs, F frequencies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import REGIONS
from hmstrain.reading.trends.about import ABOUT
from hmstrain.reading.trends.epochs import SIDES, STEP_S, Floats, epochs_of
from hmstrain.reading.trends.quality import KINDS
from hmstrain.reading.trends.spectrum import frequencies, shown

PICTURES = (*SIDES, *REGIONS)
"""Of what there are spectrograms: both sides and the four chains."""


@dataclass(frozen=True, slots=True)
class Trends:
    """Trends of a recording on one grid of epochs; `hmstrain.reading.trends.about.ABOUT` has units.

    NaN stands where something was missing, and for what is not computed yet.
    """

    time_s: NDArray[np.float64]
    """(T,) middles of the epochs, from the start of the recording."""
    hz: NDArray[np.float64]
    """(F,) of spectrograms and asymmetry."""
    spectrogram_db: dict[str, Floats]
    """'left', 'right', 'LL', 'RL', 'LP', 'RP' -> (T, F) decibels above 1 uV^2/Hz."""
    asymmetry: Floats
    """(T, F) from -1 (all power on the left) to 1."""
    asymmetry_index: Floats
    """(T,) from 0 to 1."""
    aeeg_uv: dict[str, Floats]
    """Side -> (T, 2) lower and upper margin, from peak to peak."""
    suppression: dict[str, Floats]
    """Side -> (T,) share of the last minute."""
    rhythmicity: dict[str, Floats]
    """Side -> (T,) from 0 to 1."""
    rhythm_hz: dict[str, Floats]
    """Side -> (T,); NaN where there is no rhythm at all, too."""
    quality: Floats
    """(T,) share of pairs that hold clean EEG."""
    artefacts: dict[str, Floats]
    """'missing', 'railed', 'flat', 'muscle' -> (T,) share of pairs."""
    epoch_s: float = float(STEP_S)
    """From one middle to the next."""

    @classmethod
    def empty(cls, seconds: float) -> Trends:
        """Trends of a recording of so many seconds, all NaN."""
        epochs = epochs_of(seconds)
        hz = frequencies()[shown()]

        def missing(*shape: int) -> Floats:
            return np.full((epochs, *shape), np.nan, np.float32)

        return cls(
            time_s=np.arange(epochs, dtype=np.float64) * STEP_S + STEP_S / 2,
            hz=hz,
            spectrogram_db={name: missing(len(hz)) for name in PICTURES},
            asymmetry=missing(len(hz)),
            asymmetry_index=missing(),
            aeeg_uv={side: missing(2) for side in SIDES},
            suppression={side: missing() for side in SIDES},
            rhythmicity={side: missing() for side in SIDES},
            rhythm_hz={side: missing() for side in SIDES},
            quality=missing(),
            artefacts={kind: missing() for kind in KINDS},
        )

    @property
    def artefact(self) -> Floats:
        """(T,) share of the pairs that were recorded that show artefact; NaN where none was."""
        missing = self.artefacts["missing"]
        wrong = sum(self.artefacts[kind] for kind in KINDS if kind != "missing")
        recorded = np.where(missing < 1, 1 - missing, np.nan)
        return np.asarray(wrong / recorded, np.float32)

    def arrays(self) -> dict[str, Floats]:
        """Every trend by its name, such as 'quality' and 'suppression/left': the arrays themselves.

        Those that `ABOUT` describes; the first axis of each is T.
        """
        found: dict[str, Floats] = {}
        for name in ABOUT:
            value = getattr(self, name)
            if isinstance(value, dict):
                found |= {f"{name}/{part}": one for part, one in value.items()}
            else:
                found[name] = value
        return found

    def between(self, start_s: float, stop_s: float) -> Trends:
        """The epochs that have their middles in a stretch; views, not copies."""
        first, stop = np.searchsorted(self.time_s, [start_s, stop_s])
        return self._mapped(lambda values, _: values[first:stop], self.time_s[first:stop])

    def at_resolution(self, columns: int) -> Trends:
        """Narrow to at most so many columns, each of as many epochs (the last may be of fewer).

        A column has the mean of its epochs that are known, decibels included; of rhythmicity the
        largest, with its frequency, so that a seizure of ten seconds is seen in a picture of a
        day. NaN where none is known.

        Raises
        ------
        ValueError
            Fewer than one column is asked for.
        """
        if columns < 1:
            raise ValueError(f"expected at least 1 column, got {columns}")
        epochs = len(self.time_s)
        each = -(-epochs // columns)
        if each <= 1:
            return self
        found = self._mapped(
            lambda values, name: _narrowed(values, each, NARROWED[ABOUT[name].narrowed]),
            _narrowed(self.time_s, each, _mean),
        )
        for side in SIDES:
            hz = np.column_stack([self.rhythmicity[side], self.rhythm_hz[side]])
            found.rhythm_hz[side] = _narrowed(hz, each, _of_largest)
        return replace(found, epoch_s=self.epoch_s * each)

    def _mapped(
        self, change: Callable[[Floats, str], Floats], time_s: NDArray[np.float64]
    ) -> Trends:
        changed: dict[str, Any] = {}
        for name in ABOUT:
            value = getattr(self, name)
            if isinstance(value, dict):
                changed[name] = {part: change(one, name) for part, one in value.items()}
            else:
                changed[name] = change(value, name)
        return replace(self, time_s=time_s, **changed)


def _narrowed(
    values: NDArray[Any], each: int, narrow: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[Any]:
    """Narrow (columns, epochs, ...) to (columns, ...); the last column may have fewer epochs."""
    whole = len(values) // each * each
    cut = values[:whole].reshape(-1, each, *values.shape[1:])
    found = [narrow(part) for part in (cut, values[None, whole:]) if part.size]
    return np.concatenate(found)


def _mean(cut: NDArray[Any]) -> NDArray[Any]:
    """Mean of what is known; a mean that holds no NaN is taken at once, since most hold none."""
    found = cut.mean(axis=1)
    some = np.isnan(found).reshape(len(found), -1).any(axis=1)
    if some.any():
        known = np.isfinite(cut[some])
        count = known.sum(axis=1)
        total = np.where(known, cut[some], 0).sum(axis=1)
        found[some] = np.where(count, total / np.maximum(count, 1), np.nan)
    return found


def _largest(cut: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.fmax.reduce(cut, axis=1))


def _of_largest(cut: NDArray[Any]) -> NDArray[Any]:
    """The second of two values where the first is largest, (columns, epochs, 2) -> (columns,)."""
    largest = np.argmax(np.nan_to_num(cut[..., 0], nan=-1), axis=1)
    return np.asarray(cut[np.arange(len(cut)), largest, 1])


NARROWED: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {"mean": _mean, "largest": _largest}
"""By `About.narrowed`."""
