"""Neuroscan recordings (`.cnt`) -> a recording, through MNE."""

from __future__ import annotations

from hmsprep.importing.formats.through_mne import mne_format

FORMAT = mne_format("Neuroscan CNT", (".cnt",), "read_raw_cnt")
