"""Where a store is built: the folders beside its name, what they hold now, and the final rename.

::

    NAME.zarr              the sealed store
    NAME.zarr.building/    the store in the making: shards under their final names, and
        plan.json            what is being built
        journal.jsonl        what is done
        ingest/              scratch shards of physical values
        partial/             files not yet under their names
    NAME.zarr.lock         held by the one process that builds
    NAME.zarr.replaced/    the old store, while --force puts the new one in its place
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hmsprep.errors import BuildError
from hmsprep.files import sync_folder, write_file
from hmsprep.plan import Plan, versions
from hmsstore import StoreError
from hmsstore.manifest import BUILDING_SUFFIX, MANIFEST_NAME, parse_manifest


class State(Enum):
    """What is left to do at a site."""

    BUILT = "a store of this very plan stands there"
    SEALED = "a finished build only needs its name"
    OPEN = "a build is to be made or continued"


@dataclass(frozen=True, slots=True)
class Site:
    """The paths around one store."""

    store: Path

    def _beside(self, suffix: str) -> Path:
        return self.store.with_name(self.store.name + suffix)

    @property
    def building(self) -> Path:
        """The store in the making."""
        return self._beside(BUILDING_SUFFIX)

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self._beside(".lock")

    @property
    def replaced(self) -> Path:
        """The old store during a swap."""
        return self._beside(".replaced")

    @property
    def partial(self) -> Path:
        """Files not yet under their names."""
        return self.building / "partial"

    @property
    def ingest(self) -> Path:
        """Scratch shards."""
        return self.building / "ingest"

    @property
    def plan(self) -> Path:
        """Description of what is being built."""
        return self.building / "plan.json"

    @property
    def journal(self) -> Path:
        """Record of what is done."""
        return self.building / "journal.jsonl"

    def scratch(self, signal: str, shard: int) -> Path:
        """Scratch file of a shard."""
        return self.ingest / f"{signal}-{shard}"

    def shard_name(self, signal: str, shard: int) -> str:
        """Path of a final shard within the store."""
        return f"{signal}/c/{shard}/0"

    def check_target(self) -> None:
        """Refuse a name under which no store can stand.

        Raises
        ------
        BuildError
            Its folder does not exist, or it is a file.
        """
        if self.store.name.endswith(BUILDING_SUFFIX):
            raise BuildError(f"{self.store}: a store's name may not end in {BUILDING_SUFFIX}.")
        for path in (self.store, self.building, self.lock, self.replaced):
            wrong = path.is_dir() if path == self.lock else path.exists() and not path.is_dir()
            if wrong:
                kind = "folder" if path == self.lock else "file"
                raise BuildError(f"{path} is a {kind}. Name another place for the store.")
        if not self.store.parent.is_dir():
            raise BuildError(
                f"There is no folder {self.store.parent} to put the store in. "
                "Make it, or name another place for the store."
            )

    def prepare(self, plan: Plan, *, force: bool) -> State:
        """Find out what is left to do, clearing away what a killed process left behind.

        Raises
        ------
        BuildError
            Another store, another build or something else stands in the way.
        """
        if self.replaced.exists() and not self.store.exists() and not self._sealed():
            self.replaced.rename(self.store)
        if self.store.exists():
            if not (self.store / MANIFEST_NAME).is_file():
                raise BuildError(f"{self.store} is a folder, but no store. Name another place.")
            if not force:
                return self._built(plan)
        if self._sealed():
            if parse_manifest(self.building).plan == plan.hash:
                return State.SEALED
            self._discard(force, "it is sealed, and of another plan")
        elif self.plan.is_file():
            reason = self._difference(plan)
            if reason:
                self._discard(force, reason)
        elif self.building.exists():
            if {entry.name for entry in self.building.iterdir()} - {self.partial.name}:
                raise BuildError(f"{self.building} is not a build of this program. Move it away.")
            shutil.rmtree(self.building)
        shutil.rmtree(self.partial, ignore_errors=True)
        self.building.mkdir(exist_ok=True)
        if not self.plan.is_file():
            text = json.dumps(description(plan), indent=1) + "\n"
            write_file(self.plan, text.encode(), self.partial)
        for folder in (self.partial, self.ingest):
            folder.mkdir(exist_ok=True)
        return State.OPEN

    def finish(self) -> None:
        """Clear away plan, journal and scratch, and give the sealed store its name."""
        for file in (self.plan, self.journal):
            file.unlink(missing_ok=True)
        for folder in (self.ingest, self.partial):
            shutil.rmtree(folder, ignore_errors=True)
        sync_folder(self.building)
        if self.store.exists():
            if self.replaced.exists():
                shutil.rmtree(self.replaced)
            self.store.rename(self.replaced)
        self.building.rename(self.store)
        sync_folder(self.store.parent)
        if self.replaced.exists():
            shutil.rmtree(self.replaced)

    def _sealed(self) -> bool:
        return (self.building / MANIFEST_NAME).is_file()

    def _built(self, plan: Plan) -> State:
        try:
            manifest = parse_manifest(self.store)
        except StoreError as error:
            raise BuildError(f"{error}\nUse --force to build {self.store} anew.") from None
        if manifest.plan == plan.hash:
            return State.BUILT
        raise BuildError(
            f"{self.store} holds another store (of other data, parameters or versions). "
            "Name another place, or use --force to replace it once the new one is finished."
        )

    def _difference(self, plan: Plan) -> str:
        """Say how the unfinished build differs from the plan; empty if it does not."""
        ours = description(plan)
        theirs: dict[str, Any] = json.loads(self.plan.read_bytes())
        if theirs["plan"] == ours["plan"]:
            return ""
        for part in ("parameters", "versions"):
            for key, value in ours[part].items():
                if theirs[part].get(key) != value:
                    return f"there {key} is {theirs[part].get(key)}, here {value}"
        return "the table of windows is another"

    def _discard(self, force: bool, reason: str) -> None:
        if not force:
            raise BuildError(
                f"{self.building} holds an unfinished build of another plan: {reason}. Give the "
                "same data and options to go on with it, or --force to discard it and start anew."
            )
        shutil.rmtree(self.building)


def description(plan: Plan) -> dict[str, Any]:
    """What plan.json says."""
    return {
        "plan": plan.hash,
        "parameters": plan.parameters.to_json(),
        "versions": versions(),
    }
