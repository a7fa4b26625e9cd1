"""How small each way of packing makes the shards of a store, and what push and pull take.

The shards are simulated, and those of real segments if `$HMS_REAL_DATA` names a folder that holds
them in real/. Each way packs and unpacks frames of them on one thread; then `hmsprep push` and
`pull` go to a folder and back from the command line, as the files are and packed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.conditions import module
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, simulated_store
from hmsprep.sealed.transport.packing import SIGNALS, Packing, Turn, frame_bytes
from hmsstore import Store

NOTE = (
    "Shards of {windows}. MB/s of raw bytes on one thread, frames in memory, the best of {rounds} "
    "rounds. Ratio: raw over packed bytes. In use: {used}. Real segments are 50 s of EEG, so "
    "their spectrograms are for the most part filled."
)
MOVED = (
    "`hmsprep push` of {what} to a folder of this machine and `hmsprep pull` from it, each in a "
    "process of its own, start included; files in the page cache."
)


@dataclass(frozen=True)
class Way:
    """A way to pack the rows of a signal."""

    name: str
    pack: Callable[[memoryview, int], Any]
    unpack: Callable[[Any, int, int], Any]


def own(turn: Turn, level: int) -> Way:
    """A way that the package has."""
    packing = Packing(turn, level)
    return Way(f"{turn.value}, zstd {level}", packing.pack, packing.unpack)


def differences(level: int) -> Way:
    """Each value as its distance from the one before, counted in half-precision numbers.

    Numbers in the order of their values are those of their bits but for the sign; a distance is
    small either way (zigzag).
    """
    packing, apart = Packing(Turn.NONE, level), Packing(Turn.BYTES, level)

    def pack(raw: memoryview, width: int) -> Any:
        whole = len(raw) // (2 * width) * width
        bits = np.frombuffer(raw, "<u2", whole).reshape(-1, width).T
        order = bits ^ ((0 - (bits >> 15)) | np.uint16(0x8000))
        steps = np.diff(order, axis=1, prepend=np.uint16(0))
        steps = (steps << 1) ^ (0 - (steps >> 15))
        rest = packing.pack(raw[2 * whole :], 0) if 2 * whole < len(raw) else b""
        return apart.pack(memoryview(np.ascontiguousarray(steps).tobytes()), 1), rest

    def unpack(packed: Any, nbytes: int, width: int) -> Any:
        whole = nbytes // (2 * width) * width
        steps = apart.unpack(packed[0], 2 * whole, 1).view("<u2").reshape(width, -1)
        steps = (steps >> 1) ^ (0 - (steps & 1))
        order = np.cumsum(steps, axis=1, dtype=np.uint16)
        bits = order ^ (((order >> 15) - 1) | np.uint16(0x8000))
        rest = packing.unpack(packed[1], nbytes - 2 * whole, 0) if packed[1] else b""
        return bits.T.tobytes() + bytes(rest)

    return Way(f"differences in time, bytes apart, zstd {level}", pack, unpack)


def packed_bytes(packed: Any) -> int:
    """Bytes of a packed frame."""
    return sum(map(len, packed)) if isinstance(packed, tuple) else len(packed)


def blosc(name: str, level: int, shuffle: int) -> Way:
    """A way of Blosc's, which takes the bytes or bits of values apart itself."""
    from numcodecs.blosc import Blosc

    codec = Blosc(name, level, shuffle)

    def unpack(packed: Any, nbytes: int, _width: int) -> Any:
        return codec.decode(packed, np.empty(nbytes, np.uint8))

    about = {Blosc.SHUFFLE: "bytes apart", Blosc.BITSHUFFLE: "bits apart"}[shuffle]
    return Way(
        f"{about}, Blosc {name} {level}",
        lambda raw, _width: codec.encode(np.frombuffer(raw, "<u2")),
        unpack,
    )


def ways() -> list[Way]:
    """All that are compared."""
    return [
        *(own(Turn.NONE, level) for level in (1, 3)),
        *(own(turn, level) for turn in list(Turn)[1:] for level in (1, 3, 9)),
        *(differences(level) for level in (1, 3, 9)),
        *(blosc("zstd", level, shuffle) for level in (1, 5) for shuffle in (1, 2)),
        blosc("lz4", 5, 2),
    ]


def measure(way: Way, frames: list[bytes], width: int, rounds: int) -> dict[str, float]:
    """Ratio and rates of one way, having seen that the bytes come back."""
    raw = sum(map(len, frames))
    pack_s = unpack_s = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        packed = [way.pack(memoryview(one), width) for one in frames]
        middle = time.perf_counter()
        again = [way.unpack(p, len(f), width) for p, f in zip(packed, frames, strict=True)]
        pack_s = min(pack_s, middle - begun)
        unpack_s = min(unpack_s, time.perf_counter() - middle)
    if any(bytes(a) != f for a, f in zip(again, frames, strict=True)):
        raise SystemExit(f"{way.name} does not give back the bytes")
    return {
        "ratio": round(raw / sum(map(packed_bytes, packed)), 3),
        "pack MB/s": round(raw / pack_s / 1e6),
        "unpack MB/s": round(raw / unpack_s / 1e6),
    }


def frames_of(store: Store, signal: str, most: int) -> list[bytes]:
    """Frames of a signal's shards, as a push takes them."""
    width = len(store.spec.signals[signal].features)
    step, frames = frame_bytes(width), []
    for file in sorted(store.manifest.files):
        if file.startswith(f"{signal}/c/"):
            content = (store.path / file).read_bytes()
            frames += [content[start : start + step] for start in range(0, len(content), step)]
    return frames[: max(1, most // step)]


def real_store(work: Path) -> Store | None:
    """A store of real segments, for those who have them."""
    given = os.environ.get("HMS_REAL_DATA")
    if not given or not (Path(given) / "real").is_dir():
        return None
    command("hmsprep", "build", Path(given) / "real", work / "real.zarr", "--missing", "skip")
    return Store.open(work / "real.zarr")


def moved(store: Store, work: Path) -> list[dict[str, Any]]:
    """Push and pull, as they are and packed."""
    rows = []
    nbytes = sum(size for size, _ in store.manifest.files.values())
    folder = work / "moved"
    for options in ((), ("--compress",)):
        shutil.rmtree(folder, ignore_errors=True)  # a run that was stopped may have left some
        folder.mkdir()
        place, back = folder / "place", folder / "back.zarr"
        address = f"file://{place.resolve()}"
        for words in (
            ("push", store.path, address, *options),
            ("pull", address, back),
        ):
            took = measured(module("hmsprep", *words, "--quiet"))
            rows.append(
                {
                    "what": " ".join([words[0], *options]),
                    "store MB": round(nbytes / 1e6, 1),
                    "objects MB": round(
                        sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) / 1e6, 1
                    ),
                    "seconds": round(took["seconds"], 1),
                    "peak own MiB": took["peak own MiB"],
                }
            )
    shutil.rmtree(folder)
    return rows


def main() -> None:
    """Measure, write the records."""
    parser = command_line(__doc__)
    parser.add_argument("--windows", type=int, default=2000, help="to simulate for push and pull")
    parser.add_argument("--rounds", type=int, default=3, help="of each way")
    parser.add_argument("--most", type=int, default=64 << 20, help="bytes to pack of each signal")
    parser.add_argument("--work", type=Path, help="folder to keep data and stores in")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="hms-transport-"))
    try:
        run(work, arguments)
    finally:
        if not arguments.work:
            shutil.rmtree(work, ignore_errors=True)


def run(work: Path, arguments: argparse.Namespace) -> None:
    """Measure in a folder."""
    work.mkdir(parents=True, exist_ok=True)
    store = real_store(work)
    simulated = simulated_store(work, arguments.windows)
    stores = {"simulated": simulated} if store is None else {"real": store, "simulated": simulated}
    rows = []
    for kind, one in stores.items():
        for signal, about in one.spec.signals.items():
            width = len(about.features)
            frames = frames_of(one, signal, arguments.most)
            for way in ways():
                found = measure(way, frames, width, arguments.rounds)
                rows.append({"data": kind, "signal": signal, "way": way.name, **found})
    note = NOTE.format(
        windows=" and ".join(f"{len(one):,} {kind} windows" for kind, one in stores.items()),
        rounds=arguments.rounds,
        used="; ".join(
            f"{name} {way.turn.value}, zstd {way.level}" for name, way in SIGNALS.items()
        ),
    )
    write_record("packing", rows, note, arguments)
    told = f"a simulated store of {len(simulated):,} windows"
    write_record("transport", moved(simulated, work), MOVED.format(what=told), arguments)


if __name__ == "__main__":
    main()
