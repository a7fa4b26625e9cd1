"""A temperature and a bias of each class, kept in calibration.json, and whom they are for.

How often each class leads depends on how many raters voted, so a calibration is for one population
of votes: it says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hmsstore.json_shapes import ShapeError, entry, finite, mapping, read_json, text
from hmstrain.errors import RunError
from hmstrain.runs.json_file import check_seal
from hmstrain.scoring.fitting import LOWEST_SLOPE, logs, softmax
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import VOTE_GROUPS

FILE = "calibration.json"
"""In the folder of a run or a blend."""
POPULATIONS = ("all", *VOTE_GROUPS)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature and a bias of each class, and whom they are for."""

    population: str
    """Windows by number of votes: 'all', '1-3', '4-9' or '10+'."""
    temperature: float
    """By which log probabilities are divided before the bias is added."""
    bias: Mapping[str, float]
    """Added to each class's; their sum is 0."""
    temperature_alone: float
    """Fitted without a bias: for windows of which the population is not known."""
    fitted_on: Mapping[str, Any]
    """Whose predictions: model, windows, rows, patients."""

    @property
    def of_test_windows(self) -> bool:
        """Whether it is fitted to test windows, whose scores it makes too good."""
        return self.fitted_on.get("windows") == "test"

    def apply(self, prediction: Floats, *, bias: bool = True) -> Floats:
        """Calibrate probabilities (N, K); without the bias, by the temperature alone."""
        slope = 1 / (self.temperature if bias else self.temperature_alone)
        added = np.asarray(list(self.bias.values())) if bias else np.zeros(prediction.shape[1])
        if slope == 1 and not added.any():
            return prediction
        return softmax(slope * logs(prediction) + added)

    def to_json(self) -> dict[str, Any]:
        """As the content of calibration.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        bias = entry(value, "bias", mapping)
        found = cls(
            population=entry(value, "population", text),
            temperature=entry(value, "temperature", finite),
            bias={key: entry(bias, key, finite) for key in bias},
            temperature_alone=entry(value, "temperature_alone", finite),
            fitted_on=entry(value, "fitted_on", mapping),
        )
        if found.population not in POPULATIONS:
            raise ShapeError(f"population: expected one of {', '.join(POPULATIONS)}")
        if not min(found.temperature, found.temperature_alone) >= LOWEST_SLOPE:
            raise ShapeError(f"temperature: expected numbers from {LOWEST_SLOPE:g}")
        return found


def read_calibration(path: Path, class_keys: Sequence[str]) -> Calibration:
    """Read a calibration.json.

    Raises
    ------
    RunError
        It is not there, is damaged, or has other classes.
    """
    if not path.is_file():
        raise RunError(f"{path} does not exist: make it with hmstrain calibrate.")
    try:
        value = read_json(path)
        check_seal(path, value)
        found = Calibration.from_json(value)
    except (ShapeError, OSError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None
    if list(found.bias) != list(class_keys):
        raise RunError(
            f"{path} is for the classes {', '.join(found.bias)}; expected {', '.join(class_keys)}."
        )
    return found
