"""What a comparison of models found, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hmstrain.runs.outcome import Scores
from hmstrain.scoring.bootstrap import Span
from hmstrain.scoring.experts import AmongExperts


@dataclass(frozen=True, slots=True)
class Part:
    """A model's KL on some of the rows: those of a class, or of a number of votes."""

    rows: int
    groups: int
    entropy: float | None
    """Of the votes there: levels of KL do not compare where it differs."""
    kl: float | None
    accuracy: float | None
    interval: Span | None
    """95% interval of the KL."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model's scores, over the rows that all models share."""

    name: str
    path: str
    seeds: int
    """How many networks that differ in their seed alone; their scores are averaged."""
    scores: Scores
    by_class: Mapping[str, Part]
    """Rows by expert consensus."""
    by_votes: Mapping[str, Part]
    """Rows by number of votes."""
    by_context: Mapping[str, Part]
    """Rows of which all that a model looks at was recorded, and others; nothing without such."""
    experts: AmongExperts | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, each score under its own key."""
        return {
            **self.scores.to_json(),
            "path": self.path,
            "seeds": self.seeds,
            "by_class": {key: asdict(part) for key, part in self.by_class.items()},
            "by_votes": {key: asdict(part) for key, part in self.by_votes.items()},
            "by_context": {key: asdict(part) for key, part in self.by_context.items()},
            "experts": None if self.experts is None else self.experts.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A score of one model less that of the reference, on the same rows."""

    difference: float
    interval: Span | None
    """95% interval by itself."""
    simultaneous: Span | None
    """95% interval that holds for all models at once; None if there is only one difference."""
    share_better: float | None
    """Share of the resamples in which the model is better: that, and not a probability of being
    better."""
    sign_flip_p: float | None
    """P value of a paired sign-flip test, where there are few patients."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Population:
    """The rows that scores of a kind are over."""

    rows: int
    groups: int
    """Patients, or what else was resampled."""
    entropy: float | None
    """Mean entropy of the votes in nats."""
    weighting: str
    """Which rows count, each once, in words."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What models are worth on the same rows."""

    rows: int
    unit: str
    """What was resampled: 'patients', 'EEGs' or 'patterns of votes'."""
    groups: int
    populations: Mapping[str, Population]
    """Of 'kl' (all rows; accuracy and the rest are over them too), 'kl_votes' and 'kl_hi'."""
    rows_are: str
    """'all', or 'typical': `kl_hi` over one row of each EEG."""
    models: Mapping[str, Model]
    reference: str
    """The model that differences are to."""
    differences: Mapping[str, Mapping[str, Difference]]
    """Of each other model, of each score."""
    replicates: int
    seed: int
    seeds_resampled: bool
    classes_missing: int
    """Resamples that lack a class, which balanced accuracy and F1 then leave out."""
    notes: tuple[str, ...]
    """What the reader has to know."""
    warnings: tuple[str, ...]
    """What speaks against the figures."""

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "rows": self.rows,
            "resampled": {"unit": self.unit, "groups": self.groups},
            "rows_are": self.rows_are,
            "populations": {key: asdict(one) for key, one in self.populations.items()},
            "models": {name: one.to_json() for name, one in self.models.items()},
            "reference": self.reference,
            "differences": {
                name: {key: one.to_json() for key, one in found.items()}
                for name, found in self.differences.items()
            },
            "bootstrap": {
                "replicates": self.replicates,
                "seed": self.seed,
                "seeds_resampled": self.seeds_resampled,
                "resamples_without_a_class": self.classes_missing,
            },
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }
