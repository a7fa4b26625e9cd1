"""BrainVision recordings (`.vhdr` beside `.vmrk` and `.eeg`) -> a recording, through MNE."""

from __future__ import annotations

from hmsprep.importing.formats.through_mne import mne_format

FORMAT = mne_format("BrainVision", (".vhdr",), "read_raw_brainvision")
