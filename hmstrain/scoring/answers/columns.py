"""Names of columns -> what they hold: ids, patients, votes, probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hmstrain.errors import DataError

LABEL, EEG, SUB, PATIENT = "label_id", "eeg_id", "eeg_sub_id", "patient_id"
OFFSET, CONSENSUS = "eeg_label_offset_seconds", "expert_consensus"
OBSERVED = "observed"
IDS = (LABEL, EEG, SUB)
KEYS = ((LABEL,), (EEG, SUB), (EEG,))
"""Columns that identify a row, the surest first; a file with `eeg_id` alone has a row per EEG."""
VOTES = "{}_vote"
"""Of a table with truth."""
ANSWERED = tuple(
    pattern
    for word in ("prediction", "pred", "preds", "prob", "probs", "oof")
    for pattern in (f"{{}}_vote_{word}", f"{{}}_{word}", f"{word}_{{}}_vote", f"{word}_{{}}")
)
"""Names of probabilities that can be nothing else."""
PROBABILITIES = (*ANSWERED, "{}", VOTES)
"""How six columns of probabilities may be named, by class; those of votes come last, since beside
others they hold the truth, and alone they are a submission's."""
OF_ROWS = frozenset({LABEL, EEG, SUB, PATIENT, OFFSET, CONSENSUS, OBSERVED})


def is_wanted(name: str, class_keys: Sequence[str], more: Sequence[str] = ()) -> bool:
    """Whether a column may hold ids, votes or probabilities."""
    low = name.casefold()
    if low in OF_ROWS or name in more:
        return True
    return any(low == pattern.format(key) for pattern in PROBABILITIES for key in class_keys)


def find(
    path: Path, header: Sequence[str], class_keys: Sequence[str], pattern: str
) -> list[str] | None:
    """Columns of all classes by a pattern, in the order of the classes; None of none of them.

    Capitals do not matter.

    Raises
    ------
    DataError
        Only some classes have such a column, or one has two.
    """
    wanted = [pattern.format(key) for key in class_keys]
    by_name: dict[str, str] = {}
    for name in header:
        low = name.casefold()
        if low in wanted:
            if low in by_name:
                raise DataError(f"{path} has both {by_name[low]} and {name}: which one counts?")
            by_name[low] = name
    if not by_name:
        return None
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise DataError(
            f"{path} has {', '.join(by_name.values())}, but no column {', '.join(missing)}: "
            "expected one for each class."
        )
    return [by_name[name] for name in wanted]


def probabilities_and_votes(
    path: Path, header: Sequence[str], class_keys: Sequence[str]
) -> tuple[list[str], list[str] | None]:
    """Columns of the probabilities of a file of predictions, and of its votes if it has them.

    Raises
    ------
    DataError
        It has no probabilities, or columns of several kinds that may be them.
    """
    for pattern in PROBABILITIES:
        found = find(path, header, class_keys, pattern)
        if found is not None:
            _refuse_others(path, header, class_keys, pattern, found)
            votes = None if pattern == VOTES else find(path, header, class_keys, VOTES)
            if votes is None and pattern in ANSWERED:
                votes = find(path, header, class_keys, "{}")
            return found, votes
    names = ", ".join(class_keys)
    raise DataError(
        f"{path} has no probabilities: expected a column for each class, named {names}, or the "
        f"same with _vote or _vote_prediction; got {', '.join(header[:12]) or 'no columns'}."
    )


def _refuse_others(
    path: Path,
    header: Sequence[str],
    class_keys: Sequence[str],
    pattern: str,
    found: Sequence[str],
) -> None:
    """Refuse a file where columns of another kind may be the probabilities, too.

    Beside those of a plain name any other kind may, since the plain ones may hold the truth.
    """
    kinds: dict[str, dict[str, str]] = {}
    for name in header:
        low = name.casefold()
        for key in class_keys:
            if key in low:
                kinds.setdefault(low.replace(key, "{}", 1), {})[key] = name
    for kind, names in kinds.items():
        rival = kind in ANSWERED if pattern in ANSWERED else kind not in ("{}", VOTES)
        if kind != pattern and rival and len(names) == len(class_keys):
            raise DataError(
                f"{path} has the columns {', '.join(found)} and {', '.join(names.values())}: name "
                f"the probabilities {class_keys[0]}_vote_prediction and so on, or leave the others "
                "out."
            )
