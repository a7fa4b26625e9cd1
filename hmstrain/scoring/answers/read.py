"""A file or a run -> one model's probabilities by id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS
from hmsstore.json_shapes import ShapeError, entry, entry_or, mapping, optional, read_json, text
from hmstrain.errors import DataError, RunError
from hmstrain.runs.predictions import OBSERVED, OUT_OF_FOLD, TESTED, read_arrays
from hmstrain.scoring.answers import columns as named
from hmstrain.scoring.answers.tables import ZIP, Table, first_bytes, read_table
from hmstrain.scoring.answers.truth import Votes, in_percent, votes_of
from hmstrain.scoring.formulas import Floats
from hmstrain.words import plural

PREDICTED = "predictions.csv"
"""What a folder of predictions or of a blend holds."""
CONFIG, OUTCOME = "config.json", "metrics.json"
"""What a run's folder holds; the module that writes them is heavy, and only runs need it."""
SPLITS = {"test": TESTED, "valid": OUT_OF_FOLD}
"""Files of a run: of its test windows; of those that its networks' folds held out."""
SPLIT_OF = {"held-out folds": "valid", "test": "test"}
"""The split of windows as blends and calibrations call them."""
ROUNDED = 1e-3
"""Probabilities that sum to 1 within this much are scaled: they were rounded when written."""
ANY = ("seed", "fold")
"""Settings in which runs of one model differ."""
OF_A_SEED = re.compile(r"[-_.]?(?:seed|fold)[-_]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Answers:
    """One model's probabilities, and whatever its file says of the rows."""

    name: str
    path: Path
    ids: dict[str, NDArray[Any]]
    prediction: Floats
    """(N, K), each row a distribution."""
    class_keys: tuple[str, ...] = HMS.class_keys
    votes: Votes | None = None
    patient: NDArray[Any] | None = None
    observed: Floats | None = None
    """(N,) share of what the model looks at that was recorded; NaN where it is not known."""
    config: Mapping[str, Any] | None = None
    """Of the run that they are of, if that is known."""
    identity: str | None = None
    """Of the store that they are of."""
    split: str | None = None
    """'test', or 'valid': predicted by networks that held their fold out."""
    whole: bool = True
    """Whether whoever predicts with the model's run gives these very probabilities: not so out of
    fold, where one network of several gave each."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What speaks against them."""

    def take(self, rows: NDArray[np.int64]) -> Answers:
        """Some of the rows."""
        votes = self.votes
        return replace(
            self,
            ids={name: values[rows] for name, values in self.ids.items()},
            prediction=self.prediction[rows],
            votes=None if votes is None else Votes(votes.shares[rows], votes.counts[rows]),
            patient=None if self.patient is None else self.patient[rows],
            observed=None if self.observed is None else self.observed[rows],
        )

    @property
    def run(self) -> Path | None:
        """Folder of the run that they are of, if that is known."""
        return None if self.config is None else self.path.parent

    @property
    def without_seed(self) -> str:
        """The model's name without its seed; that of the folder around it where nothing is left."""
        folder = self.path.resolve().parent
        if self.run is not None:  # a run of several holds one of each seed
            folder = folder.parent
        return OF_A_SEED.sub("", self.name) or shown(folder.name)

    @property
    def model(self) -> str:
        """Equal for two seeds or folds of one model, wherever they were trained.

        By a run's settings and its store, else by folder and name.
        """
        if self.config is None:
            return str(self.path.resolve().parent / OF_A_SEED.sub("", self.name))
        from hmstrain.config import MACHINE_ONLY, PATHS

        told_apart = {
            key: str(Path(value).resolve()) if key in PATHS and value else value
            for key, value in self.config.items()
            if key not in (*ANY, *MACHINE_ONLY)
        }
        return json.dumps([told_apart, self.identity], sort_keys=True)


def read_answers(
    path: Path | str,
    *,
    class_keys: Sequence[str] = HMS.class_keys,
    split: str | None = None,
    id_column: str | None = None,
    patient_column: str | None = None,
    scale: bool = False,
) -> Answers:
    """Read the probabilities of a run, a folder of predictions, or a file.

    Parameters
    ----------
    path : path
        A finished run; what `hmstrain predict` or `blend` wrote; `.npz` of a run; CSV or parquet.
    class_keys : sequence of str
        Names of the K classes.
    split : str, optional
        Of a run: 'test' or 'valid'. By default the first that it has.
    id_column, patient_column : str, optional
        Columns of a table that identify a row, and what is resampled.
    scale : bool
        Scale rows to sum to 1, whatever they sum to.

    Raises
    ------
    RunError
        A run is not finished, or has no such predictions.
    DataError
        The file cannot be read, or holds something other than probabilities.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist: expected a file of predictions or a run.")
    if (path / CONFIG).is_file():
        return _of_run(path, class_keys, split)
    if (path / PREDICTED).is_file():
        found = _of_table(path / PREDICTED, class_keys, id_column, patient_column, scale)
        found = replace(found, name=shown(path.resolve().name), split=_split_of_blend(path))
        return _warned(found, path / "predictions.json")
    if first_bytes(path) == ZIP:
        return _warned(_of_arrays(path, class_keys), path.with_suffix(".json"))
    return _of_table(path, class_keys, id_column, patient_column, scale)


def _split_of_blend(folder: Path) -> str | None:
    """Split of the windows that a blend in a folder is of; None if that is not known."""
    try:
        windows = entry_or(read_json(folder / "blend.json"), "windows", optional(text), None)
    except (OSError, ShapeError):  # no blend, or a damaged one, which is told where it is applied
        return None
    return SPLIT_OF.get(windows or "")


def _warned(found: Answers, beside: Path) -> Answers:
    """Answers with what the file beside them says of windows that the runs had seen before."""
    from hmstrain.scoring.seen import Seen

    try:
        seen = Seen.from_json(entry(read_json(beside), "seen", mapping))
    except (OSError, ShapeError):  # none, of another program, or nothing was scored
        return found
    warnings = [f"{found.name}: {text}" for text in seen.warnings]
    return replace(found, warnings=[*found.warnings, *warnings])


def shown(name: str) -> str:
    """A name as it can be printed and written anywhere."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _of_run(path: Path, class_keys: Sequence[str], split: str | None) -> Answers:
    from hmstrain.runs.folder import RunFolder, refuse_unanswering

    folder = RunFolder(path)
    if not folder.finished:
        raise RunError(f"{folder.path} is not finished: {folder.how_to_resume}.")
    refuse_unanswering(path, folder.config())
    outcome = folder.outcome()
    there = [key for key, name in SPLITS.items() if (folder.path / name).is_file()]
    if split is not None and split not in SPLITS:
        raise RunError(f"--split {split}: expected one of {', '.join(SPLITS)}.")
    if not there or (split is not None and split not in there):
        what = {"test": "test windows", "valid": "windows out of fold", None: "its windows"}[split]
        how = "train it with --fold all" if split == "valid" else "test it with hmstrain test"
        raise RunError(f"{folder.path} has no predictions of {what}: {how}.")
    split = split or there[0]
    found = _of_arrays(folder.path / SPLITS[split], class_keys)
    warnings = []
    if outcome.leaks:
        warnings.append(f"{folder.path}: patients leak between training and test.")
    if split == "valid" and outcome.validation_leaks:
        warnings.append(f"{folder.path}: its held-out fold changed, so validation leaks patients.")
    return replace(found, name=shown(folder.path.resolve().name), warnings=warnings)


def _of_arrays(path: Path, class_keys: Sequence[str]) -> Answers:
    found = read_arrays(path)
    prediction = found["prediction"].astype(np.float64)
    if prediction.shape[1] != len(class_keys):
        raise DataError(
            f"{path}: expected probabilities of {plural(len(class_keys), 'class', 'classes')} "
            f"({', '.join(class_keys)}), got {prediction.shape[1]}."
        )
    votes = found["votes"].astype(np.float64)
    counts = votes.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(counts[:, None] > 0, votes / counts[:, None], np.nan)
    ids = {name: found[name].astype(np.int64) for name in named.IDS}
    # What else lies there is changed: of mirrored input, calibrated, or of windows with few votes.
    of_run = all((path.parent / name).is_file() for name in (CONFIG, OUTCOME))
    split = {name: split for split, name in SPLITS.items()}.get(path.name) if of_run else None
    config = None if split is None else _config(path.parent)
    return Answers(
        name=shown(path.stem),
        path=path,
        ids={name: values for name, values in ids.items() if _given(values)},
        prediction=prediction,
        class_keys=tuple(class_keys),
        votes=Votes(shares, counts),
        patient=found["patient_id"],
        observed=found[OBSERVED],
        config=config,
        identity=str(found["identity"]),
        split=split,
        whole=split != "valid" or config is None or config["fold"] != "all",
    )


def _given(ids: NDArray[Any]) -> bool:
    """Whether ids tell rows apart: windows of a recording that nobody labelled have -1."""
    return ids.dtype.kind not in "if" or bool((ids >= 0).all())


def _config(folder: Path) -> Mapping[str, Any]:
    from hmstrain.runs.folder import RunFolder

    return RunFolder(folder).config().to_json()


def _of_table(
    path: Path,
    class_keys: Sequence[str],
    id_column: str | None,
    patient_column: str | None,
    scale: bool,
) -> Answers:
    more = tuple(name for name in (id_column, patient_column) if name is not None)
    keep = partial(named.is_wanted, class_keys=class_keys, more=more)
    table = read_table(path, keep, named.OF_ROWS)
    if id_column is not None and id_column not in table:
        raise DataError(
            f"{path} has no column {id_column!r}: it has {', '.join(table.header[:12])}."
        )
    columns, votes = named.probabilities_and_votes(path, table.header, class_keys)
    if not len(table):
        raise DataError(f"{path} has no rows.")
    prediction = np.column_stack([table.numbers(name) for name in columns])
    notes: list[str] = []
    rows = np.flatnonzero(~np.isnan(prediction).all(axis=1))
    if not len(rows):
        raise DataError(f"{path} has no answers: the probabilities of all its rows are empty.")
    if len(rows) < len(table):
        notes.append(f"{path}: {plural(len(table) - len(rows), 'row')} without an answer left out.")
    prediction[rows] = _distributions(path, table, prediction[rows], rows, notes, scale=scale)
    names = named.IDS if id_column is None else tuple(dict.fromkeys((id_column, *named.IDS)))
    patient = patient_column or named.PATIENT
    ids = {name: table.ids(name) for name in names if name in table}
    found = Answers(
        name=shown(path.stem),
        path=path,
        ids={name: ids[name] for name in ids if name == id_column or _given(ids[name])},
        prediction=prediction,
        class_keys=tuple(class_keys),
        votes=None if votes is None else votes_of(path, table, votes),
        patient=table.ids(patient) if patient in table else None,
        observed=table.numbers(OBSERVED) if OBSERVED in table else None,
        notes=notes,
    )
    return found if len(rows) == len(table) else found.take(rows)


def _distributions(
    path: Path,
    table: Table,
    q: Floats,
    rows: NDArray[np.int64],
    notes: list[str],
    *,
    scale: bool,
) -> Floats:
    """Refuse what is not a distribution; scale what was rounded."""

    def refuse(bad: NDArray[np.bool_], what: str, do: str) -> None:
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            values = ", ".join(f"{value:g}" for value in q[first])
            of = "1 row has" if bad.sum() == 1 else f"{bad.sum():,} of {len(q):,} rows have"
            raise DataError(
                f"{path}: {of} {what}, the first is row {rows[first] + table.first_line} "
                f"({values}). {do}"
            )

    refuse(
        np.asarray(~np.isfinite(q).all(axis=1)),
        "probabilities that are missing or infinite",
        "Put them right, or leave all of such a row empty to have it left out.",
    )
    logits = "If these are logits, save their softmax."
    refuse(np.asarray((q < 0).any(axis=1)), "probabilities below 0", logits)
    with np.errstate(over="ignore"):
        sums = q.sum(axis=1)
    refuse(~np.isfinite(sums), "probabilities of which the sum is infinite", logits)
    refuse(sums == 0, "probabilities that are all 0", "Leave such a row empty to have it left out.")
    if not scale:
        off = np.abs(sums - 1) > ROUNDED
        do = "Add --scale to scale each row to 1, or save probabilities that do."
        if (q == np.floor(q)).all() and not in_percent(sums, q.shape[1]):
            do = "All are whole numbers, as votes are: give a model's probabilities."
        refuse(off, "probabilities that do not sum to 1", do)
    odd = int((np.abs(sums - 1) > (ROUNDED if scale else 1e-6)).sum())
    if odd:
        notes.append(f"{path}: {plural(odd, 'row')} scaled to sum to 1.")
    scaled: Floats = q / sums[:, None]
    return scaled
