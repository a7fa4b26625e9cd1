"""Networks of one or several runs and a store -> probabilities of its windows, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, RunError
from hmstrain.events import Progress, silent
from hmstrain.models.trust import Trust
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.precision import Computed
from hmstrain.runs.precision import in_precision as compute_in
from hmstrain.runs.predictions import OUT_OF_FOLD, read_arrays
from hmstrain.runs.trained import AS_THEY_ARE, Trained, Views, load_trained
from hmstrain.scoring.fitting import fit_mixture

AVERAGES = ("arithmetic", "geometric", "fitted")
BATCH = 16
"""Windows at once, at least: without gradients there is room, at full resolution for no more."""
AT_ONCE = 1_024
"""Windows between two calls of `progress`."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Member:
    """A run with its networks: one, or one of each fold."""

    folder: RunFolder
    networks: tuple[Trained, ...]

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.folder.path.resolve().name


def load_members(
    folders: Sequence[RunFolder],
    world: World,
    *,
    trust: Trust = False,
    population: str | None = None,
) -> list[Member]:
    """Load the best checkpoints of finished runs; `trust` and `population` as of `load_trained`.

    Raises
    ------
    RunError
        A folder is not a finished run.
    ConfigError
        Runs take EEG that was cleaned differently.
    ModelError
        A network is not to be imported.
    """
    members = []
    for folder in folders:
        if not folder.finished:
            raise RunError(f"{folder.path} is not finished: {folder.how_to_resume}.")
        networks = tuple(
            load_trained(part, world.device, trust=trust, population=population)
            for part in folder.networks()
        )
        members.append(Member(folder, networks))
    first = members[0].networks[0].normalisation.cleaning
    for member in members[1:]:
        other = member.networks[0].normalisation.cleaning
        different = [name for name in first if other.get(name) != first[name]]
        if different:
            raise ConfigError(
                f"{members[0].name} and {member.name} were trained on signals cleaned in different "
                f"ways ({', '.join(different)}), so they cannot share windows."
            )
    return members


def in_precision(
    members: Sequence[Member],
    store: Store,
    rows: NDArray[np.int64],
    world: World,
    precision: str | None,
    views: Views = AS_THEY_ARE,
) -> tuple[list[Member], list[list[Computed]]]:
    """Let each network of each member compute in a precision: see `runs.precision`."""
    computing, found = [], []
    for member in members:
        one = [
            compute_in(
                trained, folder, store, rows, world, precision,
                views=len(views), batch_size=BATCH,
            )
            for trained, folder in zip(member.networks, member.folder.networks(), strict=True)
        ]  # fmt: skip
        computing.append(Member(member.folder, tuple(trained for trained, _ in one)))
        found.append([computed for _, computed in one])
    return computing, found


def predict_rows(
    members: Sequence[Member],
    store: Store,
    rows: NDArray[np.int64],
    world: World,
    *,
    views: Views = AS_THEY_ARE,
    progress: Progress = silent,
) -> list[Floats]:
    """Probabilities by each member.

    Parameters
    ----------
    rows : int64 (N,)
        Windows of the store.
    views : Views
        What each network's answers are averaged over.
    progress : callable, optional
        Called with the windows done and their number: each network's, and each view's, once.

    Returns
    -------
    list of float64 (N, K)
        Mean over a member's networks, for each member.

    Raises
    ------
    DataError
        The store has other classes than what a run was trained on, or was cleaned differently.
    """
    for member in members:
        for trained in member.networks:
            trained.check(store)
    total = len(rows) * len(views) * sum(len(member.networks) for member in members)
    done = 0
    found = []
    for member in members:
        seen: list[Floats] = []
        for trained in member.networks:
            for view in views:
                with trained.evaluator(
                    store, world, **view, rows=rows, batch_size=BATCH
                ) as evaluator:
                    parts = []
                    for first in range(0, len(rows), AT_ONCE):
                        part, _ = evaluator.predict(trained.network, rows[first : first + AT_ONCE])
                        parts.append(part)
                        done += len(part)
                        store.release()
                        progress(done, total)
                seen.append(np.concatenate(parts))
        found.append(np.mean(seen, axis=0))
    return found


def fit_weights(folders: Sequence[RunFolder]) -> Floats:
    """Weights of runs that make the KL divergence of their average least, out of fold.

    Measured on one window of each EEG and votes, each predicted by networks that never saw its
    patient, so weights may be fitted there.

    Raises
    ------
    RunError
        A run has no predictions out of fold, or of other windows or another store than the rest.
    """
    found = []
    for folder in folders:
        path = folder.path / OUT_OF_FOLD
        if folder.config().fold != "all" or not path.is_file():
            raise RunError(
                f"{folder.path} has no out-of-fold predictions to fit weights on: train it with "
                "--fold all, or use --average arithmetic."
            )
        found.append(read_arrays(path))
    first = found[0]
    for folder, one in zip(folders, found, strict=True):
        if str(one["identity"]) != str(first["identity"]) or not np.array_equal(
            one["row"], first["row"]
        ):
            raise RunError(
                f"{folders[0].path} and {folder.path} held out different windows: their folds "
                "differ, so one may have trained on windows that the other is scored on."
            )
    groups = np.column_stack([first["eeg_id"], first["votes"]])
    _, once = np.unique(groups, axis=0, return_index=True)
    predictions = np.stack([one["prediction"][once] for one in found])
    return fit_mixture(predictions, first["target"][once].astype(np.float64))
