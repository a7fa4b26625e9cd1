"""One store's windows in the forms that other loaders want, and an epoch from each.

Every function takes a case and writes what its loader reads unless it is there, by that loader's
own means and at the settings that its documentation recommends; what it returns hands out one epoch
in batches.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers.peer_case import SHAPE, WINDOW_BYTES, Case, Epoch
from benchmarks.tools.conditions import BATCH
from hmstrain.data.loader import MappedLoader, Request


class Memmap(torch.utils.data.Dataset[torch.Tensor]):
    """Windows of one .npy file, mapped: the way that torch's documentation shows."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.array: NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(np.load(self.file, mmap_mode="r"))

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.array is None:  # once in each worker
            self.array = np.load(self.file, mmap_mode="r")
        return torch.from_numpy(np.array(self.array[index]))


def gather(case: Case) -> Epoch:
    """Our reader: one thread into one array."""
    out = case.store.gather(case.order[:BATCH], "eeg")

    def epoch() -> Iterator[Any]:
        for rows in case.batches():
            yield case.store.gather(rows, "eeg", out=out)["eeg"]

    return epoch


def gather_new(case: Case) -> Epoch:
    """Our reader, into new arrays for every batch."""
    return lambda: (case.store.gather(rows, "eeg")["eeg"] for rows in case.batches())


def hmstrain(case: Case) -> Epoch:
    """Our training loader."""
    loader = MappedLoader(case.store, ("eeg",), BATCH, torch.device("cpu"))
    return lambda: (batch["eeg"] for _, batch in loader.load(map(Request, case.batches())))


def torch_memmap(workers: int) -> Callable[[Case], Epoch]:
    """The map-style Dataset of torch's documentation."""

    def peer(case: Case) -> Epoch:
        loader = torch.utils.data.DataLoader(
            Memmap(case.npy()),
            batch_size=BATCH,
            sampler=case.order.tolist(),
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        return lambda: loader

    return peer


def in_memory(case: Case) -> Epoch:
    """All windows in memory, as unpickling gives them."""
    array = np.load(case.npy())  # what unpickling an array gives
    out = np.empty((BATCH, *SHAPE), np.float16)
    return lambda: (np.take(array, rows, 0, out, mode="clip") for rows in case.batches())


def npy_files(case: Case) -> Epoch:
    """A file for each window."""
    if case.begin_writing():
        for row, window in enumerate(case.windows()):
            np.save(case.folder / f"{row}.npy", window)
    return lambda: (
        np.stack([np.load(case.folder / f"{row}.npy") for row in rows]) for rows in case.batches()
    )


def zarr_python(case: Case) -> Epoch:
    """zarr-python on the very same store."""
    import zarr

    array = zarr.open_array(str(case.store.path / "eeg"), mode="r")
    starts = case.store.windows["eeg_start"]
    return lambda: (
        np.stack([array[s : s + SHAPE[0]] for s in starts[rows].tolist()])
        for rows in case.batches()
    )


def zarrs(case: Case) -> Epoch:
    """zarr-python with its codecs in Rust."""
    import zarr
    import zarrs as _zarrs  # noqa: F401 - must be there for its pipeline

    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        return zarr_python(case)  # the array keeps the pipeline that it was opened with


def tensorstore(case: Case) -> Epoch:
    """All windows of a batch asked for at once."""
    import tensorstore as ts

    spec = {"driver": "zarr3", "kvstore": f"file://{case.store.path}/eeg/"}
    array = ts.open(spec, read=True).result()
    starts = case.store.windows["eeg_start"]

    def epoch() -> Iterator[Any]:
        for rows in case.batches():
            asked = [array[s : s + SHAPE[0]].read() for s in starts[rows].tolist()]
            yield np.stack([one.result() for one in asked])

    return epoch


def xbatcher(case: Case) -> Epoch:
    """A chunk for each window, in order: it knows no other."""
    import xarray
    import xbatcher as xb

    path = case.folder / "windows.zarr"
    if case.begin_writing():
        data = xarray.DataArray(
            np.load(case.npy(), mmap_mode="r"), dims=("window", "time", "channel"), name="eeg"
        )
        encoding = {"eeg": {"chunks": (1, *SHAPE), "compressors": None}}
        data.to_dataset().to_zarr(path, encoding=encoding, zarr_format=3, consolidated=False)
    opened = xarray.open_zarr(path, chunks=None, consolidated=False)

    def epoch() -> Iterator[Any]:  # in order: it knows no other
        for batch in xb.BatchGenerator(
            opened, {"window": BATCH, "time": SHAPE[0], "channel": SHAPE[1]}
        ):
            yield batch["eeg"].values

    return epoch


def lmdb(read_ahead: bool) -> Callable[[Case], Epoch]:
    """Raw bytes, without pickle; its own documents advise against read-ahead beyond memory."""
    return lambda case: _lmdb(case, read_ahead)


def _lmdb(case: Case, read_ahead: bool) -> Epoch:
    import lmdb as db

    if case.begin_writing():
        with (
            db.open(str(case.folder), map_size=2 * len(case.order) * WINDOW_BYTES + 10**7) as made,
            made.begin(write=True) as writing,
        ):
            for row, window in enumerate(case.windows()):
                writing.put(b"%d" % row, window.tobytes())
    opened = db.open(str(case.folder), readonly=True, lock=False, readahead=read_ahead)

    def epoch() -> Iterator[Any]:
        out = np.empty((BATCH, *SHAPE), np.float16)
        with opened.begin(buffers=True) as reading:
            for rows in case.batches():
                for i, row in enumerate(rows.tolist()):
                    out[i] = np.frombuffer(reading.get(b"%d" % row), np.float16).reshape(SHAPE)
                yield out

    return epoch


def tensordict(case: Case) -> Epoch:
    """Rows of a memory-mapped tensor."""
    from tensordict import MemoryMappedTensor

    file = case.folder / "windows"
    if case.begin_writing():
        MemoryMappedTensor.from_tensor(
            torch.from_numpy(np.load(case.npy(), mmap_mode="c")), filename=file
        )
    shape = torch.Size((len(case.order), *SHAPE))
    array = MemoryMappedTensor.from_filename(file, dtype=torch.float16, shape=shape)
    return lambda: (array[torch.from_numpy(rows)] for rows in case.batches())


def hf_datasets(case: Case) -> Epoch:
    """Arrow on disk, handed out as tensors."""
    from datasets import Array2D, Dataset, Features, disable_progress_bars

    disable_progress_bars()

    def rows() -> Iterator[dict[str, Any]]:
        for window in case.windows():
            yield {"eeg": window}

    if case.begin_writing():
        features = Features({"eeg": Array2D(SHAPE, "float16")})
        cache = case.folder.with_suffix(".cache")
        Dataset.from_generator(
            rows, features=features, cache_dir=str(cache), writer_batch_size=100
        ).save_to_disk(case.folder)
        shutil.rmtree(cache)
    made = Dataset.load_from_disk(case.folder).with_format("torch", dtype=torch.float16)
    return lambda: (made[batch.tolist()]["eeg"] for batch in case.batches())


def webdataset(case: Case) -> Epoch:
    """Tar files, shuffled among the windows of a buffer."""
    import webdataset as wds

    if case.begin_writing():
        with wds.ShardWriter(str(case.folder / "%04d.tar"), maxsize=64e6, verbose=0) as writer:
            for row, window in enumerate(case.windows()):
                writer.write({"__key__": f"{row:08d}", "npy": window})
    files = sorted(str(file) for file in case.folder.glob("*.tar"))

    def epoch() -> Iterable[Any]:  # shuffled among the windows of a buffer
        data = wds.WebDataset(files, shardshuffle=len(files)).shuffle(1000).decode().to_tuple("npy")
        return (np.stack([x for (x,) in rows]) for rows in _chunks(data))

    return epoch


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    held = []
    for item in items:
        held.append(item)
        if len(held) == BATCH:
            yield held
            held = []


def mosaicml(workers: int) -> Callable[[Case], Epoch]:
    """MDS shards, shuffled by their own order."""
    return lambda case: _mosaicml(case, workers)


def _mosaicml(case: Case, workers: int) -> Epoch:
    from streaming import MDSWriter, StreamingDataset

    if case.begin_writing():
        columns = {"eeg": "ndarray:float16:10000,20"}
        with MDSWriter(out=str(case.folder), columns=columns) as writer:
            for window in case.windows():
                writer.write({"eeg": window})
    data = StreamingDataset(local=str(case.folder), shuffle=True, batch_size=BATCH)
    loader = torch.utils.data.DataLoader(
        data, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: (batch["eeg"] for batch in loader)


def litdata(workers: int) -> Callable[[Case], Epoch]:
    """Chunks, shuffled by their own order."""
    return lambda case: _litdata(case, workers)


def _litdata(case: Case, workers: int) -> Epoch:
    import litdata as lit

    data = case.folder / "data"
    if case.begin_writing():
        lit.optimize(
            fn=case.window,
            inputs=list(range(len(case.order))),
            output_dir=str(data),
            chunk_bytes="64MB",
            num_workers=1,
            verbose=False,
            start_method="fork",
        )
    made = lit.StreamingDataset(str(data), shuffle=True)
    loader = lit.StreamingDataLoader(
        made, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: loader
