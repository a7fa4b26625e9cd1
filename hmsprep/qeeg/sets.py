"""A description of data and a span -> what a table of it holds, and how a window is measured.

A table is of one of `SPANS`: of the whole window and of its judged seconds ('window'), or of the
judged seconds alone ('judged'), which needs no more of a recording than they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsprep.qeeg.columns import MEASURES, VERSION, Layout
from hmsprep.qeeg.judged.measures import MEASURES as OF_JUDGED
from hmsprep.qeeg.judged.measures import VERSION as JUDGED_VERSION
from hmsprep.qeeg.judged.measures import Columns
from hmsprep.qeeg.judged.window import BANDPASS_HZ, SHORTEST_S, Measuring
from hmsprep.qeeg.window import Wiring, window_values
from hmsstore import Spec
from hmsstore.reading.feature_table import JUDGED, SPANS, WINDOW
from hmsstore.reading.observed import judged_rows

HEAD = "head"
"""The place of what is of all of it."""
Values = Callable[[NDArray[np.floating[Any]], int, int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class MeasureSet:
    """What a table holds."""

    span: str
    version: int
    """Of names, order and formulas."""
    columns: tuple[str, ...]
    measures: Mapping[str, Mapping[str, str]]
    """Unit, formula and source of each measure."""
    values: Values
    """A window in microvolts (T, C), its first observed sample, and the one after the last -> its
    values, float32 (columns,); NaN where a value cannot be told."""


def measure_set(spec: Spec, span: str) -> MeasureSet:
    """Give what a table of a span holds.

    Raises
    ------
    ParameterError
        There is no such span.
    """
    if span not in SPANS:
        raise ParameterError(f"--span {span}: expected one of {', '.join(SPANS)}.")
    if span == WINDOW:
        layout = Layout(spec)
        return MeasureSet(
            WINDOW,
            VERSION,
            layout.columns,
            {
                name: {"unit": one.unit, "formula": one.formula, "source": one.source}
                for name, one in MEASURES.items()
            },
            partial(window_values, layout, Wiring.of(layout)),
        )
    fastest_hz = 2 * BANDPASS_HZ[1]
    if spec.judged_s < SHORTEST_S or spec.eeg.row_rate_hz <= fastest_hz:
        raise ParameterError(
            f"--span {span} measures {SHORTEST_S:g} judged seconds or more of EEG at over "
            f"{fastest_hz:g} Hz: these data have {spec.judged_s:g} s at {spec.eeg.row_rate_hz:g} "
            f"Hz. Use --span {WINDOW}."
        )
    columns = Columns(spec)
    measuring = Measuring(columns, BANDPASS_HZ)
    first_judged, stop_judged = judged_rows(spec, "eeg")

    def of_judged(
        eeg_uv_TC: NDArray[np.floating[Any]], first: int, stop: int
    ) -> NDArray[np.float32]:
        judged = slice(max(first, first_judged), min(stop, stop_judged))
        return measuring.values(eeg_uv_TC[judged]).astype(np.float32)

    return MeasureSet(
        JUDGED,
        JUDGED_VERSION,
        tuple(f"{_placed(name)}.{spec.judged_s:g}s" for name in columns.names),
        {
            name: {"unit": one.unit, "formula": one.formula, "source": one.source}
            for name, one in OF_JUDGED.items()
        },
        of_judged,
    )


def _placed(name: str) -> str:
    """MEASURE.PLACE of a measure of the judged seconds."""
    return name if "." in name else f"{name}.{HEAD}"
