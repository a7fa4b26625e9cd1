"""Where a store is built: the folders beside its name, what they hold now, and the final rename.

::

    NAME.zarr              the sealed store
    NAME.zarr.building/    the store in the making: shards under their final names, and
        plan.json            what is being built
        journal.jsonl        what is done
        ingest/              scratch shards of physical values
        partial/             files not yet under their names
        shares/              of a build that is shared out: a journal and a lock of each share
    NAME.zarr.lock         held by the one process that builds, or by all shares together; empty
    .NAME.zarr.*.replaced/   the old store, while --force puts the new one in its place
    .NAME.zarr.*.discarded/  what is being deleted

Folders are deleted by renaming them to the last name first, so that a killed deletion leaves
nothing that could be mistaken for a build or a store. Nobody gives the hidden names, in which the
star is a checksum, to a folder of his own; whatever else stands beside the store is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hmsprep.building.division import Division, Share
from hmsprep.building.durable import write_file, write_first
from hmsprep.building.journal import JOURNAL_VERSION
from hmsprep.errors import BuildError
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.plan import Plan
from hmsstore import DamagedStoreError, NewerStoreError, NotAStoreError, StoreError
from hmsstore.atomic import hidden, previous, sync
from hmsstore.json_shapes import ShapeError, mapping, read_json
from hmsstore.manifest import (
    BUILDING_SUFFIX,
    MANIFEST_NAME,
    Manifest,
    check_sizes,
    parse_manifest,
)
from hmsstore.spec import Spec


class State(Enum):
    """What is left to do at a site."""

    BUILT = "a store of this very plan exists"
    SEALED = "a finished build only needs its name"
    RESUMED = "a build is resumed"
    NEW = "a build begins"


@dataclass(frozen=True, slots=True)
class Site:
    """The paths around one store."""

    store: Path
    share: Share | None = None
    """Which share of a build is at work here; None: the whole build."""

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
        return previous(self.store)

    @property
    def discarded(self) -> Path:
        """What is being deleted."""
        return hidden(self.store, "discarded")

    @property
    def partial(self) -> Path:
        """Files not yet under their names; each share has a folder of its own."""
        whole = self.building / "partial"
        return whole / str(self.share.number) if self.share else whole

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
        if self.share:
            return self.shares / f"{self.share.number}.jsonl"
        return self.building / "journal.jsonl"

    @property
    def shares(self) -> Path:
        """Journals and locks of shares."""
        return self.building / "shares"

    @property
    def share_lock(self) -> Path:
        """Lock file of this share."""
        return self.journal.with_suffix(".lock")

    def journals(self) -> list[Path]:
        """Records of what is done, of the whole build and of all shares."""
        shares = sorted(self.shares.glob("*.jsonl"), key=lambda path: (len(path.name), path.name))
        return [self.building / "journal.jsonl", *shares]

    def other_journals(self) -> list[Path]:
        """Those that other processes write."""
        return [path for path in self.journals() if path != self.journal]

    def scratch(self, signal: str, shard: int) -> Path:
        """Scratch file of a shard."""
        return self.ingest / f"{signal}-{shard}"

    def check_target(self) -> None:
        """Refuse a name under which no store can stand.

        Raises
        ------
        BuildError
            Its folder does not exist, or it or a name beside it is a file.
        """
        if not self.store.name or self.store.name.endswith(BUILDING_SUFFIX):
            raise BuildError(f"{self.store} cannot be a store's name. Name another place for it.")
        for path in (self.store, self.building, self.replaced, self.discarded):
            try:
                mode = os.lstat(path).st_mode  # asked once: another build may rename it
            except FileNotFoundError:
                continue
            if stat.S_ISLNK(mode):
                where = "to itself" if path == self.store else "elsewhere"
                raise BuildError(f"{path} is a link that leads {where}. Move it away.")
            if not stat.S_ISDIR(mode):
                raise BuildError(f"{path} is a file. Name another place for the store.")
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
            Another store, another build or something else is in the way.
        """
        self._recover()
        if self.store.exists():
            manifest = self._own_store(force=force)
            if not force:
                if manifest is not None and _is_of(self.store, manifest, plan):
                    return State.BUILT
                found = "a damaged store" if manifest is None else "a store of another plan"
                raise BuildError(
                    f"{self.store} holds {found}. Name another place, or use --force to replace it "
                    "once the new one is sealed."
                )
        state = self._unfinished(plan, force=force)
        if state is State.SEALED:
            return state
        shutil.rmtree(self.partial, ignore_errors=True)
        self.building.mkdir(exist_ok=True)
        if state is State.NEW:
            text = json.dumps(_description(plan), indent=1) + "\n"
            write_file(self.plan, text.encode(), self.partial)
        for folder in (self.partial, self.ingest):
            folder.mkdir(exist_ok=True)
        return state

    def join(self, plan: Plan, division: Division) -> State:
        """Find out what is left to do for a share, beside others that may be at work.

        Raises
        ------
        BuildError
            Another store, another build or something else is in the way.
        """
        if self.store.exists():
            manifest = self._own_store(force=False)
            if manifest is not None and _is_of(self.store, manifest, plan):
                return State.BUILT
            found = "a damaged store" if manifest is None else "a store of another plan"
            raise BuildError(f"{self.store} holds {found}. Name another place.")
        if manifest := self._sealed():
            if not _is_of(self.building, manifest, plan):
                raise BuildError(
                    f"{self.building} holds a finished build of another plan. Give it its name "
                    "with `hmsprep seal`, or name another place for the store."
                )
            return State.SEALED
        self.building.mkdir(exist_ok=True)
        state = State.RESUMED if self.plan.is_file() else State.NEW
        if state is State.NEW:
            if self._is_foreign() and not self.plan.is_file():  # another share may have been first
                raise BuildError(f"{self.building} is not a build of this program. Move it away.")
            described = _description(plan) | division.to_json()
            write_first(self.plan, (json.dumps(described, indent=1) + "\n").encode())
        if self._is_of_another_version():
            raise BuildError(
                f"{self.building} was started by another version of hms-eeg. Use that version for "
                "all shares, or name another place for the store."
            )
        if reason := self._difference(plan) or self._divided_otherwise(division.of):
            raise BuildError(
                f"{self.building} holds an unfinished build of another plan: {reason}. Give all "
                "shares the same data and options, or name another place for the store."
            )
        for folder in (self.ingest, self.shares):
            folder.mkdir(exist_ok=True)
        return state

    def is_sealed(self) -> bool:
        """Whether a finished build only lacks its name.

        Raises
        ------
        BuildError
            It is sealed but damaged, or by a newer version.
        """
        return self._sealed() is not None

    def division(self) -> Division | None:
        """Read what the shares are shares of; None if nothing is being built here.

        Raises
        ------
        BuildError
            What is here was not shared out, or by another version.
        """
        if not self.plan.is_file():
            return None
        again = "Finish it with the same `hmsprep build` command that started it."
        if self._is_of_another_version():
            raise BuildError(
                f"{self.building} was started by another version of hms-eeg. Seal it with that "
                "version."
            )
        try:
            found: Any = read_json(self.plan)
            if "shares" not in found:
                raise BuildError(f"{self.building} holds a build without shares. {again}")
            return Division(
                found["shares"],
                Path(found["data"]),
                found["part"],
                found["missing"],
                Parameters.from_json(found["parameters"], Spec.from_json(found["spec"])),
                found["plan"],
                Path(found["table"]) if "table" in found else None,
                found["parameters"],
            )
        except (ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
            raise BuildError(f"{self.plan} cannot be read ({error}). {again}") from None

    def finish(self, *, force: bool) -> None:
        """Clear away plan, journal and scratch, and give the sealed store its name.

        Raises
        ------
        BuildError
            Something has appeared under the name that may not be replaced.
        """
        if self.store.exists():
            if not force:
                raise BuildError(
                    f"Something appeared at {self.store} during the build. The finished store is "
                    f"in {self.building}: move the other thing away and run the command again."
                )
            self._own_store(force=force)
        for file in (*self.building.glob(f"{self.plan.name}*"), self.journal):
            file.unlink(missing_ok=True)
        for folder in (self.ingest, self.partial, self.shares):
            shutil.rmtree(folder, ignore_errors=True)
        sync(self.building)
        if self.store.exists():
            self.store.rename(self.replaced)
        self.building.rename(self.store)
        sync(self.store.parent)
        self.discard(self.replaced)

    def discard(self, folder: Path) -> None:
        """Delete a folder of ours, if it is there."""
        if folder.exists():
            shutil.rmtree(self.discarded, ignore_errors=True)
            folder.rename(self.discarded)
        shutil.rmtree(self.discarded, ignore_errors=True)

    def _recover(self) -> None:
        """Undo a swap that was cut short; finish deletions that were."""
        if self.replaced.exists() and not self.store.exists():
            self.replaced.rename(self.store)
        self.discard(self.replaced)

    def _own_store(self, *, force: bool) -> Manifest | None:
        """Seal of the existing store; None if it is damaged, or newer and to be replaced.

        Raises
        ------
        BuildError
            It is not a store, or one that a newer version made.
        """
        try:
            manifest = parse_manifest(self.store)
        except DamagedStoreError:
            return None
        except NewerStoreError as error:
            if force:
                return None
            raise BuildError(
                f"{error} To keep it, name another place; --force replaces it once the new one is "
                "sealed."
            ) from None
        except NotAStoreError:
            raise BuildError(
                f"{self.store} is a folder but not a store. Name another place."
            ) from None
        return None if check_sizes(self.store, manifest) else manifest

    def _sealed(self) -> Manifest | None:
        """Seal of a finished build that only lacks its name; None if it is not sealed.

        Raises
        ------
        BuildError
            It is sealed but damaged, or by a newer version.
        """
        if not (self.building / MANIFEST_NAME).is_file():
            return None
        manifest = self._unfinished_seal(force=None)
        if manifest is None:
            raise BuildError(
                f"{self.building} is sealed but damaged. Move it away and build again."
            )
        return manifest

    def _unfinished_seal(self, *, force: bool | None) -> Manifest | None:
        """Seal of a finished build that only lacks its name; None if it is to be discarded.

        `force` is None where it cannot be: of shares.
        """
        try:
            manifest = parse_manifest(self.building)
        except DamagedStoreError:
            return None
        except NewerStoreError:
            if force:
                return None
            instead = "Or move it away" if force is None else "Or use --force to discard it"
            raise BuildError(
                f"{self.building} is a finished build of a newer version of hms-eeg. Run the same "
                f"command with that version to complete it. {instead}."
            ) from None
        except NotAStoreError:
            raise BuildError(
                f"{self.building} is not a build of this program. Move it away."
            ) from None
        return None if check_sizes(self.building, manifest) else manifest

    def _unfinished(self, plan: Plan, *, force: bool) -> State:
        """Look at what is in the building folder; discard what cannot be resumed."""
        if (self.building / MANIFEST_NAME).is_file():
            manifest = self._unfinished_seal(force=force)
            if manifest is not None:
                if _is_of(self.building, manifest, plan):
                    return State.SEALED
                self._discard_other(force, "it is sealed and of another plan")
            else:
                self.discard(self.building)
        elif self.plan.is_file():
            if not self._is_ours():
                raise BuildError(f"{self.building} is not a build of this program. Move it away.")
            if self._is_of_another_version():
                if not force:
                    raise BuildError(
                        f"{self.building} was started by another version of hms-eeg, and this one "
                        "cannot resume it. Finish it with that version, or use --force to discard "
                        "it and start over."
                    )
                self.discard(self.building)
                return State.NEW
            reason = self._difference(plan)
            if not reason:
                return State.RESUMED
            self._discard_other(force, reason)
        elif self.building.exists():
            if self._is_foreign():
                raise BuildError(f"{self.building} is not a build of this program. Move it away.")
            self.discard(self.building)
        return State.NEW

    def _difference(self, plan: Plan) -> str:
        """Say how the unfinished build differs from the plan; empty if it does not."""
        ours = _description(plan)
        try:
            theirs: Any = read_json(self.plan)
            if theirs["spec"] != ours["spec"]:
                return "its classes or signals differ"
            for key, value in ours["parameters"].items():
                if theirs["parameters"].get(key) != value:
                    return f"there {key} is {theirs['parameters'].get(key)}, here {value}"
            if plan.has_hash(theirs["plan"], theirs["parameters"]):
                return ""
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"its {self.plan.name} cannot be read"
        return "the table of windows, the available files or the split differ"

    def _is_foreign(self) -> bool:
        """Whether there is more than what a build killed at its very start leaves."""
        names = (path.name for path in self.building.iterdir())
        return any(name != "partial" and not name.startswith(self.plan.name) for name in names)

    def _divided_otherwise(self, of: int) -> str:
        """Say how the unfinished build was shared out, if not into so many shares."""
        theirs = mapping(read_json(self.plan)).get("shares")
        if theirs == of:
            return ""
        return f"it has {theirs} shares, not {of}" if theirs else "it is not shared out"

    def _is_ours(self) -> bool:
        """Whether this program, in any version, wrote the plan in the building folder."""
        try:
            return {"plan", "parameters"} <= mapping(read_json(self.plan)).keys()
        except ShapeError:  # a damaged plan of ours stands beside what else a build makes
            return self.journal.is_file() or self.ingest.is_dir()

    def _is_of_another_version(self) -> bool:
        """Whether another version of this program began the build, with other notes."""
        try:
            found = mapping(read_json(self.plan)).get("journal")
        except ShapeError:
            return False
        return found != JOURNAL_VERSION

    def _discard_other(self, force: bool, reason: str) -> None:
        if not force:
            raise BuildError(
                f"{self.building} holds an unfinished build of another plan: {reason}. Give the "
                "same data and options to resume it, or --force to discard it and start over."
            )
        self.discard(self.building)


def _description(plan: Plan) -> dict[str, Any]:
    """Describe a plan so that a difference can be named."""
    return {
        "journal": JOURNAL_VERSION,
        "plan": plan.hash,
        "parameters": plan.parameters.to_json(),
        "spec": plan.spec.to_json(),
    }


def _is_of(folder: Path, manifest: Manifest, plan: Plan) -> bool:
    """Whether the sealed store in this folder is of this very plan."""
    try:
        root: Any = read_json(folder / "zarr.json")
        info = root["attributes"]["hms"]
        return plan.is_of(manifest.plan, info)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
