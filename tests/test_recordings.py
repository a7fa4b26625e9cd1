"""One head recorded in every way goes through import, build, show and predict, as a user would.

Bipolar as CHB-MIT has it, against an electrode of the scalp, without an electrode, and in each
format that a test can write: pairs of electrodes agree within quantisation, and so do the answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.io import savemat
from support.edf_bytes import Head, Signal
from support.edf_bytes import write as write_bytes
from support.formats import RATE_HZ, WRITERS, signal_uv
from support.inside import Inside
from support.recorder import QUANTUM_UV, write_edf
from support.runs import train_small

from hmsprep.importing.formats import FORMATS
from hmsstore import CHANNELS, CLASSES, Store
from hmsstore.montage import BACK, ELECTRODES, FRONT, PAIRS

pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")

PREP, TRAIN = Inside("hmsprep"), Inside("hmstrain")
NEWER = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
MISSING = "T5"
INNER = slice(400, -400)
"""Two seconds from the ends, where a filter does not feel them."""
UNTESTED = ("Nihon Kohden", "Nicolet", "Neuroscan CNT")
"""Formats that nothing here can write: read by MNE, not tested."""
STEPS_UV = {"BrainVision": 0.1, "Persyst": 0.01, "BDF": 0.05} | dict.fromkeys(
    ("EDF", "bipolar", "scalp-referenced", "lacking"), QUANTUM_UV
)
"""Of recordings that are stored as whole numbers; others are as floats."""


def head() -> dict[str, NDArray[np.float64]]:
    return dict(zip(CHANNELS, signal_uv(), strict=True))


def write_bipolar(folder: Path) -> Path:
    """As CHB-MIT's: new names, one pair turned round, T8-P8 twice, others to electrodes beside."""
    uv = head()
    names = [f"{NEWER.get(a, a)}-{NEWER.get(b, b)}".upper() for a, b in PAIRS]
    beside = ["P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"]
    signals = [uv[a] - uv[b] for a, b in PAIRS]
    signals += [uv["T5"] - uv["T3"], *signal_uv()[:3], uv["T4"] - uv["T6"]]
    return write_edf(folder / "chb01_03.edf", np.stack(signals), RATE_HZ, channels=names + beside)


def write_scalp_referenced(folder: Path) -> Path:
    uv = head()
    names = [name for name in ELECTRODES if name != "Fz"]
    against = np.stack([uv[name] - uv["Fz"] for name in names])
    labels = [f"EEG {name} - Fz" for name in names]
    return write_edf(folder / "scalp.edf", against, RATE_HZ, channels=labels)


def write_lacking(folder: Path) -> Path:
    names = [name for name in CHANNELS if name != MISSING]
    signals = np.stack([head()[name] for name in names])
    return write_edf(folder / "lacking.edf", signals, RATE_HZ, channels=names)


def write_plain(folder: Path) -> Path:
    return write_edf(folder / "plain.edf", signal_uv(), RATE_HZ)


def write_bdf(folder: Path) -> Path:
    signals = [
        Signal(name, np.rint(values / 0.05).astype(int), int(RATE_HZ),
               physical=("-1638.4", "1638.35"))
        for name, values in zip(CHANNELS, signal_uv(), strict=True)
    ]  # fmt: skip
    return write_bytes(folder / "twentyfour.bdf", signals, Head(bdf=True))


def write_mat(folder: Path) -> Path:
    savemat(folder / "segment.mat", {"data": signal_uv(200.0)})
    return folder / "segment.mat"


WAYS = {
    "bipolar": write_bipolar, "scalp-referenced": write_scalp_referenced,
    "lacking": write_lacking, "EDF": write_plain, "BDF": write_bdf, "IIIC": write_mat, **WRITERS,
}  # fmt: skip


@dataclass(frozen=True)
class Went:
    """What came of the folder of recordings."""

    files: dict[str, str]
    """Way of recording -> the file's name."""
    said: str
    """By the import."""
    data: Path
    store: Store
    predicted: Path


@pytest.fixture(scope="module")
def went(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Went:
    """Every command once, on one folder with all of them."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "in").mkdir()
    files = {way: write(folder / "in").name for way, write in WAYS.items()}
    train_small(store, folder / "run", epochs=1, steps=2, inputs="spec+eeg", start_at_prior=False)
    imported = PREP.succeed("import", folder / "in", folder / "data", "--interpolate")
    PREP.succeed("build", folder / "data", folder / "s.zarr", "--normalise", "none")
    TRAIN.succeed(
        "predict", folder / "run", folder / "in", "--interpolate", "--out", folder / "predicted"
    )
    made = Store.open(folder / "s.zarr")
    return Went(files, imported.stderr, folder / "data", made, folder / "predicted")


def described(went: Went, way: str) -> dict[str, object]:
    found = json.loads((went.data / "recordings.json").read_text())["recordings"]
    return next(one for one in found if one["file"] == went.files[way])


@pytest.mark.parametrize("way", WAYS)
def test_pairs_of_the_store_are_those_of_the_head(way: str, went: Went) -> None:
    (piece,) = described(went, way)["pieces"]  # type: ignore[misc]
    (row,) = np.flatnonzero(went.store.windows["eeg_id"] == piece["eeg_id"])
    eeg_uv = went.store.denormalise(went.store.gather([row], "eeg"))["eeg"][0].astype(np.float64)
    truth = signal_uv(200.0)[:, : len(eeg_uv)].T
    step_uv = STEPS_UV.get(way, 0.0)
    for (a, b), front, back in zip(PAIRS, FRONT, BACK, strict=True):
        if way == "lacking" and MISSING in (a, b):
            continue
        half = np.spacing(np.abs(eeg_uv[:, [front, back]]).max(axis=1).astype(np.float16))
        error = np.abs(eeg_uv[:, front] - eeg_uv[:, back] - truth[:, front] + truth[:, back])
        # a resampling filter's ripple, and halves of 16 bits, come beside the recorder's steps
        assert (error <= 4 * step_uv + half + 0.05)[INNER].all(), (a, b, error[INNER].max())


def test_an_import_tells_what_is_not_as_it_is_shown(went: Went) -> None:
    about = {way: described(went, way) for way in WAYS}
    assert {way for way, one in about.items() if one["reference"] == "chains"} == {"bipolar"}
    assert about["scalp-referenced"]["references"] == ["Fz"]
    assert {way: one["interpolated"] for way, one in about.items() if one["interpolated"]} == {
        "lacking": [MISSING]
    }
    assert "chb01_03.edf has no reference that its electrodes share" in went.said
    assert f"lacking.edf: {MISSING} interpolated from the other electrodes" in went.said


@pytest.mark.parametrize("way", WAYS)
def test_answers_to_one_head_agree_however_it_was_recorded(way: str, went: Went) -> None:
    summary = json.loads((went.predicted / "predictions.json").read_text())
    assert (summary["refused"], len(summary["recordings"])) == ([], len(WAYS))
    answers = {}
    for one in ("EDF", way):
        file = went.files[one]
        path = next(
            path
            for path in (went.predicted / f"{file.rpartition('.')[0]}.csv",
                         went.predicted / f"{file}.csv")
            if path.is_file()
        )  # fmt: skip
        answers[one] = pl.read_csv(path).select(CLASSES).to_numpy()
        for ending in (".html", ".png", ".json", ".annotations.edf"):
            assert path.with_name(path.name.removesuffix(".csv") + ending).is_file()
    assert answers[way].shape == (1, len(CLASSES))
    np.testing.assert_allclose(answers[way].sum(axis=1), 1, atol=1e-4)
    apart = np.abs(answers[way] - answers["EDF"]).max()
    assert apart < 0.05
    assert (apart > 2e-4) == (way == "lacking")  # one electrode that is a guess makes a difference


def test_all_of_them_are_drawn(went: Went, tmp_path: Path) -> None:
    PREP.succeed("show", went.store.path, "--count", len(WAYS), "--out", tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 10_000


def test_every_format_is_tried_or_listed_as_untested() -> None:
    titles = {one.title for one in FORMATS}
    tried = {title for title in titles if any(way in title for way in WAYS)}
    assert titles - tried == set(UNTESTED)
