"""What the picture of a window shows."""

from __future__ import annotations

import numpy as np
import pytest

from hmsstore import Store, StoreError
from hmsstore.view import bipolar_pairs, draw_window


def test_the_montage_is_the_double_banana() -> None:
    pairs = [f"{a}-{b}" for _, a, b in bipolar_pairs()]
    assert len(pairs) == 18
    assert pairs[:4] == ["Fp1-F7", "F7-T3", "T3-T5", "T5-O1"]
    assert pairs[-2:] == ["Fz-Cz", "Cz-Pz"]


def test_negative_goes_up_and_the_judged_ten_seconds_are_shaded(store: Store) -> None:
    figure = draw_window(store, 0)
    eeg, *spectrograms, votes = (a for a in figure.axes if a.get_label() != "<colorbar>")
    assert eeg.yaxis_inverted()
    low, high = eeg.get_xlim()
    assert (low, high) == (0, 50)
    shaded = eeg.patches[0].get_extents().transformed(eeg.transData.inverted())
    assert (round(shaded.x0), round(shaded.x1)) == (20, 30)
    assert [axes.get_title("left")[:2] for axes in spectrograms] == ["LL", "RL", "LP", "RP"]
    scales = {axes.images[0].get_clim() for axes in spectrograms}
    assert len(scales) == 1
    widths = [bar.get_width() for bar in votes.patches]
    np.testing.assert_array_equal(widths, store.windows["votes"][0])


def test_a_row_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        draw_window(store, len(store))
