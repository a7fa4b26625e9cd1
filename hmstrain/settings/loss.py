"""What training minimises."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.settings.setting import Group, one_of, setting, within


@dataclass(frozen=True)
class LossSettings(Group):
    """What training minimises."""

    loss: str = one_of(
        "kl",
        "bce",
        meaning="KL divergence of the softmax from the votes' shares; or binary cross entropy of "
        "each class's sigmoid and share, and answers are the sigmoids scaled to a sum of 1.",
    )
    pretraining: bool = setting(
        False,
        "Learn to match the EEG and spectrogram of a window, without votes, as `hmstrain pretrain` "
        "does; other runs start from such a run with weights.",
    )
    auxiliary_weight: float = within(
        0.0,
        0,
        1e3,
        "Weight of the mean loss of last layers that see one input each; the loss of the usual "
        "one, which sees all, has weight 1.",
    )
    contrastive: bool = setting(
        False, "Add a loss that pulls a window's EEG and spectrogram embeddings together."
    )
    contrastive_weight: float = within(
        0.5, 0, 1e3, "Weight of the contrastive loss; the loss of the votes has 1."
    )
    contrastive_loss: str = one_of(
        "cosine",
        "infonce",
        meaning="Cosine embedding loss with a margin, or InfoNCE with a temperature.",
    )
    contrastive_margin: float = within(
        0.2, -1, 1, "Cosine above which mismatched pairs are pushed apart."
    )
    contrastive_temperature: float = within(
        0.1, 1e-3, 100, "Temperature of InfoNCE; pretraining learns it from here."
    )
    projection_size: int = within(128, 1, 65_536, "Length of the embeddings that are compared.")
