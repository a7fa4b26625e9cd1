"""Features -> logits of gradient-boosted trees, kept as arrays of nodes.

Legend: N nodes of all trees, I iterations, K trees of each, F features, B rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hmstrain.models.tabular.base import Floats, TabularModel, all_classes, need


class Trees(TabularModel):
    """Trees of all iterations, one behind the other.

    Parameters
    ----------
    feature : int64 (N,)
        Column that a node splits by; of a leaf 0.
    threshold : float64 (N,)
        Values up to it go left.
    missing_left : bool (N,)
        Whether a value that is not known goes left.
    left, right : int64 (N,)
        Nodes that follow, counted over all trees; of a leaf, itself.
    value : float64 (N,)
        What a leaf adds to the logit.
    gain : float64 (N,)
        By how much a split lowers the loss; of a leaf 0.
    root : int64 (I, K)
        First node of each tree.
    baseline : float64 (K,)
        Logits before any tree.
    known : int64 (K,)
        Classes that the trees are of; the rest has no votes.
    size : int64 (2,)
        Columns and classes.

    Raises
    ------
    ValueError
        They do not fit each other, or their nodes lead nowhere.
    """

    feature: Tensor
    threshold: Tensor
    missing_left: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    gain: Tensor
    root: Tensor
    baseline: Tensor
    known: Tensor
    size: Tensor

    def __init__(self, **arrays: Tensor) -> None:
        super().__init__()
        for name in type(self).__annotations__:
            self.register_buffer(name, arrays.pop(name))
        need(not arrays, f"{', '.join(arrays)} not known")
        need(self.size.shape == (2,), "size is not of columns and classes")
        self.columns, self.classes = (int(one) for one in self.size)
        self._check()

    def _check(self) -> None:
        """Whatever a file holds, each walk down a tree ends at a leaf of it."""
        count = len(self.feature)
        whole = (self.feature, self.left, self.right, self.root, self.known, self.size)
        parts = (self.threshold, self.value, self.gain, self.baseline)
        need(all(one.dtype == torch.int64 for one in whole), "places are not whole numbers")
        need(all(one.dtype == torch.float64 for one in parts), "values are not float64")
        need(self.missing_left.dtype == torch.bool, "missing_left is not bool")
        of_nodes = (self.threshold, self.missing_left, self.left, self.right, self.value, self.gain)
        need(all(one.shape == (count,) for one in of_nodes), "nodes differ in number")
        need(self.root.ndim == 2 and self.root.shape[1] == len(self.baseline), "roots do not fit")
        need(len(self.known) == len(self.baseline), "classes do not fit")
        need((self.known >= 0).all() and (self.known < self.classes).all(), "no such class")
        need((self.feature >= 0).all() and (self.feature < self.columns).all(), "no such column")
        need((self.root >= 0).all() and (self.root < count).all(), "no such root")
        here = torch.arange(count)
        leaf = (self.left == here) & (self.right == here)
        down = (self.left > here) & (self.right > here)
        need((leaf | down).all(), "nodes run in a circle")
        need((self.left < count).all() and (self.right < count).all(), "no such node")
        need(self.value[leaf].isfinite().all() and self.baseline.isfinite().all(), "not finite")

    @property
    def iterations(self) -> int:
        """How many there are."""
        return len(self.root)

    @property
    def parameters_fitted(self) -> int:
        """Leaves, and a column and a threshold of each other node."""
        leaves = int((self.left == torch.arange(len(self.left))).sum())
        return leaves + 2 * (len(self.left) - leaves)

    def forward(self, values_BF: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits (B, classes) of rows of features, float64; and no embeddings."""
        raw = self.baseline + self._leaves(values_BF).sum(dim=1)
        return torch.from_numpy(self._logits(raw.cpu().numpy())), ()

    def staged(self, values_NF: Any, ends: Sequence[int], at_once: int = 512) -> Floats:
        """Probabilities after so many iterations each, float64 (len(ends), N, classes)."""
        found = []
        with torch.no_grad():
            for first in range(0, len(values_NF), at_once):
                rows = np.ascontiguousarray(values_NF[first : first + at_once])
                sums = self._leaves(torch.from_numpy(rows)).cumsum(dim=1)[
                    :, [end - 1 for end in ends]
                ]
                raw = (self.baseline + sums).transpose(0, 1)
                logits = torch.from_numpy(self._logits(raw.cpu().numpy()))
                found.append(logits.softmax(-1).numpy())
        if not found:
            return np.empty((len(ends), 0, self.classes))
        return np.concatenate(found, axis=1)

    def shares(self) -> Floats:
        """Share of each column in what all splits gain."""
        gain = np.bincount(self.feature.numpy(), self.gain.numpy(), self.columns)
        found: Floats = gain / max(gain.sum(), 1e-300)
        return found

    def _leaves(self, values_BF: Tensor) -> Tensor:
        """Value of the leaf that each row reaches in each tree, float64 (B, I, K)."""
        values = values_BF.double()
        node = self.root.reshape(1, -1).expand(len(values), -1)
        while True:
            seen = values.gather(1, self.feature[node])
            goes_left = torch.where(
                seen.isnan(), self.missing_left[node], seen <= self.threshold[node]
            )
            following = torch.where(goes_left, self.left[node], self.right[node])
            if torch.equal(following, node):
                return self.value[node].reshape(len(values), *self.root.shape)
            node = following

    def _logits(self, raw: Floats) -> Floats:
        return all_classes(raw, self.known.tolist(), self.classes)


def from_sklearn(
    fitted: Any, known: Sequence[int], columns: int, classes: int, iterations: int | None = None
) -> Trees:
    """Take the trees out of a fitted `HistGradientBoostingClassifier`.

    Parameters
    ----------
    fitted : HistGradientBoostingClassifier
        Of the classes that are known, in order, without categories.
    known : sequence of int
        Those classes.
    iterations : int, optional
        Take no more than so many.

    Returns
    -------
    Trees
    """
    parts: dict[str, list[Any]] = {}
    roots, count = [], 0
    for predictors in fitted._predictors[:iterations]:
        of_iteration = []
        for predictor in predictors:
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            here = np.arange(len(nodes))
            taken = {
                "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
                "threshold": np.where(leaf, 0, nodes["num_threshold"]).astype(np.float64),
                "missing_left": nodes["missing_go_to_left"].astype(bool),
                "left": np.where(leaf, here, nodes["left"]).astype(np.int64) + count,
                "right": np.where(leaf, here, nodes["right"]).astype(np.int64) + count,
                "value": nodes["value"].astype(np.float64),
                "gain": np.where(leaf, 0, nodes["gain"]).astype(np.float64),
            }
            for name, values in taken.items():
                parts.setdefault(name, []).append(values)
            of_iteration.append(count)
            count += len(nodes)
        roots.append(of_iteration)
    arrays = {name: np.concatenate(values) for name, values in parts.items()}
    arrays["root"] = np.array(roots, np.int64)
    arrays["baseline"] = np.asarray(fitted._baseline_prediction, np.float64).ravel()
    if len(known) == 2:  # one tree for the odds of the second class: the first has a logit of 0
        arrays = _doubled(arrays)
    arrays["known"] = np.array(known, np.int64)
    arrays["size"] = np.array([columns, classes], np.int64)
    return Trees(**{name: torch.from_numpy(values) for name, values in arrays.items()})


def _doubled(arrays: dict[str, Any]) -> dict[str, Any]:
    """Add a class whose logit is 0 before one that has all the trees: a leaf at the end."""
    count = len(arrays["feature"])
    leaf = {"feature": 0, "threshold": 0.0, "missing_left": False, "left": count, "right": count}
    leaf |= {"value": 0.0, "gain": 0.0}
    found = {name: np.append(arrays[name], values).astype(arrays[name].dtype)
             for name, values in leaf.items()}  # fmt: skip
    first = np.full_like(arrays["root"], count)
    found["root"] = np.concatenate([first, arrays["root"]], axis=1)
    found["baseline"] = np.array([0.0, arrays["baseline"][0]])
    return found
