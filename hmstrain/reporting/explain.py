"""A run and one window -> what its answer rests on, drawn over the window."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hmsstore import Store
from hmsstore.view import draw, load_window
from hmsstore.view.saving import check_folder, save
from hmstrain.distributed import join_world
from hmstrain.errors import ConfigError, RunError
from hmstrain.models import find_model
from hmstrain.models.trust import Trust
from hmstrain.reporting.attribution import (
    TITLES,
    Explanation,
    as_importance,
    described,
    explain_window,
)
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import check_trust, load_trained
from hmstrain.scoring.score_run import default_store


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation with its picture."""

    explanation: Explanation
    picture: Path

    @property
    def text(self) -> str:
        """The explanation in words."""
        return described(self.explanation)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value, without the maps."""
        found = self.explanation
        keys = [one.key for one in found.classes]
        return {
            "row": found.row,
            "method": found.method,
            "class": keys[found.target],
            "probability": dict(zip(keys, found.probability.tolist(), strict=True)),
            "shares": found.shares,
            "faithfulness": {**asdict(found.faithfulness), "holds": found.faithfulness.holds},
            "picture": str(self.picture),
        }


def explain(
    run: Path | str,
    row: int,
    *,
    store: Store | Path | str | None = None,
    method: str | None = None,
    pattern: str | None = None,
    out: Path | str | None = None,
    device: str = "auto",
    trust: Trust = False,
) -> Explained:
    """Explain one prediction, and test whether the explanation holds.

    Parameters
    ----------
    run : path
        Folder of a run of one fold.
    row : int
        Window's row in the store's table.
    store : Store or path, optional
        By default, the one that the run was trained on.
    method : str, optional
        'gradcam' or 'gradients'; by default the first where the network has feature maps.
    pattern : str, optional
        Class to explain; by default the most probable.
    out : path, optional
        Picture to write; by default RUN/explain-ROW.png.
    device : str
        'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`.

    Returns
    -------
    Explained

    Raises
    ------
    StoreError
        The store cannot be opened, or has no such row.
    TrainError
        The run, the method or the class does not exist, or captum is not installed.

    Examples
    --------
    >>> found = hmstrain.explain("runs/first", 7)  # doctest: +SKIP
    >>> found.explanation.faithfulness.holds  # doctest: +SKIP
    True
    """
    if method not in (None, *TITLES):
        raise ConfigError(f"There is no method {method!r}: use {' or '.join(TITLES)}.")
    folder = RunFolder(Path(run))
    if find_model(folder.config().model).table:
        raise RunError(
            f"{folder.path} is of hand features, not of a network: its importances.csv says which "
            "of them it goes by."
        )
    check_trust([folder], trust)
    if folder.config().several:
        one = folder.networks()[0].path
        raise RunError(f"{folder.path} has several networks: name one, such as {one}.")
    if not isinstance(store, Store):
        store = Store.open(store or default_store(folder))
    picture = Path(out) if out is not None else folder.path / f"explain-{row}.png"
    if out is None:
        check_folder(picture)
    keys = store.spec.class_keys
    if pattern not in (None, *keys):
        raise ConfigError(f"There is no class {pattern!r}: use {', '.join(keys)}.")
    target = None if pattern is None else keys.index(pattern)
    with join_world(device) as world:
        trained = load_trained(folder, world.device, trust=trust)
        found = explain_window(trained, store, row, method, target)
    window = load_window(store, row, found.probability)
    save(draw(replace(window, importance=as_importance(found, trained))), picture)
    return Explained(found, picture)
