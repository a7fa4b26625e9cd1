"""FIF files of MNE (`.fif`) -> a recording."""

from __future__ import annotations

from hmsprep.importing.formats.through_mne import mne_format

FORMAT = mne_format("FIF", (".fif",), "read_raw_fif", unit_v=1.0)
