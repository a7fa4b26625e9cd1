"""A store of bipolar recordings: pairs are exact, and what needs a reference refuses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from support.helpers import Program, build_store
from support.recorder import noise, write_edf

import hmsprep
from hmsprep.errors import ParameterError
from hmsprep.importing.convert import import_recordings
from hmsstore import RequestError, Store, ViewError
from hmsstore.mne_raw import raw_recording
from hmsstore.montage import BACK, FRONT, PAIRS
from hmsstore.schema import CHANNELS
from hmsstore.view import Display, draw_window
from hmstrain.config import Config
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.inputs.prepare import Normalisation, cleaning
from hmstrain.data.mixture import open_mixture
from hmstrain.errors import DataError
from hmstrain.models.network import make_network
from hmstrain.prediction.predict import with_reference
from hmstrain.reporting.attribution import explain_window
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.trained import Trained

PROGRAM = Program("hmsprep")
STEP_UV = 6_500 / 2**16


def head() -> dict[str, np.ndarray]:
    """Potentials that drift apart along the left chains by more than the clip of 1,024 uV in sum.

    Neighbours stay within it.
    """
    potential = dict(zip(CHANNELS, noise(60), strict=True))
    slow = np.linspace(0, 1, 12_000)
    for place, name in enumerate(("Fp1", "F7", "T3", "T5", "O1")):
        potential[name] = potential[name] + 500 * place * slow
    for place, name in enumerate(("F3", "C3", "P3")):
        potential[name] = potential[name] + 500 * (place + 1) * slow
    return potential


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """The same head recorded bipolar, and without T5."""
    folder = tmp_path_factory.mktemp("bipolar")
    truth = head()
    pairs = np.stack([truth[a] - truth[b] for a, b in PAIRS])
    files = {"bipolar": write_edf(folder / "a.edf", pairs, channels=[f"{a}-{b}" for a, b in PAIRS])}
    names = [name for name in CHANNELS if name != "T5"]
    lacking = np.clip(np.stack([truth[name] for name in names]), -3250, 3250)
    files["interpolated"] = write_edf(folder / "b.edf", lacking, channels=names)
    made = {}
    for kind, file in files.items():
        import_recordings([file], folder / kind, interpolate=kind == "interpolated")
        made[kind] = build_store(folder / kind, folder / f"{kind}.zarr", normalise="none")
    return made


def test_pairs_of_the_store_are_those_of_the_head(stores: dict[str, Store]) -> None:
    store, truth = stores["bipolar"], head()
    assert store.chains_only([0]).all()
    for row in range(len(store)):
        eeg_uv = store.denormalise(store.gather([row], "eeg"))["eeg"][0].astype(float)
        first = round(store.windows["eeg_offset_s"][row] * 200)
        for (a, b), front, back in zip(PAIRS, FRONT, BACK, strict=True):
            expected = (truth[a] - truth[b])[first : first + 10_000]
            half = np.spacing(np.abs(eeg_uv[:, [front, back]]).max(axis=1).astype(np.float16))
            error = np.abs(eeg_uv[:, front] - eeg_uv[:, back] - expected)
            assert (error <= 4 * STEP_UV + half).all(), (a, b, error.max())
    assert np.abs(eeg_uv).max() > 1_100  # the sum along a chain is not clipped, pairs are
    assert not [text for text in store.info["warnings"] if "beyond the clip" in text]


def test_a_reader_of_other_stores_finds_a_reference(stores: dict[str, Store]) -> None:
    other = stores["interpolated"]
    assert not other.chains_only(np.arange(len(other))).any()
    assert [CHANNELS[n] for n in np.flatnonzero(other.interpolated([0])[0])] == ["T5"]
    assert not stores["bipolar"].interpolated([0]).any()


def test_only_pairs_are_drawn(stores: dict[str, Store], tmp_path: Path) -> None:
    store = stores["bipolar"]
    draw_window(store, 0, Display(seconds=2))
    for montage in ("referential", "average"):
        with pytest.raises(ViewError, match="bipolar, so its electrodes share no reference"):
            draw_window(store, 0, Display(montage=montage, seconds=2))
    refused = PROGRAM.run(
        "show", store.path, "--montage", "average", "--row", "0", "--out", tmp_path / "a.png"
    )
    assert refused.returncode == 1
    assert "Use the montage 'bipolar'" in refused.stderr
    assert "T5 interpolated" in hmsprep.show(stores["interpolated"], row=0, seconds=2).titles[0]


def test_what_needs_a_reference_refuses_a_bipolar_store(stores: dict[str, Store]) -> None:
    store = stores["bipolar"]
    with pytest.raises(ParameterError, match=r"2 windows of .* are of bipolar recordings"):
        hmsprep.features(store)
    with pytest.raises(hmsprep.PrepError, match=r"2 windows of .* are of bipolar recordings"):
        hmsprep.realism([stores["interpolated"], store])
    pytest.importorskip("mne", reason="MNE")
    with pytest.raises(RequestError, match="recorded as bipolar pairs"):
        raw_recording(store, int(store.windows["eeg_id"][0]))


def test_bipolar_recordings_of_the_other_half_are_not_refused(
    stores: dict[str, Store], tmp_path: Path
) -> None:
    files = [stores["bipolar"].path.with_name(name) for name in ("a.edf", "b.edf")]
    import_recordings(files, tmp_path / "both", interpolate=True)
    both = build_store(tmp_path / "both", tmp_path / "both.zarr")
    of = dict(zip(both.windows["eeg_id"].tolist(), both.chains_only(range(len(both))), strict=True))
    table = tmp_path / "sources.csv"
    lines = [f"{eeg},x,{'bipolar' if pairs else 'referential'}" for eeg, pairs in of.items()]
    table.write_text("\n".join(["eeg_id,source,half", *lines]) + "\n")
    for half, said in (("bipolar", "are of bipolar"), ("referential", "no window that can be")):
        with pytest.raises(hmsprep.PrepError, match=said):  # imports have no votes
            hmsprep.realism([both, stores["interpolated"]], source=table, half=half, workers=1)


@pytest.mark.parametrize("inputs", ["spec", "raw", "eeg-image", "mel16"])
def test_inputs_of_pairs_and_spectrograms_take_it(inputs: str, stores: dict[str, Store]) -> None:
    from hmstrain.data.inputs import make_inputs, signal_names

    model = "resnet1d" if inputs == "raw" else "naive_cnn"
    config = Config(model=model, inputs=inputs)
    physical = Physical(config, stores["bipolar"], torch.device("cpu"))
    batch = stores["bipolar"].gather([0], signal_names(config))
    windows = physical.windows(
        {name: torch.from_numpy(values) for name, values in batch.items()}, None,
        signal_names(config),
    )  # fmt: skip
    made = make_inputs(config)[inputs](windows, None)
    assert torch.isfinite(made).all()


def test_inputs_of_electrodes_refuse_it(stores: dict[str, Store], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def build(**_):\n    return None\n")
    config = Config(model=f"{tmp_path / 'own.py'}:build", inputs="microvolts")
    with pytest.raises(DataError, match="the input microvolts needs one"):
        Physical(config, stores["bipolar"], torch.device("cpu"))
    Physical(config, stores["interpolated"], torch.device("cpu"))
    pairs = np.stack([head()[a] - head()[b] for a, b in PAIRS])
    names = [f"{a}-{b}" for a, b in PAIRS]
    marked = [edfio.EdfAnnotation(0, 60, "seizure")]
    import_recordings(
        [write_edf(tmp_path / "c.edf", pairs, channels=names, annotations=marked)], tmp_path / "c"
    )
    labelled = build_store(tmp_path / "c", tmp_path / "c.zarr", normalise="none")
    also = replace(config, also=f"{labelled.path}:0.3")
    with pytest.raises(DataError, match=r"c.zarr are of bipolar .* the input microvolts needs one"):
        open_mixture(also, stores["interpolated"])
    assert open_mixture(replace(also, model="resnet1d", inputs="raw"), stores["interpolated"])


@pytest.fixture(scope="module")
def mixed(stores: dict[str, Store], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Both recordings in one store."""
    files = [stores[kind].path.parent / name for kind, name in
             (("bipolar", "a.edf"), ("interpolated", "b.edf"))]  # fmt: skip
    folder = tmp_path_factory.mktemp("mixed")
    import_recordings(files, folder / "data", interpolate=True)
    return build_store(folder / "data", folder / "mixed.zarr", normalise="none")


def test_windows_of_bipolar_recordings_cost_no_others_of_a_store(
    mixed: Store, tmp_path: Path
) -> None:
    rows = np.arange(len(mixed))
    kept, said = with_reference(mixed, rows, "the input microvolts")
    assert kept.tolist() == np.flatnonzero(~mixed.chains_only(rows)).tolist()
    assert 0 < len(kept) < len(rows)
    assert said == (
        f"{len(rows) - len(kept)} windows of bipolar recordings left out: their electrodes share "
        "no reference, and the input microvolts needs one.",
    )
    assert with_reference(mixed, rows, "") == (rows, ())
    (tmp_path / "own.py").write_text("def build(**_):\n    return None\n")
    config = Config(model=f"{tmp_path / 'own.py'}:build", inputs="microvolts")
    Physical(config, mixed, torch.device("cpu"), rows=kept)
    with pytest.raises(DataError, match="the input microvolts needs one"):
        Physical(config, mixed, torch.device("cpu"))


def test_a_window_with_a_reference_is_explained_whatever_else_its_store_holds(mixed: Store) -> None:
    config = Config(model="support.nets:spread", inputs="microvolts")
    network = make_network(config, trust=True).eval()
    trained = Trained(
        config, Normalisation({}, cleaning(mixed)), network, torch.device("cpu"), {},
        StoreId.of(mixed),
    )  # fmt: skip
    bipolar = mixed.chains_only(np.arange(len(mixed)))
    found = explain_window(trained, mixed, int(np.flatnonzero(~bipolar)[0]))
    assert found.maps["microvolts"].shape == (20, 10_000)
    with pytest.raises(DataError, match="the input microvolts needs one"):
        explain_window(trained, mixed, int(np.flatnonzero(bipolar)[0]))
