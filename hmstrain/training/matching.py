"""Windows without votes -> encoders that know which EEG and spectrogram are of one window.

Pretraining is a run like any other, with InfoNCE between the two embeddings of each window as its
loss (Radford et al. 2021, CLIP), at a temperature that is learned. No votes are read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from hmstrain.data.validation import INFONCE, Judge
from hmstrain.models.evaluate import alignment, one_per_patient
from hmstrain.models.network import PatternNetwork
from hmstrain.runs.outcome import Alignment
from hmstrain.training.losses import infonce
from hmstrain.training.train import Run

ROUNDS = 8
"""Draws of one window of each held-out patient, over which figures are means."""


class Pretraining(Run):
    """A run that matches the signals of a window, and is scored on patients held out."""

    def _score(self, kept: nn.Module, judge: Judge) -> dict[str, Any]:
        """Match windows of held-out patients with each other, one of each patient at a time.

        Returns
        -------
        dict
            'infonce', and the figures of `models.evaluate.alignment`: means over the rounds.
        """
        draws = [
            judge.rows[one_per_patient(self.store, judge.rows, self.config.seed, round_)]
            for round_ in range(ROUNDS)
        ]
        rows = np.unique(np.concatenate(draws))
        _, embeddings = self.evaluator.predict(kept, rows)
        assert isinstance(kept, PatternNetwork)
        assert kept.temperature is not None
        temperature = float(kept.temperature.detach())
        found: list[dict[str, float]] = []
        for draw in draws:
            places = np.searchsorted(rows, draw)
            spectrogram, eeg = (torch.from_numpy(part[places]) for part in embeddings)
            patient_BK = torch.arange(len(draw))[:, None]
            matched = alignment(spectrogram, eeg)
            matched[INFONCE] = float(infonce(spectrogram, eeg, patient_BK, temperature))
            found.append(matched)
        means: dict[str, Any] = {
            name: float(np.mean([one[name] for one in found])) for name in found[0]
        }
        return means | {"patients": len(draws[0])}

    def _alignment(self, kept: nn.Module) -> Alignment | None:
        judge = self.judges[-1]
        return Alignment.from_json(self._score(kept, judge)) if len(judge.rows) else None
