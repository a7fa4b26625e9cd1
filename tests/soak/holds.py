"""A folder in which something was struck -> `Broken`, unless what has to hold there does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from support.helpers import tree_bytes

from hmsstore.atomic import previous
from hmstrain.runs.checkpoint import find_checkpoint, read_description
from soak.acts import build_store
from soak.forks import Ended
from soak.samples import NAME, Small


class Broken(Exception):  # noqa: N818 - what a soak looks for
    """Something is lost, half done, or wrong and not told."""


def check_old_or_new(at: Path, small: Small) -> None:
    """A store was there, and another was built in its place: one of them is there, whole."""
    store = at / NAME
    there = store if store.exists() else previous(store)
    if not there.exists():
        raise Broken("the store that was there is lost")
    if tree_bytes(there) not in small.trees.values():
        raise Broken("the store is neither the old one nor the new one")


def check_builds_again(at: Path, small: Small) -> None:
    """Building again gives the new store and leaves nothing beside it."""
    build_store(str(small.data), str(at / NAME), ["zero"], force=True)
    if tree_bytes(at) != {f"{NAME}/{name}": raw for name, raw in small.trees["zero"].items()}:
        raise Broken("building again does not give the store alone")


def check_published(out: Path, stores: Sequence[dict[str, bytes]]) -> None:
    """What was published, if anything, is one of the stores, whole."""
    if out.exists() and tree_bytes(out / NAME) not in stores:
        raise Broken("what was published is not the store")


def check_checkpoint(folder: Path) -> None:
    """There is a checkpoint, of which every part is of the same value, 1 or 2."""
    from safetensors.torch import load_file

    found = find_checkpoint(folder)
    if found is None:
        raise Broken("there is no checkpoint any more")
    values = {float(load_file(found / "model.safetensors")["weight"][0, 0])}
    values.add(torch.load(found / "training.pt", weights_only=True)["step"])
    values.add(read_description(folder)["progress"]["step"])
    if len(values) != 1 or not values <= {1.0, 2.0}:
        raise Broken(f"the checkpoint is of {values}")


def check_ended(ended: Sequence[Ended], *fine: str) -> None:
    """Every process ended in one of these ways."""
    for one in ended:
        if one.how not in fine:
            raise Broken(f"a process ended so: {one.how}\n{one.text}")
