"""`hmsprep push` and `hmsprep pull`: a store <-> an address -> `hmsprep.push`, `hmsprep.pull`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hmsprep.cli.options import RUN, Json, LogFile, Quiet, StoreIn, StoreOut, option

if TYPE_CHECKING:
    from hmsprep.sealed.transport.sending import Transferred

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER.",
    ),
]
AtOnce = Annotated[int, option("--at-once", "Files to transfer at once.", RUN, min=1, metavar="N")]
INTERRUPTED = "Stopped. Run the same command again to resume."


def push(
    store: StoreIn,
    address: Address,
    compress: Annotated[
        bool,
        option("--compress", "Compress files; only `hmsprep pull` can read them then.", RUN),
    ] = False,
    force: Annotated[bool, option("--force", "Replace another store at ADDRESS.", RUN)] = False,
    at_once: AtOnce = 4,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Send a store to S3 or another object store.

    If a push is interrupted, run the same command again to resume it. Credentials, region and
    endpoint come from environment variables such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL.
    """
    import hmsprep
    from hmsprep.cli import console, progress

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=INTERRUPTED):
        with progress.bars({"push": progress.Stage("Sending", "bytes")}) as report:
            done = hmsprep.push(
                store, address, compress=compress, force=force, at_once=at_once, progress=report
            )
        _say(done, f"{store} is at {done.address}", "sent", json)


def pull(
    address: Address,
    store: StoreOut,
    force: Annotated[
        bool,
        option("--force", "Replace another or a damaged store when the pull is complete.", RUN),
    ] = False,
    at_once: AtOnce = 4,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Fetch a store that was pushed.

    Every byte is checked. If a pull is interrupted, run the same command again to resume it.
    """
    import hmsprep
    from hmsprep.cli import console, progress

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=INTERRUPTED):
        with progress.bars({"pull": progress.Stage("Fetching", "bytes")}) as report:
            done = hmsprep.pull(address, store, force=force, at_once=at_once, progress=report)
        console.warn_of_leak(hmsprep.info(store).leaks)
        _say(done, f"{store} is whole", "fetched", json)


def _say(done: Transferred, what: str, verb: str, json: bool) -> None:
    from hmsprep.cli import tables
    from hmsprep.words import plural, size

    if json:
        tables.print_json(asdict(done) | {"store": str(done.store)})
        return
    rest = done.files - done.sent
    there = f"; {plural(rest, 'file')} were there" if rest > 1 else ""
    print(
        f"{what}: {plural(done.files, 'file')}, {size(done.nbytes)}. "
        f"{plural(done.sent, 'file')} {verb}, {size(done.sent_bytes)}{there}."
    )
