"""The words that options take. No imports, so that the command line starts at once."""

from typing import Literal

Windows = Literal["all", "votes", "eeg"]
Balance = Literal["none", "votes"]
Fill = Literal["zero", "interpolate", "mean", "drop"]
Normalise = Literal["zscore", "none"]
SplitBy = Literal["patient", "window", "all"]
Missing = Literal["error", "skip"]
Part = Literal["train", "test"]
Montage = Literal["bipolar", "referential", "average", "transverse"]

EEG_CLIP_UV = 1024.0
"""Common to nearly all published pipelines: scalp EEG beyond a millivolt is artefact.

Networks clip the differences of two channels at the same value (`hmstrain.data.eeg.CLIP_UV`). The
two must agree: a store that was clipped lower would hold no difference that reaches the network's
clip, so that artefacts would look smaller than those that networks were trained on. A test holds
them together, since neither package may import the other.
"""
LOWEST_HZ = 0.01
"""Lowest edge of a band-pass: a wave of 100 s is twice as long as a window, and the filter's
arithmetic breaks down far below."""
CLIP_WARNED, CLIP_REFUSED = 0.01, 0.5
"""Share of a channel's values beyond the clip from which on users are warned; share of all values
of a recording's electrodes from which on it is refused: that is not EEG in microvolts."""
EKG_CLIP_UV = 32_000.0
"""The electrocardiogram is larger by far, and some files hold a constant 9999."""
