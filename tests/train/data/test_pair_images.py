"""Images with a panel for each pair are what SciPy and NumPy compute, of simulated and real EEG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.signal
import torch
from numpy.typing import NDArray

from hmsstore import CHANNELS
from hmsstore.montage import PAIRS
from hmstrain.config import Config
from hmstrain.data.eeg import Band, band_pass
from hmstrain.data.inputs import INPUTS, Windows, make_input, stft
from hmstrain.data.inputs.mel import MelImage, mel_decibels
from hmstrain.data.inputs.pair_image import PairImage, difference_planes, neighbour_weights
from hmstrain.data.inputs.raw_image import RawImage

CPU = torch.device("cpu")
Array = NDArray[np.float64]
BY_PAIR = [name for name, kind in INPUTS.items() if kind.by_pair]
CENTRES = (5000, 5000), (3100, 9600)
"""Of two windows as they are, and of two that were moved, one of them almost out of its label."""


@pytest.fixture(scope="module", params=["synthetic", "real"])
def eeg_uv(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    """Two windows of 50 s, (2, 10000, 20), one louder than the clip in places."""
    if request.param == "real":
        folder = request.getfixturevalue("real_data") / "real" / "train_eegs"
        files = sorted(folder.glob("91*.parquet"))[:2]
        assert len(files) == 2
        read = [pl.read_parquet(file).select(CHANNELS).to_numpy()[:10_000] for file in files]
        return np.nan_to_num(np.stack(read)).astype(np.float32)
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 4, (2, 10_000, 20)), axis=1) * 0.3
    noise = rng.normal(0, 9, (2, 10_000, 20))
    noise[1, 2000:2200] *= 200
    return (walk + noise).astype(np.float32)


def pairs_of(eeg_uv: NDArray[np.float32], count: int) -> Array:
    """Differences (B, pairs, T)."""
    columns = [
        eeg_uv[:, :, CHANNELS.index(front)].astype(np.float64) - eeg_uv[:, :, CHANNELS.index(back)]
        for front, back in PAIRS[:count]
    ]
    return np.stack(columns, axis=1)


def without_phase(values: Array, band: tuple[float, float], order: int) -> Array:
    """Filtered by the magnitude of SciPy's Butterworth band-pass."""
    sections = scipy.signal.butter(order, band, "bandpass", fs=200, output="sos")
    count = values.shape[-1]
    at_hz = np.fft.rfftfreq(count, 1 / 200)
    _, response = scipy.signal.sosfreqz(sections, at_hz, fs=200)
    return np.fft.irfft(np.fft.rfft(values) * np.abs(response), count)


def mel(values: Array, fft: int, hann: int, hop: int) -> Array:
    """Decibels (B, P, 64, W), by whole transforms of windows padded with zeros."""
    padded = np.pad(values, ((0, 0), (0, 0), (fft // 2, fft // 2)), "reflect")
    window = np.zeros(fft)
    window[(fft - hann) // 2 : (fft + hann) // 2] = scipy.signal.get_window("hann", hann)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft, axis=-1)[..., ::hop, :]
    corners = [
        700 * (10 ** (m / 2595) - 1)
        for m in np.linspace(2595 * np.log10(1 + 0.53 / 700), 2595 * np.log10(1 + 30 / 700), 66)
    ]
    at_hz = np.arange(fft // 2 + 1) * 200 / fft
    bank = np.stack(
        [np.interp(at_hz, corners[m : m + 3], [0, 1, 0], left=0, right=0) for m in range(64)]
    )
    parts = []
    for pair in range(values.shape[1]):  # one by one: all at once would take gigabytes
        power = np.abs(np.fft.rfft(frames[:, pair] * window)) ** 2
        parts.append(bank @ power.transpose(0, 2, 1))
    decibels = 10 * np.log10(np.maximum(np.stack(parts, axis=1), 1e-10))
    return np.maximum(decibels, decibels.max((1, 2, 3), keepdims=True) - 100)


def around(values: Array, centres: Sequence[int], samples: int) -> Array:
    """A stretch around a sample of each window, (B, P, samples)."""
    starts = [min(max(centre - samples // 2, 0), 10_000 - samples) for centre in centres]
    return np.stack([one[:, at : at + samples] for one, at in zip(values, starts, strict=True)])


def mel_oracle(name: str, eeg_uv: NDArray[np.float32], centres: Sequence[int]) -> Array:
    values = without_phase(pairs_of(eeg_uv, 16), (0.5, 20), 2).clip(-1024, 1024) / 32
    whole = mel(values, 512, 128, 32)
    if name == "mel16":
        return whole
    zoom = mel(around(values, centres, 2400), 2048, 16, 4)
    panels = []
    for one, near, centre in zip(whole, zoom, centres, strict=True):
        cut = min(max(313 * centre // 10_000 - 31, 0), 250)  # in the zoom's place, 62 columns
        panels.append(np.concatenate([one[..., :cut], near, one[..., cut + 62 :]], axis=-1))
    return np.stack(panels)


STFT = {
    "stft-50-30-10": [(50, 99, 79, 10), (30, 99, 87, 8), (10, 100, 96, 0)],
    "stft-50-10": [(50, 145, 124, 3), (10, 145, 141, 0)],
    "stft-30-10": [(30, 145, 133, 12), (10, 145, 141, 0)],
    "stft-50": [(50, 280, 260, 0)],
    "stft-30": [(30, 289, 278, 4)],
}


def stft_oracle(name: str, eeg_uv: NDArray[np.float32], centres: Sequence[int]) -> Array:
    values, parts = pairs_of(eeg_uv, 18), []
    for seconds, segment, overlap, left_out in STFT[name]:
        at_hz, _, power = scipy.signal.spectrogram(
            around(values, centres, 200 * seconds), fs=200, nperseg=segment, noverlap=overlap
        )
        kept = power[:, :, (at_hz >= 0.5) & (at_hz <= 20)]
        parts.append(np.log1p(kept[..., left_out : kept.shape[-1] - left_out]))
    return np.concatenate(parts, axis=2)


def raw_oracle(name: str, eeg_uv: NDArray[np.float32], centres: Sequence[int]) -> Array:
    values = without_phase(pairs_of(eeg_uv, 18), (0.001, 20), 3).clip(-1024, 1024) / 32
    stretches = {"raw-image": (50, 30, 10), "raw-image-50-10": (50, 10), "raw-image-50": (50,)}
    rows = [
        around(values, centres, 200 * seconds)[:, :, row :: 200 * seconds // 500]
        for seconds in stretches[name]
        for row in range(200 * seconds // 500)
    ]
    return np.stack(rows, axis=2)


def oracle(name: str, eeg_uv: NDArray[np.float32], centres: Sequence[int]) -> Array:
    """Panels (B, P, R, W)."""
    if name.startswith("mel"):
        return mel_oracle(name, eeg_uv, centres)
    return (stft_oracle if name in STFT else raw_oracle)(name, eeg_uv, centres)


def windows_of(eeg_uv: NDArray[np.float32], centres: Sequence[int]) -> Windows:
    return Windows({"eeg": torch.from_numpy(eeg_uv)}, {"eeg": None}, torch.tensor(centres))


def made(name: str, **settings: Any) -> PairImage:
    found = make_input(name, Config(model="naive_cnn", inputs=name, **settings))
    assert isinstance(found, PairImage)
    return found


@pytest.mark.parametrize("name", STFT)
def test_windows_that_follow_each_other_share_their_spectra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eeg_uv = np.random.default_rng(3).normal(0, 40, (1, 10_000 + 4 * 6_000, 20)).astype(np.float32)
    followed = np.concatenate([eeg_uv[:, i * 6_000 :][:, :10_000] for i in range(5)])
    alone = windows_of(followed, [5_000] * 5)
    counted: list[int] = []

    def counting(pairs_BPT: torch.Tensor, one: stft.Spectra, columns: int) -> torch.Tensor:
        counted.append(len(pairs_BPT) * columns)
        return spectra(pairs_BPT, one, columns)

    spectra = stft.spectra
    monkeypatch.setattr(stft, "spectra", counting)
    image = made(name)
    expected = image(alone, None)
    before = sum(counted)
    counted.clear()
    found = image(alone._replace(apart=6_000), None)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    shared = name in ("stft-50-30-10", "stft-50")  # columns of 50 s are 20 samples apart
    assert (sum(counted) < before) == shared


@pytest.mark.parametrize("centres", CENTRES, ids=["still", "moved"])
@pytest.mark.parametrize("name", BY_PAIR)
def test_an_image_is_what_scipy_computes_in_float64(
    name: str, centres: tuple[int, int], eeg_uv: NDArray[np.float32]
) -> None:
    one = made(name)
    found = one(windows_of(eeg_uv, centres), None).numpy()
    panels = oracle(name, eeg_uv, centres)
    expected = panels.reshape(2, -1, panels.shape[3])
    assert found.shape == expected.shape == (2, *one.unpadded)
    # Of the zoom's short windows, powers 80 dB below the largest are what float32 leaves of them.
    tolerance = {"mel16": 5e-3, "mel16-zoom": 0.2}.get(name, 1e-3)
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=1e-5)
    assert np.abs(found - expected).mean() < 1e-4


def test_the_zoom_stands_where_the_judged_seconds_lie(eeg_uv: NDArray[np.float32]) -> None:
    """Its 12 s begin at sample 5,466."""
    windows = windows_of(eeg_uv, [6666, 6666])
    whole, one = made("mel16")(windows, None), made("mel16-zoom")
    found = one(windows, None)
    assert found.shape == (2, 1024, 852)
    assert torch.equal(found[..., :177], whole[..., :177])
    assert torch.equal(found[..., 778:], whole[..., 239:])
    seen = one.seen(windows._replace(runs={"eeg": torch.tensor([[0, 5600]] * 2)}))
    assert seen is not None
    expected = torch.zeros(852, dtype=torch.bool)
    expected[:175] = expected[177:211] = True
    assert torch.equal(seen, expected.expand(2, 1024, 852))


@pytest.mark.parametrize("band", [MelImage.band, RawImage.band])
def test_a_band_passs_magnitude_is_scipys(band: Band) -> None:
    sections = scipy.signal.butter(
        band.order, (band.low_hz, band.high_hz), "bandpass", fs=200, output="sos"
    )
    _, response = scipy.signal.sosfreqz(sections, np.fft.rfftfreq(10_000, 1 / 200), fs=200)
    found = band_pass(10_000, CPU, band).numpy()
    np.testing.assert_allclose(found, np.abs(response), atol=2e-6)


def test_mel_power_differs_little_from_that_of_the_causal_filter_of_its_source() -> None:
    """Away from the start, where the causal filter still settles."""
    values = torch.from_numpy(np.random.default_rng(3).normal(0, 30, (1, 10_000, 20)))
    pairs = pairs_of(values.float().numpy(), 16)
    causal = scipy.signal.lfilter(*scipy.signal.butter(2, (0.5, 20), "bandpass", fs=200), pairs)
    expected = mel(causal / 32, 512, 128, 32)[..., 60:]
    found = made("mel16")(windows_of(values.float().numpy(), [5000]), None).numpy()
    difference = found.reshape(expected.shape[:3] + (-1,))[..., 60:] - expected
    assert np.abs(difference).mean() < 1.5
    assert np.abs(difference.mean()) < 0.05


@pytest.mark.parametrize("name", BY_PAIR)
def test_an_image_does_not_depend_on_the_other_windows_of_its_batch(name: str) -> None:
    quiet = np.random.default_rng(1).normal(0, 20, (4, 10_000, 20)).astype(np.float32)
    loud = quiet.copy()
    loud[1:] *= 1e4
    one = made(name)
    alone = one(windows_of(quiet[:1], [4800]), None)
    together = one(windows_of(loud, [4800, 100, 5000, 9000]), None)
    torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=1e-5)


def test_the_floor_of_a_mel_image_is_100_db_below_its_largest_value() -> None:
    loud = torch.zeros(2, 3, 3200)
    loud[0, 0] = 1000 * torch.sin(torch.arange(3200) / 200 * 2 * torch.pi * 10)
    decibels = mel_decibels(loud, 512, 128, 32)
    assert float(decibels[0].max() - decibels[0].min()) == pytest.approx(100)
    assert (decibels[0, 1:] == decibels[0].min()).all()
    assert (decibels[1] == -100).all()  # silence: of the least power


def test_neighbours_are_those_of_the_table_that_they_were_published_with() -> None:
    """Pairs there are in another order: left and right alternate."""
    front = "Fp1 Fp2 F7 F8 T3 T4 T5 T6 Fp1 Fp2 F3 F4 C3 C4 P3 P4".split()
    back = "F7 F8 T3 T4 T5 T6 O1 O2 F3 F4 C3 C4 P3 P4 O1 O2".split()
    published = [
        *[(2, 8), (3, 9), (4, 0), (5, 1), (6, 2), (7, 3), (14, 4), (15, 5)],
        *[(10, 0), (11, 1), (12, 8), (13, 9), (14, 10), (15, 11), (6, 12), (7, 13)],
    ]
    names = list(zip(front, back, strict=True))
    expected = {names[i]: {names[a], names[b]} for i, (a, b) in enumerate(published)}
    weights = neighbour_weights(16, CPU)
    assert set(weights.unique().tolist()) == {0, 0.5}
    found = {
        PAIRS[row]: {PAIRS[column] for column in torch.nonzero(weights[row]).flatten()}
        for row in range(16)
    }
    assert found == expected
    midline = neighbour_weights(18, CPU)[16:]
    assert torch.nonzero(midline).tolist() == [[0, 17], [1, 16]]


def test_difference_planes_are_the_panel_less_the_others_and_less_its_neighbours() -> None:
    panels = torch.randn(2, 18, 3, 5, generator=torch.Generator().manual_seed(0))
    planes = difference_planes(panels)
    assert torch.equal(planes[:, 0], panels)
    others = torch.cat([panels[:, :7], panels[:, 8:]], dim=1).mean(1)
    torch.testing.assert_close(planes[:, 1, 7], panels[:, 7] - others)
    place = {pair: number for number, pair in enumerate(PAIRS)}
    beside = (panels[:, place["F7", "T3"]] + panels[:, place["Fp1", "F3"]]) / 2
    at = place["Fp1", "F7"]
    torch.testing.assert_close(planes[:, 2, at], panels[:, at] - beside)
    one = made("raw-image-50", planes="difference")
    eeg_uv = np.random.default_rng(1).normal(0, 20, (2, 10_000, 20)).astype(np.float32)
    found = one(windows_of(eeg_uv, [5000, 5000]), None)
    assert found.shape == (2, 3, 360, 500)
    flat = made("raw-image-50")(windows_of(eeg_uv, [5000, 5000]), None)
    torch.testing.assert_close(found, difference_planes(flat.unflatten(1, (18, 20))).flatten(2, 3))


@pytest.mark.parametrize("name", BY_PAIR)
def test_an_event_is_seen_and_laid_over_the_trace_where_it_happens(name: str) -> None:
    """A burst at 22 s between two electrodes, in silence; the label is in the middle."""
    eeg_uv = np.zeros((1, 10_000, 20), np.float32)
    burst = 200 * np.sin(np.arange(100) / 200 * 2 * np.pi * 8)
    eeg_uv[0, 4350:4450, CHANNELS.index("T3")] = burst
    one = made(name)
    windows = windows_of(eeg_uv, [5000])
    values = one(windows, None)
    power = 10 ** (values / 10) if name.startswith("mel") else values.abs()
    laid = one.complete(power, None)[0]
    assert laid.shape == one.shape
    strips = one.overlay(laid.numpy()).traces
    assert set(strips) == {f"{a}-{b}" for a, b in PAIRS[: one.pairs]}
    total = sum(strip.sum() for strip in strips.values())
    assert total == pytest.approx(float(laid.sum()), rel=1e-4)
    for label in ("F7-T3", "T3-T5"):
        strip = strips[label]
        assert strip.sum() == pytest.approx(total / 2, rel=0.05)
        middle = (np.arange(200) + 0.5) / 4
        assert (strip * middle).sum() / strip.sum() == pytest.approx(22, abs=0.3)
    # Of a run that ends before the burst none of it is seen, of one that begins before it all.
    for run, share in (((0, 4200), 0), ((4200, 10_000), 1)):
        seen = one.seen(windows._replace(runs={"eeg": torch.tensor([run])}))
        assert seen is not None
        assert seen.shape == (1, *one.unpadded)
        assert not seen.all()
        assert float(power[seen].sum() / power.sum()) == pytest.approx(share, abs=0.02)
    assert one.seen(windows) is None
