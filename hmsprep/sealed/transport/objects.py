"""An address -> the objects below it: listed, read in pieces, written whole.

Whatever goes wrong there is a `TransferError` of one sentence that names the object. Requests that
fail for a moment are repeated by obstore.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hmsprep.errors import ParameterError, TransferError
from hmsprep.words import plural

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PIECE_BYTES = 8 << 20
"""Bytes of a request: large enough that its delay does not count, small enough to hold many."""
PARTS_AT_ONCE = 2
"""Pieces of one file that are on their way at a time."""
MOST_PARTS = 9_000
"""Pieces of one file; S3 takes 10,000."""
REMOVING_S = 5.0
"""How long a push that is stopped may take to remove pieces of files that are not whole."""
SCHEMES = ("s3", "gs", "az", "file")
CLIENT = {"timeout": "5min", "connect_timeout": "10s"}
RETRIES = {"max_retries": 6, "retry_timeout": timedelta(minutes=2)}
ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
"""Environment variables that say to go without TLS."""
LONGEST = 300
"""Characters of a server's answer in a message."""
NO_BUCKET = re.compile("NoSuchBucket|bucket does not exist|ContainerNotFound", re.I)
REFUSED = re.compile("40[13] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch")
NO_CREDENTIALS = re.compile("169.254.169.254|metadata.google|Missing ?Credential|credentials", re.I)
USER = re.compile(r"(://)[^/\s]*@")
"""Before a host, perhaps with a password."""
ANY_USER = re.compile(r"(:/*)\S*@")
"""Likewise in what is not an address, such as one with a secret key that has a slash in it."""
QUERY = re.compile(r"(:/\S*?\?)[^\s\"')]+")
"""What may be signed, or hold a token."""
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""Environment variables that obstore reads."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there."""

    nbytes: int
    tag: str
    """What the server calls this content of it (its ETag); empty if it has no name for it."""


class Objects:
    """The objects below an address.

    Parameters
    ----------
    address : str or obstore.store.ObjectStore
        s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, file:///folder, or a store of
        obstore's own, for what environment variables cannot say.
    make : bool
        Make the folder of a file:// address.

    Raises
    ------
    ParameterError
        It is not an address, or obstore is not installed.
    TransferError
        There is no such place.
    """

    def __init__(self, address: str | ObjectStore, *, make: bool = False) -> None:
        try:
            import obstore
        except ModuleNotFoundError:
            raise ParameterError(
                "obstore is not installed. Run: pip install 'hms-eeg[prep,cloud]'"
            ) from None
        self._obstore: Any = obstore
        self._scheme = ""
        if isinstance(address, str):
            self._scheme = _scheme(address)
            self.name = address.rstrip("/")
            with self._told():
                self._store: Any = self._open(address, make)
        else:
            self.name = _without_secrets(repr(address))
            self._store = address

    def _open(self, address: str, make: bool) -> Any:
        from obstore import store

        if self._scheme == "file":
            folder = Path(address.removeprefix("file://"))
            if not make and not folder.is_dir():
                raise TransferError(f"{self.name}: there is no such folder.")
            return store.LocalStore(folder, mkdir=make)
        allow = os.environ.get(ALLOW_HTTP[self._scheme], "").lower() in ("1", "true", "yes")
        options = {**CLIENT, "allow_http": allow}
        open_: Any = store.from_url
        return open_(address, client_options=options, retry_config=RETRIES)

    async def listing(self) -> AsyncIterator[tuple[str, Found]]:
        """Name, relative to the address, and size of every object, in no order."""
        with self._told():
            async for page in self._obstore.list(self._store, chunk_size=1000):
                for one in page:
                    yield one["path"], Found(one["size"], _tag(one))

    async def read(self, name: str, most: int) -> bytes | None:
        """Content of an object of at most so many bytes; None if there is no such object."""
        with self._told(name):
            try:
                answer = await self._obstore.get_async(self._store, name)
            except FileNotFoundError as error:
                if NO_BUCKET.search(str(error)):
                    raise
                return None
            if answer.meta["size"] > most:
                raise TransferError(
                    f"{self._at(name)}: expected at most {most:,} bytes, got "
                    f"{answer.meta['size']:,}."
                )
            content = bytearray()
            async for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                content += piece
                if len(content) > answer.meta["size"]:
                    raise TransferError(f"{self._at(name)}: more bytes came than it has.")
            return bytes(content)

    async def pieces(self, name: str, nbytes: int) -> AsyncIterator[Any]:
        """Content of an object that must have so many bytes, in pieces of `PIECE_BYTES` or fewer.

        Raises
        ------
        TransferError
            It is missing, of another size, or replaced meanwhile.
        """
        tag, first = "", 0
        while first < nbytes or not tag:
            stop = min(first + PIECE_BYTES, nbytes)
            weak = tag.startswith("W/")  # never matches, by RFC 9110
            options = ({"range": (first, stop)} if nbytes else {}) | (
                {"if_match": tag} if tag.strip("?") and not weak else {}
            )
            with self._told(name):
                answer = await self._obstore.get_async(self._store, name, options=options)
                found = answer.meta["size"]
                if found != nbytes:
                    raise TransferError(
                        f"{self._at(name)}: expected {plural(nbytes, 'byte')}, found {found:,}. "
                        "Push the store again."
                    )
                if weak and answer.meta["e_tag"] != tag:
                    raise TransferError(self._replaced(name))
                tag = answer.meta["e_tag"] or "?"
                async for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                    first += len(piece)
                    if first > stop:
                        raise TransferError(f"{self._at(name)}: more bytes came than it has.")
                    yield piece
            if first < stop:
                raise TransferError(f"{self._at(name)}: fewer bytes came than it has.")

    async def write(self, name: str, content: bytes) -> Found:
        """Write an object from bytes, whole or not at all."""
        with self._told(name):
            done = await self._obstore.put_async(self._store, name, content, use_multipart=False)
            return Found(len(content), _tag(done))

    async def write_pieces(self, name: str, pieces: AsyncIterator[bytes], nbytes: int) -> Found:
        """Write an object from pieces, whole or not at all.

        Parameters
        ----------
        name : str
            The object.
        pieces : async iterator of bytes
            Its content. An error of this iterator is raised as it is; nothing is written then.
        nbytes : int
            At least as many bytes as there will be.
        """
        failure: list[BaseException] = []
        written, stopped = 0, False

        def refuse_if_stopped() -> None:
            if stopped:
                raise TransferError(f"{self._at(name)}: the push was stopped.")

        async def noted() -> AsyncIterator[bytes]:
            nonlocal written
            try:
                async for piece in pieces:
                    refuse_if_stopped()
                    written += len(piece)
                    yield piece
                refuse_if_stopped()
            except BaseException as error:
                failure.append(error)
                raise

        try:
            with self._told(name):
                put = asyncio.ensure_future(
                    self._obstore.put_async(
                        self._store,
                        name,
                        noted(),
                        use_multipart=True,
                        chunk_size=max(PIECE_BYTES, nbytes // MOST_PARTS),
                        max_concurrency=PARTS_AT_ONCE,
                    )
                )
                done = await asyncio.shield(put)
        except asyncio.CancelledError:
            stopped = True  # obstore then removes the pieces that were sent
            await asyncio.wait([put], timeout=REMOVING_S)
            raise
        except TransferError:
            if failure:
                raise failure[0] from None
            raise
        return Found(written, _tag(done))

    async def remove(self, names: list[str]) -> None:
        """Remove objects; those that are gone already are none of our business."""
        if names:
            with self._told(), suppress(FileNotFoundError):
                await self._obstore.delete_async(self._store, names)

    def _replaced(self, name: str) -> str:
        return f"{self._at(name)}: it was replaced while it was read. Run the command again."

    def _at(self, name: str) -> str:
        return f"{self.name}/{name}" if name else self.name

    @contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        """Turn whatever obstore raises into one sentence."""
        try:
            yield
        except (TransferError, GeneratorExit):
            raise
        except BaseException as error:
            # A panic of its Rust code is a BaseException.
            if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
                raise
            raise TransferError(self._sentence(error, name)) from None

    def _sentence(self, error: BaseException, name: str) -> str:
        kind = type(error).__name__
        said = _without_secrets(" ".join(str(error).partition("Debug source")[0].split()))
        if NO_BUCKET.search(said):
            kind = "container" if self._scheme == "az" else "bucket"
            return f"{self.name}: there is no such {kind}. Make it, or name another."
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or REFUSED.search(said):
            return (
                f"{self._at(name)}: the server refuses access. Check{self._variables()} and their "
                "permissions."
            )
        if kind in ("PreconditionError", "NotModifiedError"):
            return self._replaced(name)
        if isinstance(error, FileNotFoundError):
            return f"{self._at(name)}: it is missing. Push the store again."
        if NO_CREDENTIALS.search(said):
            return f"{self.name}: found no credentials. Set{self._variables()}."
        if "builder error" in said:
            allow = ALLOW_HTTP.get(self._scheme)
            without = f"; one without TLS needs {allow}=true" if allow else ""
            return f"{self.name}: the endpoint cannot be used. Give it as https://host{without}."
        if len(said) > LONGEST:
            said = f"{said[:LONGEST]}..."
        return f"{self._at(name)}: {said or kind}"

    def _variables(self) -> str:
        variables = CREDENTIALS.get(self._scheme)
        return f" {variables}" if variables else " the credentials"


def _scheme(address: str) -> str:
    """Scheme of an address; refuse what names no place to put objects below."""
    shown = _without_secrets(address, ANY_USER)
    try:
        parts = urlsplit(address)
    except ValueError as error:
        problem = _without_secrets(str(error), ANY_USER)
        raise ParameterError(f"{shown!r} is not an address: {problem}.") from None
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    if parts.scheme not in SCHEMES or not address.startswith(f"{parts.scheme}://"):
        raise ParameterError(
            f"{shown}: expected an address that begins with {known}; for example "
            "s3://bucket/prefix."
        )
    place = address.removeprefix(f"{parts.scheme}://").rstrip("/")
    if parts.scheme == "file":
        if not place.startswith("/") or place == "/":
            raise ParameterError(f"{shown}: expected file:// and the whole path of a folder.")
        return "file"
    if parts.query or parts.fragment or set(parts.netloc) & {"@", ":"} or not parts.netloc:
        raise ParameterError(
            f"{shown}: expected only a bucket and a prefix, such as {parts.scheme}://bucket/"
            "prefix; put credentials and endpoints in environment variables."
        )
    if any(step in ("", ".", "..") for step in place.split("/")):
        raise ParameterError(f"{shown}: expected a prefix without empty steps, '.' and '..'.")
    return parts.scheme


def _without_secrets(text: str, user: re.Pattern[str] = USER) -> str:
    """Leave out of an address, or of a sentence that names some, what may be a password."""
    return QUERY.sub(r"\1...", user.sub(r"\1...@", text))


def _tag(answer: Any) -> str:
    """ETag of an answer; some servers put quotes around it in one kind of answer alone."""
    return str(answer["e_tag"] or "").removeprefix("W/").strip('"')
