"""EEGLAB data sets (`.set`, with or without `.fdt`) -> a recording, through MNE.

The format names no unit; EEGLAB and MNE take microvolts for granted.
"""

from __future__ import annotations

from hmsprep.importing.formats.through_mne import mne_format

FORMAT = mne_format("EEGLAB", (".set",), "read_raw_eeglab", unit_v=1e-6)
