"""Objects below an address -> a sealed store, several at a time, resumed where it stopped.

::

    NAME.zarr              the store, once every file of it is there as it was sealed
    NAME.zarr.pulling/     what has come of it; not a store, since it has no manifest
        .pull.json           which store this will be
        .parts/              files on their way
    NAME.zarr.lock         held by the one process that writes
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmsprep.building.durable import locked
from hmsprep.building.large_files import LargeFile
from hmsprep.building.site import Site
from hmsprep.errors import BuildError, TransferError
from hmsprep.planning import checks
from hmsprep.processes import Progress, silent
from hmsprep.sealed.transport.background import each, in_background
from hmsprep.sealed.transport.ledger import LEDGER_NAME, Ledger, read_ledger
from hmsprep.sealed.transport.objects import Objects
from hmsprep.sealed.transport.packing import PackingError, Unpacker, most_bytes
from hmsprep.sealed.transport.sending import AT_ONCE, Transferred
from hmsprep.words import plural, size
from hmsstore import DamagedStoreError, NewerStoreError, NotAStoreError, Store, StoreError
from hmsstore.atomic import is_empty, remove_leftovers, sync, sync_tree, whole_file
from hmsstore.json_shapes import LARGEST_JSON, ShapeError, entry, parse_json, read_json, text
from hmsstore.manifest import MANIFEST_NAME, Manifest, check_manifest, checksum, parse_manifest

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

PULLING_SUFFIX = ".pulling"
MARKER, PARTS = ".pull.json", ".parts"
FORMAT = "hms-eeg pull"


def pull(
    address: str | ObjectStore,
    store: str | Path,
    *,
    force: bool = False,
    at_once: int = AT_ONCE,
    progress: Progress = silent,
) -> Transferred:
    """Fetch a store that `hmsprep.push` sent, or resume a pull that was interrupted.

    Every file is compared with its checksum in the manifest, and unpacked if it was packed. The
    folder bears the store's name once all of it is there.

    Parameters
    ----------
    address : str or obstore.store.ObjectStore
        Where it was pushed to; see `hmsprep.push`.
    store : str or Path
        Folder to make. A link is followed.
    force : bool
        Replace another store of this name, or a damaged one, once this one is complete; discard an
        unfinished pull of another store.
    at_once : int
        Files on their way at a time.
    progress : callable
        Called with the stage 'pull' and a number of bytes.

    Returns
    -------
    Transferred
        The store; nothing was fetched if it was there.

    Raises
    ------
    TransferError
        There is no store at the address, it is damaged, or there is no room for it.
    StoreError
        What is there is not a store that this version reads, or a damaged copy of this one stands
        under its name.
    BuildError
        The folder cannot be made, or something else is there.
    ParameterError
        It is not an address.
    KeyboardInterrupt
        As it came. What was fetched stays; the same call resumes.

    Examples
    --------
    >>> hmsprep.pull("s3://bucket/hms.zarr", "hms.zarr").sent
    301
    """
    checks.truth(force=force)
    site = Site(Path(store).resolve())
    with ExitStack() as held:
        with _writing(site.store):
            site.check_target()
            held.enter_context(locked(site.lock))
        job = _Pull(site, Objects(address))
        in_background(job.ask, lambda: None)
        with _writing(site.store):
            job.prepare(force=force)

        def run() -> None:
            in_background(
                lambda: job.run(at_once),
                lambda: progress("pull", min(job.done, job.total), job.total),
            )

        try:
            run()
        except DamagedStoreError:
            if not force:
                raise
            with _writing(site.store):
                job.replace()
            run()
        with _writing(site.store):
            job.finish()
    return Transferred(
        job.objects.name,
        Path(store),
        job.manifest.identity,
        len(job.manifest.files),
        job.total,
        job.sent,
        job.sent_bytes,
    )


class _Pull:
    """One pull: which store it will be, and what of it is there."""

    content: bytes
    """Of MANIFEST.json."""
    manifest: Manifest
    ledger: Ledger

    def __init__(self, site: Site, objects: Objects) -> None:
        self.site, self.objects = site, objects
        self.folder = site.store.with_name(site.store.name + PULLING_SUFFIX)
        self.there = False
        """Whether the store stands under its name already."""
        self.replaces = False
        self.done = self.sent = self.sent_bytes = 0

    @property
    def total(self) -> int:
        """Bytes of the store."""
        return sum(nbytes for nbytes, _ in self.manifest.files.values())

    async def ask(self) -> None:
        """Read what says which store is there, and check it."""
        where = self.objects.name
        content = await self.objects.read(MANIFEST_NAME, LARGEST_JSON)
        ledger = await self.objects.read(LEDGER_NAME, LARGEST_JSON)
        if content is None:
            raise TransferError(
                f"{where} holds no {MANIFEST_NAME}, so there is no store. "
                + ("A push has not finished: run `hmsprep push` again." if ledger
                   else "Name an address that a store was pushed to.")
            )  # fmt: skip
        self.content = content
        try:
            self.manifest = check_manifest(parse_json(content, finite=True), where)
        except ShapeError as error:
            raise DamagedStoreError(where, [f"{MANIFEST_NAME}: {error}"]) from None
        own = _sha256(content)
        try:
            self.ledger = read_ledger(ledger) if ledger else Ledger(own, packed=False)
        except ShapeError as error:
            raise DamagedStoreError(where, [f"{LEDGER_NAME}: {error}"]) from None
        problems = _odd_names(self.manifest)
        if self.ledger.packed and self.ledger.manifest != own:
            problems.append(f"{LEDGER_NAME} is of another store")
        elif self.ledger.packed:
            problems += self._odd_sizes()
        if problems:
            raise DamagedStoreError(where, problems)

    def prepare(self, *, force: bool) -> None:
        """Make the folder that the files come to, or take the one that an earlier pull left.

        Raises
        ------
        BuildError
            Something else is in the way.
        TransferError
            The store does not fit on the disk.
        """
        site = self.site
        if site.replaced.exists() and not site.store.exists():
            site.replaced.rename(site.store)  # a swap was cut short
        site.discard(site.replaced)
        if site.store.exists():
            self.there = self._stands()
            if self.there:
                return
            self.replaces = force
            self._refuse_replacing()
        self._make_folder(force=force)

    def replace(self) -> None:
        """Fetch the store in place of the damaged copy of it that stands, as `prepare` would."""
        self.there, self.replaces, self.done = False, True, 0
        self._make_folder(force=True)

    def _make_folder(self, *, force: bool) -> None:
        self._take_folder(force)
        site = self.site
        have = sum(
            min((self.folder / file).stat().st_size, nbytes)
            for file, (nbytes, _) in self.manifest.files.items()
            if (self.folder / file).is_file()
        )
        free = shutil.disk_usage(site.store.parent).free
        if self.total - have > free:
            raise TransferError(
                f"{site.store} cannot be fetched: expected {size(self.total - have)} of free "
                f"space, found {size(free)}. Make room, or name another place."
            )
        if have:
            log.info("Resuming %s.", self.folder)
        if not (self.folder / MARKER).exists():
            self.folder.mkdir(exist_ok=True)
            remove_leftovers(self.folder)
            with whole_file(self.folder / MARKER) as partial:
                marker = {"format": FORMAT, "manifest": _sha256(self.content)}
                partial.write_text(json.dumps(marker) + "\n")
        (self.folder / MANIFEST_NAME).unlink(missing_ok=True)
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)
        (self.folder / PARTS).mkdir()

    async def run(self, at_once: int) -> None:
        """Fetch every file that is not there as it was sealed."""
        if self.there:
            await each(self._check, self.manifest.files, at_once)
        else:
            await each(self._fetch, self.manifest.files, at_once)

    def finish(self) -> None:
        """Seal the store and give it its name.

        Raises
        ------
        BuildError
            Something has appeared under the name.
        TransferError
            All is there, and yet it does not open.
        """
        if self.there:
            return
        shutil.rmtree(self.folder / PARTS)
        sync_tree(self.folder)
        try:
            (self.folder / MANIFEST_NAME).write_bytes(self.content)
            Store.open(self.folder)
        except StoreError as error:
            (self.folder / MANIFEST_NAME).unlink()
            raise TransferError(
                f"{self.objects.name}: all of it came, and yet it does not open. {error}"
            ) from None
        for path in (self.folder / MANIFEST_NAME, self.folder):
            sync(path)  # the folder must never be without one of the two
        (self.folder / MARKER).unlink()
        sync_tree(self.folder)
        if self.site.store.exists():
            self._refuse_replacing()
            self.site.store.rename(self.site.replaced)
        self.folder.rename(self.site.store)
        sync(self.site.store.parent)
        self.site.discard(self.site.replaced)

    def _stands(self) -> bool:
        """Whether the very store stands under its name already.

        Raises
        ------
        BuildError
            A folder that is not a store does.
        """
        store = self.site.store
        try:
            parse_manifest(store)
        except (DamagedStoreError, NewerStoreError):
            return False
        except NotAStoreError:
            raise BuildError(f"{store} is a folder but not a store. Name another place.") from None
        return (store / MANIFEST_NAME).read_bytes() == self.content

    def _refuse_replacing(self) -> None:
        """Say that what stands under the name stays, unless it may be replaced."""
        if not self.replaces:
            raise BuildError(
                f"{self.site.store} holds another store, or a damaged one. Name another place, or "
                "use --force to replace it once this one is complete."
            )

    def _take_folder(self, force: bool) -> None:
        """Make sure that the folder for what comes is ours and of this very store, or not there."""
        folder = self.folder
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise BuildError(f"{folder} is in the way. Move it away, or name another place.")
        if not folder.exists() or is_empty(folder):  # a pull was killed while it wrote its marker
            return
        try:
            marker = read_json(folder / MARKER)
            pulled = entry(marker, "manifest", text) if entry(marker, "format", text) else ""
        except FileNotFoundError:
            manifest = folder / MANIFEST_NAME  # of a pull that lacked only its name
            ours = manifest.is_file() and manifest.stat().st_size == len(self.content)
            if ours and manifest.read_bytes() == self.content:
                return
            raise BuildError(f"{folder} is not a pull of this program. Move it away.") from None
        except ShapeError:
            pulled = ""
        if pulled == _sha256(self.content):
            return
        if not force:
            raise BuildError(
                f"{folder} holds an unfinished pull of another store. Finish it, name another "
                "place, or use --force to discard it."
            )
        self.site.discard(folder)

    def _odd_sizes(self) -> list[str]:
        """What the ledger says of packed files that cannot be."""
        problems = []
        for file, (nbytes, _) in self.manifest.files.items():
            packed = self.ledger.files.get(file)
            if packed is None:
                problems.append(f"{LEDGER_NAME} does not have {file}")
            elif packed.nbytes > most_bytes(nbytes):
                problems.append(
                    f"{LEDGER_NAME}: {file} has {plural(nbytes, 'byte')}, packed {packed.nbytes:,}"
                )
        return problems

    async def _check(self, file: str) -> None:
        """Compare a file of the store that stands with its checksum."""
        nbytes, crc = self.manifest.files[file]
        try:
            whole = await asyncio.to_thread(_is_whole, self.site.store / file, nbytes, crc)
            problem = f"{file} is not as it was sealed"
        except OSError as error:
            whole, problem = False, f"{file} cannot be read: {error.strerror}"
        if not whole:
            problem += "; --force fetches the store again"
            raise DamagedStoreError(self.site.store, [problem])
        self.done += nbytes

    async def _fetch(self, file: str) -> None:
        """Fetch a file, unless it came before; it gets its name if its checksum is right."""
        nbytes, crc = self.manifest.files[file]
        target, name = self.folder / file, self.ledger.object_of(file)
        part = self.folder / PARTS / hashlib.sha256(file.encode()).hexdigest()
        with _writing(target):
            if await asyncio.to_thread(_is_whole, target, nbytes, crc):
                self.done += nbytes
                return
            with LargeFile(part, "wb") as sink:
                found = await self._receive(file, name, sink)
            if found != crc:
                raise TransferError(
                    f"{self.objects.name}/{name}: expected checksum {crc:08x}, got {found:08x}. "
                    "Push the store again."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        self.sent += 1

    async def _receive(self, file: str, name: str, sink: LargeFile) -> int:
        """Write what comes of a file; return its CRC-32."""
        nbytes, _ = self.manifest.files[file]
        packed = self.ledger.packed
        size_there = self.ledger.files[file].nbytes if packed else nbytes
        unpacker = Unpacker() if packed else None
        crc = written = 0

        def take(piece: Any) -> None:
            nonlocal crc, written
            frames: Iterable[Any] = unpacker.feed(piece) if unpacker else (piece,)
            for raw in frames:
                written += len(raw)
                if written > nbytes:
                    raise PackingError(f"expected {plural(nbytes, 'byte')}, got more")
                sink.write(raw)
                crc = zlib.crc32(raw, crc)

        try:
            async for piece in self.objects.pieces(name, size_there):
                before = written
                await asyncio.to_thread(take, piece)
                self.done += written - before
                self.sent_bytes += len(piece)
            if unpacker:
                unpacker.end()
        except PackingError as error:
            raise TransferError(
                f"{self.objects.name}/{name}: {error}. Push the store again."
            ) from None
        return crc


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say which file or folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise BuildError(f"{path} cannot be written: {error.strerror}.") from None


def _is_whole(path: Path, nbytes: int, crc: int) -> bool:
    """Whether a file is there as it was sealed."""
    return path.is_file() and path.stat().st_size == nbytes and checksum(path) == crc


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _odd_names(manifest: Manifest) -> list[str]:
    """Names that cannot all be files of one store: one twice, or a file within a file."""
    ours = {MANIFEST_NAME, MARKER, PARTS}
    problems = []
    for name in manifest.files:
        steps = name.split("/")
        above = {"/".join(steps[:depth]) for depth in range(1, len(steps))}
        if steps[0] in ours or any(one in manifest.files for one in above):
            problems.append(f"{MANIFEST_NAME}: files: {name!r} cannot be a file of a store")
    return problems
