"""Two samples -> distances in each class and the two-sample test; what all of it comes to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hmsprep.likeness.distances import Distance, distances
from hmsprep.likeness.sample import Sample
from hmsprep.likeness.stand_ins import Drawn, StandIn, mean_areas
from hmsprep.likeness.two_samples import TwoSamples, tell_apart
from hmsprep.qeeg.judged.measures import Measure, measure_of
from hmsstore import Spec

ALL = "all"
"""Group of the distances over all classes."""


@dataclass(frozen=True)
class Comparison:
    """A sample beside the one that it should be like."""

    a: Sample
    b: Sample
    distances: tuple[Distance, ...]
    """By column, in each class that can be compared and in 'all'."""
    test: TwoSamples | None
    """None where there are too few patients."""

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.a.name} | {self.b.name}"

    def largest(self, group: str, count: int | None = None) -> list[Distance]:
        """Distances of a class, the largest first."""
        own = [one for one in self.distances if one.group == group and np.isfinite(one.distance)]
        return sorted(own, key=lambda one: -one.distance)[:count]


@dataclass(frozen=True)
class Realism:
    """What `realism` found."""

    spec: Spec
    comparisons: tuple[Comparison, ...]
    """Of each further store with the first."""
    sources: tuple[Comparison, ...]
    """Of each source of the first store with its others."""
    stand_ins: tuple[StandIn, ...]
    """Of each further store in the place of each source, at equal sizes."""
    bandpass: tuple[float, float] | None
    half: str | None
    warnings: tuple[str, ...]

    @property
    def floor(self) -> dict[str, float]:
        """Mean area under the curve between sources by model, weighed by their smaller samples.

        Empty where no source could be compared.
        """
        tests = [one.test for one in self.sources if one.test is not None]
        names = tests[0].models if tests else ()
        return {
            name: float(
                np.average(
                    [one.models[name].auc for one in tests],
                    weights=[min(one.windows) for one in tests],
                )
            )
            for name in names
        }

    @property
    def in_their_place(self) -> dict[str, dict[str, Drawn]]:
        """The same of each further store that stands in for sources, by its name."""
        names = dict.fromkeys(one.name for one in self.stand_ins)
        return {
            name: mean_areas([one for one in self.stand_ins if one.name == name]) for name in names
        }

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "bandpass_hz": self.bandpass,
            "half": self.half,
            "floor_auc": self.floor,
            "in_their_place_auc": {
                name: {model: one.auc for model, one in models.items()}
                for name, models in self.in_their_place.items()
            },
            "comparisons": [_comparison_json(self.spec, one) for one in self.comparisons],
            "sources": [_comparison_json(self.spec, one) for one in self.sources],
            "stand_ins": [asdict(one) for one in self.stand_ins],
            "measures": {name: asdict(one) for name, one in self.measures.items()},
            "warnings": list(self.warnings),
        }

    @property
    def measures(self) -> dict[str, Measure]:
        """What each column is."""
        return {name: measure_of(name) for name in self.comparisons[0].a.columns}


def compare(spec: Spec, a: Sample, b: Sample, *, resamples: int, seed: int) -> Comparison:
    """Compare two samples: distances in each class, and the two-sample test."""
    found = []
    for group, code in ((ALL, None), *((key, n) for n, key in enumerate(spec.class_keys))):
        found += distances(a, b, group, code, resamples=resamples, seed=seed)
    return Comparison(a, b, tuple(found), tell_apart(a, b, resamples=resamples, seed=seed))


def _comparison_json(spec: Spec, one: Comparison) -> dict[str, Any]:
    return {
        "a": _sample_json(spec, one.a),
        "b": _sample_json(spec, one.b),
        "test": None if one.test is None else _test_json(spec, one.test),
        "distances": [_plain(asdict(each)) for each in one.distances],
    }


def _sample_json(spec: Spec, sample: Sample) -> dict[str, Any]:
    counts = {key: int((sample.code == n).sum()) for n, key in enumerate(spec.class_keys)}
    return {
        "name": sample.name,
        "store": sample.store,
        "windows": len(sample),
        "patients": len(np.unique(sample.patient)),
        "by_class": counts,
    }


def _test_json(spec: Spec, test: TwoSamples) -> dict[str, Any]:
    keys = spec.class_keys
    return {
        "windows": list(test.windows),
        "patients": list(test.patients),
        "models": {
            name: {
                "auc": one.auc,
                "low": one.low,
                "high": one.high,
                "by_class": {keys[code]: auc for code, auc in one.classes.items()},
            }
            for name, one in test.models.items()
        },
        "told_by": [list(pair) for pair in test.told_by],
    }


def _plain(value: Any) -> Any:
    """The same with None for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
