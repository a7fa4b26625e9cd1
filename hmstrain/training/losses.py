"""Logits, targets and embeddings -> what is minimised.

Legend: B windows of a batch, E length of an embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hmstrain.config import Config
from hmstrain.data.steps import Step
from hmstrain.models.evaluate import as_logits
from hmstrain.models.network import Output


def losses(given: Output, step: Step, config: Config) -> dict[str, Tensor]:
    """What is minimised of a step's batch, as 'loss', and what it consists of, before weights.

    All but 'contrastive' and 'loss' are over the windows of all processes.

    Returns
    -------
    dict
        'loss', 'kl'; 'bce', 'contrastive' and 'auxiliary' (the mean over inputs) where the
        configuration asks for them. Of pretraining, 'loss', 'infonce' and 'temperature'.
    """
    if config.pretraining:
        return _matching(given, step)
    of_votes = LOSSES[config.loss]
    found = {config.loss: of_votes(given.logits, step.target, step.weight_B) * step.share}
    loss = found[config.loss]
    if config.loss != "kl":  # to be seen beside validations
        answer = as_logits(given.logits.detach().float(), config)
        found["kl"] = kl_loss(answer, step.target, step.weight_B) * step.share
    if given.embeddings:
        spectrogram_BE, eeg_BE = given.embeddings
        found["contrastive"] = contrastive_loss(
            spectrogram_BE,
            eeg_BE,
            step.patient_BK,
            kind=config.contrastive_loss,
            margin=config.contrastive_margin,
            temperature=config.contrastive_temperature,
        )
        loss = loss + config.contrastive_weight * found["contrastive"] * step.share
    if given.auxiliary:
        each = [of_votes(logits, step.target, step.weight_B) for logits in given.auxiliary]
        found["auxiliary"] = torch.stack(each).mean() * step.share
        loss = loss + config.auxiliary_weight * found["auxiliary"]
    return {"loss": loss, **found}


def _matching(given: Output, step: Step) -> dict[str, Tensor]:
    """What pretraining minimises: InfoNCE at the temperature that the network has learned."""
    spectrogram_BE, eeg_BE = given.embeddings
    assert given.temperature is not None
    found = infonce(spectrogram_BE, eeg_BE, step.patient_BK, given.temperature) * step.share
    return {"loss": found, "infonce": found, "temperature": given.temperature}


def kl_loss(logits: Tensor, target: Tensor, weight_B: Tensor) -> Tensor:
    """Weighted mean over windows of KL(target || softmax(logits)), in float32.

    `weight_B` has mean 1 over the training rows, so that the mean over a batch is not divided by
    its own weights: shares of a batch on several processes then add up to the whole.
    """
    log_q = functional.log_softmax(logits.float(), dim=1)
    rows = (torch.xlogy(target, target) - target * log_q).sum(dim=1)
    return (rows * weight_B).mean()


def bce_loss(logits: Tensor, target: Tensor, weight_B: Tensor) -> Tensor:
    """Weighted mean over windows of binary cross entropy, summed over classes, in float32.

    Less what it is for the best answer: the sum of KL(share || sigmoid(logit)) of each class taken
    as yes or no, which is 0 where all sigmoids are the shares.
    """
    rows = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    least = torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target)
    return ((rows + least).sum(dim=1) * weight_B).mean()


LOSSES = {"kl": kl_loss, "bce": bce_loss}
"""What the setting `loss` calls them."""


def contrastive_loss(
    spectrogram_BE: Tensor,
    eeg_BE: Tensor,
    patient_BK: Tensor,
    *,
    kind: str,
    margin: float,
    temperature: float,
) -> Tensor:
    """Pull the two embeddings of a window together, push those of different patients apart.

    Windows of one patient overlap and look alike, so they are no negatives of each other.

    Parameters
    ----------
    spectrogram_BE, eeg_BE : float32 (B, E)
        Embeddings of length 1.
    patient_BK : int64 (B, K)
        Whose windows they are; of mixed windows, both patients.
    kind : str
        'cosine': mean of 1 - cosine over windows, plus mean of max(0, cosine - margin) over
        mismatched pairs (torch's cosine embedding loss). 'infonce': cross entropy of finding each
        window's partner among the others, both ways (Radford et al. 2021, CLIP).
    """
    if kind == "infonce":
        return infonce(spectrogram_BE, eeg_BE, patient_BK, temperature)
    cosine, foreign = spectrogram_BE @ eeg_BE.T, foreign_pairs(patient_BK)
    together = (1 - cosine.diagonal()).mean()
    apart = (cosine - margin).clamp_min(0) * foreign
    return together + apart.sum() / foreign.sum().clamp_min(1)


def infonce(
    spectrogram_BE: Tensor, eeg_BE: Tensor, patient_BK: Tensor, temperature: Tensor | float
) -> Tensor:
    """Cross entropy of finding each window's partner among those of other patients, both ways.

    Arguments are those of `contrastive_loss`.
    """
    cosine = spectrogram_BE @ eeg_BE.T
    own = torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
    candidates = foreign_pairs(patient_BK) | own
    scaled = (cosine / temperature).masked_fill(~candidates, -torch.inf)
    answer = torch.arange(len(cosine), device=cosine.device)
    both = functional.cross_entropy(scaled, answer) + functional.cross_entropy(scaled.T, answer)
    return both / 2


def foreign_pairs(patient_BK: Tensor) -> Tensor:
    """Tell which pairs of windows have no patient in common: bool (B, B)."""
    return (patient_BK[:, None, :, None] != patient_BK[None, :, None, :]).all(3).all(2)
