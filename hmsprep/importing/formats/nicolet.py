"""Nicolet recordings (`.data` beside `.head`) -> a recording, through MNE."""

from __future__ import annotations

from hmsprep.importing.formats.through_mne import mne_format

FORMAT = mne_format("Nicolet", (".data",), "read_raw_nicolet", ch_type="eeg")
