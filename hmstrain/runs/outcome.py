"""Scores of a finished run <-> `metrics.json`, and the words in which they are shown.

`metrics.json` holds one object. Keys that a run does not have are left out; keys that this version
does not know are ignored::

    outcome_version    1; files without it are of version 1 too
    files              {name: {bytes, sha256}} of the run's predictions, of runs that state it
    sha256             of all other keys, as `hmsstore.sums` seals them
    store              {path, identity, leaks, classes} of what the run was trained on; classes,
                       each {key, title}, are those of HMS where they are left out
    extended           epochs that each extension of the run added
    versions           of the packages that decide the outcome
    leaks              whether patients are in training and test
    test               scores of the test split, or null
    constant           scores of the constant prediction on the same windows
    alignment          how well the embeddings of EEG and spectrogram match, on test windows; of a
                       pretraining, on those held out

    of one network
    best_step, steps   steps of the best validation, and of all training; `test` is of the best
    best_by            score that chose it: kl, kl_votes, kl_hi, kl_minN (one window of each EEG
                       with at least N votes); infonce of a pretraining, elbo of a generator; last:
                       the latest was kept. Without it, kl_votes did
    best_value         that score of the best validation, or null
    best_stage         0; 1 if validations of the second stage alone were compared
    held_out           how many patients the last validation was over, of networks that state it
    valid_kl_votes     kl_votes of the best validation
    validation_leaks   whether the held-out fold changed, so that validation leaks patients
    test_last          scores of the last weights on the test split
    test_per_epoch     [{step, epoch, scores}]; epochs count from 0 in this file
    valid              scores of the held-out fold, of a network whose predictions of it are kept

    of all folds or several seeds, whose answers are averaged
    out_of_fold        scores of every window that was held out, by the networks that held it out:
                       with fold=all every training window, else those of the one fold
    folds              [{valid, test}] of each fold, the mean over seeds, with fold=all
    valid_of_single_folds, test_of_single_folds    {score: {mean, std}} over the folds
    seeds              [{seed, valid, test}] of each seed, the mean over folds, of several seeds
    valid_of_single_seeds, test_of_single_seeds    {score: {mean, std}} over the seeds
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TypeVar

from hmsstore import HMS, PatternClass, Store
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    items,
    mapping,
    number,
    optional,
    text,
    truth,
    whole,
)
from hmstrain.words import plural

FILE = "metrics.json"
VERSION = 1
"""Of the keys of `metrics.json`; a change that older versions cannot read makes it larger."""

Interval = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreId:
    """A store, by where it was and by what it holds."""

    path: str
    identity: str
    leaks: bool | None = None
    """Whether patients are in its training and its test windows; None where that is not noted."""
    classes: tuple[PatternClass, ...] = HMS.classes

    @property
    def class_titles(self) -> tuple[str, ...]:
        """Titles of its classes."""
        return tuple(one.title for one in self.classes)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; what is not noted and the classes of HMS are left out."""
        found = {key: value for key, value in asdict(self).items() if value is not None}
        del found["classes"]
        if self.classes != HMS.classes:
            found["classes"] = [asdict(one) for one in self.classes]
        return found

    @classmethod
    def of(cls, store: Store) -> Self:
        """A store at hand."""
        return cls(str(store.path), store.identity, store.leaks, store.spec.classes)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        return cls(
            entry(value, "path", text),
            entry(value, "identity", text),
            _key(value, "leaks", truth, None),
            tuple(_key(value, "classes", _list(_pattern), list(HMS.classes))),
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """What predictions of some labelled windows are worth. `found["kl"]` is one score."""

    windows: int
    patients: int
    windows_votes: int
    """Those that scores over one window of each EEG and votes are of."""
    windows_hi: int
    """Those that scores over one window of each EEG with ten votes or more are of."""
    values: Mapping[str, float | None]
    """By key of `hmstrain.scoring.metrics.SCORES`; None where there were no windows."""
    kl_per_class: Mapping[str, float]
    """What each class adds to the KL over all windows."""
    kl_per_votes: Mapping[str, float | None]
    """KL of windows with few and many votes."""
    confusion: list[list[int]]
    """(K, K): windows by expert consensus (rows) and most probable class (columns)."""
    intervals: Mapping[str, Interval | None]
    """95% intervals over patients, of scores that have them."""
    tied: int = 0
    """Windows in which several classes have the most votes: `f1_macro` and `kappa` are without."""
    entropy: Mapping[str, float | None] = field(default_factory=dict)
    """Mean entropy of the votes in nats, over 'all' windows and those of 'votes' and 'hi': scores
    over different windows do not compare where it differs."""

    def __getitem__(self, key: str) -> float | None:
        return self.values[key]

    def get(self, key: str) -> float | None:
        """A score; None where a run was made before that score existed."""
        return self.values.get(key)

    @property
    def ties(self) -> str:
        """How windows with a tie are counted, in a sentence; empty without any."""
        if not self.tied:
            return ""
        windows = plural(self.tied, "window")
        return (
            f"{windows} with several classes in the lead: any of them is right; kappa and F1 are "
            "without these windows."
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, each score under its own key."""
        return _flat(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        return cls(
            windows=entry(value, "windows", whole),
            patients=entry(value, "patients", whole),
            windows_votes=entry(value, "windows_votes", whole),
            windows_hi=entry(value, "windows_hi", whole),
            values=_values(value, cls),
            kl_per_class=entry(value, "kl_per_class", _each(number)),
            kl_per_votes=entry(value, "kl_per_votes", _each(optional(number))),
            confusion=entry(value, "confusion", _list(_list(whole))),
            intervals=entry(value, "intervals", _each(optional(_interval))),
            tied=_key(value, "tied", whole, 0),
            entropy=_key(value, "entropy", _each(optional(number)), {}),
        )


@dataclass(frozen=True, slots=True)
class Constant:
    """The constant prediction on the same windows: the mean of all training targets."""

    values: Mapping[str, float | None]
    """Its scores, of those that are compared with it."""
    kl_per_class: Mapping[str, float]
    kl_per_votes: Mapping[str, float | None]
    difference: Mapping[str, float | None]
    """Scores of the model less those of the constant prediction, window by window."""
    difference_intervals: Mapping[str, Interval | None]
    """95% intervals of these over patients."""

    def __getitem__(self, key: str) -> float | None:
        return self.values[key]

    def get(self, key: str) -> float | None:
        """A score; None where it is not compared."""
        return self.values.get(key)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, each score under its own key."""
        return _flat(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        return cls(
            values=_values(value, cls),
            kl_per_class=entry(value, "kl_per_class", _each(number)),
            kl_per_votes=entry(value, "kl_per_votes", _each(optional(number))),
            difference=entry(value, "difference", _each(optional(number))),
            difference_intervals=entry(value, "difference_intervals", _each(optional(_interval))),
        )


@dataclass(frozen=True, slots=True)
class Alignment:
    """How well embeddings of EEG and spectrogram match, over one window of each patient."""

    patients: int
    positive_cosine: float
    """Mean cosine of pairs that belong together."""
    negative_cosine: float
    """Mean cosine of pairs that do not."""
    retrieval_at_1: float
    """Share of spectrograms whose nearest EEG is their own."""
    chance: float
    """The same, if it were drawn at random."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a JSON object; raises ShapeError."""
        names = ("positive_cosine", "negative_cosine", "retrieval_at_1", "chance")
        return cls(entry(value, "patients", whole), *(entry(value, n, number) for n in names))


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation (of a sample) over folds or seeds."""

    mean: float
    std: float

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a JSON object; raises ShapeError."""
        return cls(entry(value, "mean", number), entry(value, "std", number))


@dataclass(frozen=True, slots=True)
class FoldScores:
    """Scores of the network that held one fold out."""

    valid: Scores
    """Of that fold."""
    test: Scores | None
    """Of the test split."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a JSON object; raises ShapeError."""
        return cls(
            entry(value, "valid", Scores.from_json),
            entry(value, "test", optional(Scores.from_json)),
        )


@dataclass(frozen=True, slots=True)
class SeedScores:
    """Scores of what one seed of several says: its network, or the mean of those of its folds."""

    seed: int
    valid: Scores | None
    """Of what was held out; None where nothing was."""
    test: Scores | None
    """Of the test split."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a JSON object; raises ShapeError."""
        return cls(
            entry(value, "seed", whole),
            entry(value, "valid", optional(Scores.from_json)),
            entry(value, "test", optional(Scores.from_json)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finished run came to: see the module for each key."""

    store: StoreId
    versions: Mapping[str, str]
    leaks: bool
    extended: tuple[int, ...] = ()
    test: Scores | None = None
    constant: Constant | None = None
    alignment: Alignment | None = None

    best_step: int | None = None
    steps: int | None = None
    best_by: str | None = None
    best_value: float | None = None
    best_stage: int = 0
    held_out: int | None = None
    valid_kl_votes: float | None = None
    validation_leaks: bool = False
    test_last: Scores | None = None
    test_per_epoch: list[dict[str, Any]] = field(default_factory=list)
    valid: Scores | None = None

    out_of_fold: Scores | None = None
    folds: list[FoldScores] = field(default_factory=list)
    valid_of_single_folds: Mapping[str, Spread | None] = field(default_factory=dict)
    test_of_single_folds: Mapping[str, Spread | None] = field(default_factory=dict)
    seeds: list[SeedScores] = field(default_factory=list)
    valid_of_single_seeds: Mapping[str, Spread | None] = field(default_factory=dict)
    test_of_single_seeds: Mapping[str, Spread | None] = field(default_factory=dict)

    @property
    def scores(self) -> Scores | None:
        """Scores of the test split, or without one those out of fold; None without either."""
        return self.test or self.out_of_fold

    @property
    def kept(self) -> str:
        """Which checkpoint was kept and why, in a sentence; empty for a run of several."""
        if self.best_step is None or self.steps is None:
            return ""
        step = f"Kept the checkpoint of step {self.best_step:,} of {self.steps:,}"
        by, value = self.best_by or "kl_votes", self.best_value
        if self.best_by is None:
            value = self.valid_kl_votes
        if self.validation_leaks:
            return f"{step}, the latest: with fold=rotate, none can be compared."
        unscored = self.valid_kl_votes is None and value is None
        if unscored and not self.held_out:
            return f"{step}, the latest: no fold was held out to choose by."
        if unscored and self.held_out == 1 and self.alignment is not None:
            return f"{step}, the latest: only one patient is held out, so there are no negatives."
        if by == "last" or value is None:
            return f"{step}, the latest, as best_by=last asks."
        stage = "of the second stage" if self.best_stage else "of all validations"
        return f"{step}: its {by} of {value:.4f} is the lowest {stage}."

    def to_json(self) -> dict[str, Any]:
        """As the JSON object of `metrics.json`."""
        found: dict[str, Any] = {
            "outcome_version": VERSION,
            "store": self.store.to_json(),
            "extended": list(self.extended),
            "versions": dict(self.versions),
            "leaks": self.leaks,
            "test": _json(self.test),
        }
        if self.constant is not None:
            found["constant"] = self.constant.to_json()
        if self.alignment is not None:
            found["alignment"] = asdict(self.alignment)
        if not (self.folds or self.seeds):
            found |= {
                "best_step": self.best_step,
                "steps": self.steps,
                "best_by": self.best_by,
                "best_value": self.best_value,
                "best_stage": self.best_stage,
                "held_out": self.held_out,
                "valid_kl_votes": self.valid_kl_votes,
                "validation_leaks": self.validation_leaks,
                "test_last": _json(self.test_last),
                "test_per_epoch": self.test_per_epoch,
            }
        elif self.validation_leaks:
            found["validation_leaks"] = True
        if self.out_of_fold is not None:
            found["out_of_fold"] = self.out_of_fold.to_json()
        if self.folds:
            found["folds"] = [
                {"valid": one.valid.to_json(), "test": _json(one.test)} for one in self.folds
            ]
            found["valid_of_single_folds"] = _spreads(self.valid_of_single_folds)
        if self.test_of_single_folds:
            found["test_of_single_folds"] = _spreads(self.test_of_single_folds)
        if self.seeds:
            found["seeds"] = [
                {"seed": one.seed, "valid": _json(one.valid), "test": _json(one.test)}
                for one in self.seeds
            ]
        for name in ("valid_of_single_seeds", "test_of_single_seeds"):
            if spreads := getattr(self, name):
                found[name] = _spreads(spreads)
        if self.valid is not None:
            found["valid"] = self.valid.to_json()
        return found

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the object of a `metrics.json` that is not of a later version.

        Raises
        ------
        ShapeError
            A key is missing or of another type.
        """
        scores, spreads = optional(Scores.from_json), _each(optional(Spread.from_json))
        return cls(
            store=entry(value, "store", StoreId.from_json),
            versions=entry(value, "versions", _each(text)),
            leaks=entry(value, "leaks", truth),
            extended=tuple(_key(value, "extended", _list(whole), [])),
            test=entry(value, "test", scores),
            constant=_key(value, "constant", optional(Constant.from_json), None),
            alignment=_key(value, "alignment", optional(Alignment.from_json), None),
            best_step=_key(value, "best_step", optional(whole), None),
            steps=_key(value, "steps", optional(whole), None),
            best_by=_key(value, "best_by", optional(text), None),
            best_value=_key(value, "best_value", optional(number), None),
            best_stage=_key(value, "best_stage", whole, 0),
            held_out=_key(value, "held_out", optional(whole), None),
            valid_kl_votes=_key(value, "valid_kl_votes", optional(number), None),
            validation_leaks=_key(value, "validation_leaks", truth, False),
            test_last=_key(value, "test_last", scores, None),
            test_per_epoch=_key(value, "test_per_epoch", _list(_object), []),
            valid=_key(value, "valid", scores, None),
            out_of_fold=_key(value, "out_of_fold", scores, None),
            folds=_key(value, "folds", _list(FoldScores.from_json), []),
            valid_of_single_folds=_key(value, "valid_of_single_folds", spreads, {}),
            test_of_single_folds=_key(value, "test_of_single_folds", spreads, {}),
            seeds=_key(value, "seeds", _list(SeedScores.from_json), []),
            valid_of_single_seeds=_key(value, "valid_of_single_seeds", spreads, {}),
            test_of_single_seeds=_key(value, "test_of_single_seeds", spreads, {}),
        )


def score_text(value: float | None) -> str:
    """A score with three decimals, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def interval_text(interval: Interval | None) -> str:
    """An interval in brackets, or nothing."""
    return "" if not interval else f"[{interval[0]:.3f}, {interval[1]:.3f}]"


# JSON


def _flat(scores: Scores | Constant) -> dict[str, Any]:
    """Fields of scores as a JSON object, in which each value has a key of its own."""
    found = {name: getattr(scores, name) for name in scores.__slots__}
    return {**found.pop("values"), **found}


def _values(value: object, kind: type[Scores | Constant]) -> dict[str, float | None]:
    """Whatever is not a field of its own is a score."""
    read = optional(number)
    names = mapping(value).keys() - set(kind.__slots__)
    return {name: entry(value, name, read) for name in mapping(value) if name in names}


def _json(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else scores.to_json()


def _spreads(spreads: Mapping[str, Spread | None]) -> dict[str, Any]:
    return {key: None if one is None else asdict(one) for key, one in spreads.items()}


def _key(value: object, key: str, read: Callable[[object], T], otherwise: T) -> T:
    return entry(value, key, read) if key in mapping(value) else otherwise


def _each(read: Callable[[object], T]) -> Callable[[object], dict[str, T]]:
    return lambda value: {key: entry(value, key, read) for key in mapping(value)}


def _list(read: Callable[[object], T]) -> Callable[[object], list[T]]:
    return lambda value: [read(one) for one in items(value)]


def _interval(value: object) -> Interval:
    ends = items(value)
    if len(ends) != 2:
        raise ShapeError(f"expected two ends of an interval, got {len(ends)}")
    return number(ends[0]), number(ends[1])


def _pattern(value: object) -> PatternClass:
    return PatternClass(entry(value, "key", text), entry(value, "title", text))


def _object(value: object) -> dict[str, Any]:
    return mapping(value)
