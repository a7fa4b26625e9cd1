"""Batches come in order, whole, from wherever the store is held, and take little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hmsstore import Store
from hmstrain.data import loader
from hmstrain.data.centre import CENTRE
from hmstrain.data.dataset import WindowDataset
from hmstrain.data.loader import MappedLoader, Request, ResidentLoader
from hmstrain.errors import DataError

CPU = torch.device("cpu")
BOTH = ("eeg", "spectrogram")


def requests(store: Store, count: int = 9, size: int = 5) -> list[Request]:
    rng = np.random.default_rng(0)
    made = [Request(rng.integers(0, len(store), size)) for _ in range(count)]
    return [*made, Request(np.asarray([1, 2]), np.asarray([300, -(10**6)]))]


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_what_gather_gives_in_order(store: Store, threads: int) -> None:
    asked = requests(store)
    mapped = MappedLoader(store, BOTH, 5, CPU, threads)
    for _ in range(2):
        seen = 0
        for request, batch in mapped.load(asked):
            assert request is asked[seen]
            expected = store.gather(request.rows, shift=request.shift, clamp=True)
            for name in BOTH:
                np.testing.assert_array_equal(batch[name].numpy(), expected[name])
            seen += 1
        assert seen == len(asked)
    mapped.close()


def test_a_store_held_on_the_device_gives_the_same_batches(store: Store) -> None:
    asked = requests(store)
    resident = ResidentLoader(store, ("spectrogram",), CPU)
    loaded = list(resident.load(asked))
    assert [request for request, _ in loaded] == asked
    for request, batch in loaded:
        # The run that was recorded stands beside the signal where windows lack a part.
        assert set(batch) - {"spectrogram_run_B2", CENTRE} == {"spectrogram"}
        assert (CENTRE in batch) == (request.shift is not None)
        expected = store.gather(request.rows, "spectrogram", shift=request.shift, clamp=True)
        np.testing.assert_array_equal(batch["spectrogram"].numpy(), expected["spectrogram"])


def test_a_store_too_large_for_the_device_is_refused_with_the_sizes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spectrogram = sum(shard.nbytes for shard in store.shards("spectrogram"))
    monkeypatch.setattr(loader, "free_bytes", lambda _: spectrogram * 1.3)
    with pytest.raises(
        DataError, match=r"take 0\.\d GB; cpu has .* GB to spare.*spectrogram alone"
    ):
        ResidentLoader(store, BOTH, CPU)
    ResidentLoader(store, ("spectrogram",), CPU)


def test_whoever_stops_early_leaves_a_loader_that_works(store: Store) -> None:
    mapped = MappedLoader(store, BOTH, 5, CPU, 2)
    for _ in mapped.load(requests(store)):
        break
    assert len(list(mapped.load(requests(store)))) == 10
    mapped.close()


def test_an_error_while_gathering_reaches_the_caller(store: Store) -> None:
    mapped = MappedLoader(store, BOTH, 5, CPU, 1)
    with pytest.raises(Exception, match="row 100000 does not exist"):
        list(mapped.load([Request(np.asarray([0])), Request(np.asarray([100_000]))]))
    mapped.close()


MEMORY = """
import sys
from pathlib import Path
import numpy as np, torch, timm
import hmstrain.data.loader as loader
from hmsstore import Store

def own_kb():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    values = {l.split(":")[0]: int(l.split()[1]) for l in lines}
    return values["Pss_Anon"] + values["Pss_Shmem"]

torch.set_num_threads(1)
before = own_kb()
store = Store.open(sys.argv[1])
rows = np.random.default_rng(0).integers(0, len(store), (40, 32))
mapped = loader.MappedLoader(store, ("eeg", "spectrogram"), 32, torch.device("cpu"))
peak = 0
for _ in mapped.load(loader.Request(r) for r in rows):
    peak = max(peak, own_kb())
print((peak - before) // 1024)
"""


def test_loading_takes_the_ring_and_hardly_more(store: Store, tmp_path: Path) -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("needs /proc")
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    done = subprocess.run(
        [sys.executable, script, store.path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150


@pytest.mark.parametrize("workers", [0, 2])
def test_the_plain_dataset_gives_whole_batches_to_a_torch_dataloader(
    store: Store, workers: int
) -> None:
    dataset = WindowDataset(store, store.select("train"), ["spectrogram"])
    assert dataset[3]["spectrogram"].shape == (300, 400)
    batches = DataLoader(
        dataset,
        batch_size=7,
        num_workers=workers,
        collate_fn=WindowDataset.collate,
        multiprocessing_context="spawn" if workers else None,
    )
    rows = []
    for batch in batches:
        expected = store.gather(batch["row"].numpy(), "spectrogram")["spectrogram"]
        np.testing.assert_array_equal(batch["spectrogram"].numpy(), expected)
        assert batch["target"].shape[1:] == (6,)
        rows += batch["row"].tolist()
    assert rows == store.select("train").tolist()
