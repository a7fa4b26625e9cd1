"""A sealed store -> objects below an address, several at a time, resumed where it stopped."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hmsprep.errors import ParameterError, TransferError
from hmsprep.planning import checks
from hmsprep.processes import Progress, silent
from hmsprep.sealed.transport import packing
from hmsprep.sealed.transport.background import each, in_background
from hmsprep.sealed.transport.ledger import (
    LEDGER_NAME,
    PACKED_SUFFIX,
    Ledger,
    own_names,
    read_ledger,
)
from hmsprep.sealed.transport.objects import PIECE_BYTES, Found, Objects
from hmsprep.words import plural
from hmsstore import DamagedStoreError, Store, StoreError
from hmsstore.json_shapes import LARGEST_JSON, ShapeError, parse_json
from hmsstore.manifest import MANIFEST_NAME, check_manifest

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

DOCUMENT = "zarr.json"
"""What makes a group or array of the objects, in the eyes of a Zarr reader."""
AT_ONCE = 4
"""Files on their way at a time; each holds a few pieces of `PIECE_BYTES`."""
LEDGER_S = 20.0
"""How often the ledger is written: a killed push sends again what it sent since."""
LAST_WORD_S = 5.0
"""How long a push that is stopped may take to write it."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a push or a pull did."""

    address: str
    """Where the objects are."""
    store: Path
    """The store on this machine."""
    identity: str
    """The store's name for itself."""
    files: int
    """Files of the store, its manifest not counted."""
    nbytes: int
    """Bytes of these."""
    sent: int
    """Files that were sent or fetched; the others were there."""
    sent_bytes: int
    """Bytes of the objects that were sent or fetched."""


def push(
    store: str | Path,
    address: str | ObjectStore,
    *,
    compress: bool = False,
    force: bool = False,
    at_once: int = AT_ONCE,
    progress: Progress = silent,
) -> Transferred:
    """Send a store to an object store, such as S3, or resume a push that was interrupted.

    The objects are the store's files under the same names, so any Zarr reader opens them where they
    are. The manifest comes last: until then there is no store. Every file is compared with its
    checksum in the manifest while it is read.

    Parameters
    ----------
    store : str or Path
        A sealed store.
    address : str or obstore.store.ObjectStore
        s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder,
        where credentials, region and endpoint come from the environment variables that obstore
        reads; or a store of obstore's own. Nothing else may be below it.
    compress : bool
        Send fewer bytes, which `hmsprep.pull` alone reads.
    force : bool
        Replace another store that is there. Until the new one is complete there is none.
    at_once : int
        Files on their way at a time.
    progress : callable
        Called with the stage 'push' and a number of bytes.

    Returns
    -------
    Transferred

    Raises
    ------
    StoreError
        The store cannot be opened, or a file of it is not as it was sealed.
    TransferError
        The address cannot be written, or something else is there.
    ParameterError
        It is not an address.
    KeyboardInterrupt
        As it came. What was sent stays; the same call resumes.

    Examples
    --------
    >>> hmsprep.push("hms.zarr", "s3://bucket/hms.zarr").sent
    301
    """
    checks.truth(compress=compress, force=force)
    opened = Store.open(Path(store))
    if isinstance(address, str) and address.startswith("file://"):
        folder, own = Path(address.removeprefix("file://")).resolve(), opened.path.resolve()
        if own in (folder, *folder.parents):
            raise ParameterError(f"{address}: expected a folder outside of the store.")
    job = _Push(opened, Objects(address, make=True), compress)
    total = sum(size for size, _ in opened.manifest.files.values())
    progress("push", 0, total)
    in_background(
        lambda: job.run(force=force, at_once=at_once),
        lambda: progress("push", min(job.done, total), total),
    )
    progress("push", total, total)
    return Transferred(
        job.objects.name,
        Path(store),
        opened.manifest.identity,
        len(opened.manifest.files),
        total,
        job.sent,
        job.sent_bytes,
    )


@dataclass(frozen=True, slots=True)
class _There:
    """What is below the address before a push."""

    ours: dict[str, Found]
    """Objects that this push might have written."""
    manifest: bytes | None
    ledger: Ledger | None
    """None: there is none, or it is damaged."""
    other: str
    """An object that is none of these, if there is one."""

    def kept(self) -> dict[str, Found]:
        """Files whose objects are as the ledger says."""
        files = self.ledger.files if self.ledger else {}
        return {
            file: found
            for file, found in files.items()
            if found.tag and self.ledger and self.ours.get(self.ledger.object_of(file)) == found
        }


class _Push:
    """One push: what is to be sent, and what has been."""

    def __init__(self, store: Store, objects: Objects, compress: bool) -> None:
        self.store, self.objects = store, objects
        self.files = store.manifest.files
        self.text = (store.path / MANIFEST_NAME).read_bytes()
        if check_manifest(parse_json(self.text), store.path) != store.manifest:
            raise self._damaged(f"{MANIFEST_NAME} was replaced while the store was opened")
        known = hashlib.sha256(self.text).hexdigest()
        self.ledger = Ledger(known, compress, planned=self.files)
        self.done = self.sent = self.sent_bytes = 0
        self.written = time.monotonic()

    async def run(self, *, force: bool, at_once: int) -> None:
        """Send what is not there, and the manifest when all of it is."""
        there = await self._look()
        old = self._old(there, force)
        if old is None:
            self.ledger.files = {f: kept for f, kept in there.kept().items() if f in self.files}
        self.done = sum(self.files[file][0] for file in self.ledger.files)
        missing = [file for file in self.files if file not in self.ledger.files]
        if not missing and there.manifest == self.text:
            return
        if self.done:
            log.info("%s: resuming, %s of %s are there.", self.objects.name,
                     len(self.ledger.files), plural(len(self.files), "file"))  # fmt: skip
        if old is not None:
            await self.objects.remove([MANIFEST_NAME])
            await self.objects.remove(
                [name async for name, _ in self.objects.listing() if name in old]
            )
        try:
            await self._write_ledger()
            # A Zarr reader takes a chunk that is missing for one of fill values.
            for last in (False, True):
                group = [file for file in missing if file.endswith(DOCUMENT) is last]
                await each(self._send, group, at_once)
            await self._write_ledger()
        except BaseException:
            with suppress(TransferError, TimeoutError):
                await asyncio.wait_for(self._write_ledger(), LAST_WORD_S)
            raise
        await self._compare()
        await self.objects.write(MANIFEST_NAME, self.text)

    async def _look(self) -> _There:
        known, ours, other = own_names(self.files), {}, ""
        async for name, found in self.objects.listing():
            if name in known:
                ours[name] = found
            else:
                other = other or name
        manifest = ledger = None
        if MANIFEST_NAME in ours:
            manifest = await self.objects.read(MANIFEST_NAME, LARGEST_JSON)
        if LEDGER_NAME in ours:
            with suppress(ShapeError):
                ledger = read_ledger(await self.objects.read(LEDGER_NAME, LARGEST_JSON) or b"")
        return _There(ours, manifest, ledger, other)

    def _old(self, there: _There, force: bool) -> set[str] | None:
        """Objects of what is to be replaced; None if this very push is resumed or begun.

        Raises
        ------
        TransferError
            Something is there that may not be replaced.
        """
        ledger, where = there.ledger, self.objects.name
        packed = ledger is not None and ledger.packed
        same_way = packed == self.ledger.packed
        if there.manifest is not None:
            if there.manifest == self.text and same_way:
                return None
            found = "another store"
            if there.manifest == self.text:
                found = f"this store, {'packed' if packed else 'not packed'}"
        elif LEDGER_NAME in there.ours:
            if ledger and ledger.manifest == self.ledger.manifest and same_way:
                return None
            found = "an unfinished push of another store, or of this one packed differently"
        elif there.ours or there.other:
            raise TransferError(
                f"{where} holds other objects, such as {min(there.ours, default=there.other)}, "
                "and no store. Name a prefix that is empty."
            )
        else:
            return None
        if not force:
            raise TransferError(
                f"{where} holds {found}. Name another prefix, or use --force to replace it."
            )
        old = ledger.objects() if ledger else set()
        with suppress(ShapeError, StoreError):
            manifest = check_manifest(parse_json(there.manifest or b"", finite=True), where)
            old |= {file + PACKED_SUFFIX if packed else file for file in manifest.files}
        return old

    async def _compare(self) -> None:
        """Refuse to call whole what somebody else has changed meanwhile."""
        there = {name: found async for name, found in self.objects.listing()}
        wrong = [
            name
            for file in self.files
            if not _same(self.ledger.files[file], there.get(name := self.ledger.object_of(file)))
        ]
        if wrong:
            raise TransferError(
                f"{self.objects.name}: {plural(len(wrong), 'object')} changed during the push, "
                f"such as {min(wrong)}: somebody else writes there. Run the command again."
            )

    async def _send(self, file: str) -> None:
        """Send one file, of which the ledger takes note."""
        nbytes = self.files[file][0]
        name = self.ledger.object_of(file)
        pieces = self._packed(file) if self.ledger.packed else self._read(file, PIECE_BYTES)
        if nbytes <= PIECE_BYTES:
            found = await self.objects.write(name, b"".join([piece async for piece in pieces]))
        else:
            most = packing.most_bytes(nbytes) if self.ledger.packed else nbytes
            found = await self.objects.write_pieces(name, pieces, most)
        self.ledger.files[file] = found
        self.sent, self.sent_bytes = self.sent + 1, self.sent_bytes + found.nbytes
        if time.monotonic() - self.written > LEDGER_S:
            await self._write_ledger()

    async def _packed(self, file: str) -> AsyncIterator[bytes]:
        name, shard, _ = file.partition("/c/")
        way, width = packing.OTHER, 0
        if shard and name in self.store.spec.signals:
            way, width = packing.SIGNALS[name], len(self.store.spec.signals[name].features)
        yield packing.head(way, width)
        async for piece in self._read(file, packing.frame_bytes(width)):
            yield await asyncio.to_thread(packing.frame, piece, way, width)

    async def _read(self, file: str, step: int) -> AsyncIterator[bytes]:
        """Content of a file; its last piece comes only if it is the file that was sealed."""
        nbytes, sealed = self.files[file]
        crc = first = 0

        def take() -> bytes:
            nonlocal crc, first
            piece = source.read(min(step, nbytes - first))
            crc, first = zlib.crc32(piece, crc), first + len(piece)
            return piece

        try:
            with (self.store.path / file).open("rb") as source:
                while first < nbytes:
                    if not (piece := await asyncio.to_thread(take)):
                        raise self._damaged(f"{file} has {first:,} bytes, sealed with {nbytes:,}")
                    if first == nbytes and crc != sealed:
                        raise self._damaged(
                            f"{file}: expected checksum {sealed:08x}, got {crc:08x}"
                        )
                    self.done += len(piece)
                    yield piece
        except OSError as error:
            raise self._damaged(f"{file} cannot be read: {error.strerror}") from None

    def _damaged(self, problem: str) -> DamagedStoreError:
        return DamagedStoreError(self.store.path, [problem])

    async def _write_ledger(self) -> None:
        self.written = time.monotonic()
        await self.objects.write(LEDGER_NAME, self.ledger.to_bytes())


def _same(sent: Found, there: Found | None) -> bool:
    return there == sent or (there is not None and not sent.tag and there.nbytes == sent.nbytes)
