"""What networks see of the EEG is what SciPy computes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch

from hmsstore import CHANNELS, montage
from hmstrain.data import eeg as spectra


@pytest.fixture
def eeg() -> torch.Tensor:
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.normal(0, 4, (2, 10_000, 20)), axis=1) * 0.1 + rng.normal(
        0, 9, (2, 1, 20)
    )
    return torch.tensor(noise, dtype=torch.float32)


def test_the_band_pass_is_a_butterworth_run_both_ways(eeg: torch.Tensor) -> None:
    """Against SciPy away from the edges, where the periodic transform differs from padding."""
    sections = [
        scipy.signal.butter(4, 0.5, "highpass", fs=200, output="sos"),
        scipy.signal.butter(4, 40, "lowpass", fs=200, output="sos"),
    ]
    found = spectra.bipolar(eeg).numpy()
    for place, (front, back) in enumerate(montage.PAIRS):
        pair = eeg[:, :, CHANNELS.index(front)] - eeg[:, :, CHANNELS.index(back)]
        expected = pair.numpy().astype(np.float64)
        for section in sections:
            expected = scipy.signal.sosfiltfilt(section, expected)
        middle = slice(2000, 8000)
        error = np.abs(found[:, place, middle] - expected[:, middle]).max()
        assert error < 0.05 * np.abs(expected[:, middle]).max()


@pytest.mark.parametrize(
    ("rate_hz", "kept"), [(0.1, False), (2.0, True), (20.0, True), (70.0, False)]
)
def test_the_band_pass_keeps_what_lies_between_half_and_forty_hertz(
    rate_hz: float, kept: bool
) -> None:
    wave = torch.sin(torch.arange(10_000) / 200 * 2 * torch.pi * rate_hz)
    eeg = torch.zeros(1, 10_000, 20)
    eeg[0, :, CHANNELS.index("Fp1")] = wave
    found = spectra.bipolar(eeg)[0, 0]
    assert float((found - wave * kept).abs().max()) < 0.02


def test_the_image_is_scipys_spectrogram_in_four_panels(eeg: torch.Tensor) -> None:
    pairs = spectra.bipolar(eeg)
    found = spectra.eeg_image(pairs).numpy()
    assert found.shape == (2, 300, spectra.image_frames(10_000)) == (2, 300, 309)
    frequency, _, power = scipy.signal.spectrogram(
        pairs.numpy().astype(np.float64),
        fs=200,
        window=scipy.signal.get_window("hann", 128),
        noverlap=96,
        nfft=512,
        detrend=False,
        scaling="density",
    )
    inside = (frequency >= 0.5) & (frequency <= 30)
    assert inside.sum() == len(spectra.BINS) == 75
    log = np.log(power[:, :16, inside] + 0.01).reshape(2, 4, 4, 75, 309).mean(axis=2)
    np.testing.assert_allclose(found, log.reshape(2, 300, 309), atol=2e-3)


def test_pairs_that_are_left_out_do_not_count_unless_their_chain_has_no_other(
    eeg: torch.Tensor,
) -> None:
    pairs = spectra.bipolar(eeg)
    kept = torch.ones(2, 18, dtype=torch.bool)
    kept[0, :3] = False
    kept[0, 4:8] = False
    whole, image = spectra.eeg_image(pairs), spectra.eeg_image(pairs, kept)
    alone = pairs.clone()
    alone[0, :4] = pairs[0, 3]
    torch.testing.assert_close(image[0, :75], spectra.eeg_image(alone)[0, :75])
    torch.testing.assert_close(image[0, 75:], whole[0, 75:])
    torch.testing.assert_close(image[1], whole[1])


def test_raw_input_is_clipped_and_scaled() -> None:
    raw = spectra.raw_input(torch.tensor([[[-5000.0, 16.0, 1024.0, 2000.0]]]))
    assert raw.tolist() == [[[-32.0, 0.5, 32.0, 32.0]]]
