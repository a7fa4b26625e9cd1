"""Losses are those of torch, written out window by window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.data.steps import steps
from hmstrain.distributed import World
from hmstrain.models.evaluate import alignment, as_logits, softmax
from hmstrain.models.network import Output
from hmstrain.training.losses import bce_loss, contrastive_loss, kl_loss, losses

CPU = torch.device("cpu")


def test_kl_is_the_mean_over_windows_of_the_sum_over_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 6, generator=generator)
    target = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(6), 9), dtype=torch.float32)
    target[0] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    expected = functional.kl_div(functional.log_softmax(logits, 1), target, reduction="batchmean")
    torch.testing.assert_close(kl_loss(logits, target, torch.ones(9)), expected)
    weight = torch.arange(9.0)
    rows = [kl_loss(logits[i : i + 1], target[i : i + 1], weight[i : i + 1]) for i in range(9)]
    torch.testing.assert_close(kl_loss(logits, target, weight), torch.stack(rows).mean())


def test_kl_is_computed_in_float32_whatever_the_logits_are() -> None:
    logits = torch.tensor([[20.0, -20, 0, 0, 0, 0]], dtype=torch.float16)
    target = torch.tensor([[0.0, 1, 0, 0, 0, 0]])
    loss = kl_loss(logits, target, torch.ones(1))
    assert loss.dtype is torch.float32
    assert float(loss) == pytest.approx(40.0, abs=1e-3)


def test_bce_is_that_of_torch_over_all_classes_less_what_the_best_answer_has() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 6, generator=generator)
    target = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(6), 9), dtype=torch.float32)
    target[0] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    weight = torch.arange(9.0)

    def plain(x: torch.Tensor) -> torch.Tensor:
        each = functional.binary_cross_entropy_with_logits(x, target, reduction="none").sum(dim=1)
        return (each * weight).mean()

    best = torch.logit(target.double(), eps=1e-12).float()
    found = bce_loss(logits, target, weight)
    torch.testing.assert_close(found, plain(logits) - plain(best))
    assert float(bce_loss(best, target, weight)) == pytest.approx(0, abs=1e-5)


def test_what_bce_learns_is_answered_by_sigmoids_scaled_to_1() -> None:
    """The mean of the targets, as from KL: so its start, and every score, is of the same thing."""
    target = torch.tensor(np.random.default_rng(1).dirichlet([6, 1, 1, 1, 1, 1], 50)).float()
    logits = torch.zeros(1, 6, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-9)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = bce_loss(logits.expand(50, -1), target, torch.ones(50))
        loss.backward()
        return loss

    optimiser.step(closure)
    answer = softmax(as_logits(logits.detach(), Config(loss="bce")).numpy())[0]
    np.testing.assert_allclose(answer, target.mean(dim=0), atol=1e-4)
    assert not np.allclose(softmax(logits.detach().numpy())[0], answer, atol=1e-2)


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    a, b = (functional.normalize(torch.randn(7, 5, generator=generator), dim=1) for _ in range(2))
    return a, b, torch.tensor([1, 1, 2, 3, 3, 3, 4])


def test_the_cosine_loss_is_torchs_over_pairs_of_different_patients(pairs) -> None:
    a, b, patient = pairs
    embedding_loss = torch.nn.CosineEmbeddingLoss(margin=0.2)
    own = embedding_loss(a, b, torch.ones(7))
    i, j = torch.nonzero(patient[:, None] != patient[None, :]).T
    others = embedding_loss(a[i], b[j], -torch.ones(len(i)))
    found = contrastive_loss(a, b, patient[:, None], kind="cosine", margin=0.2, temperature=0.1)
    torch.testing.assert_close(found, own + others)


def test_infonce_looks_for_each_partner_among_other_patients_both_ways(pairs) -> None:
    a, b, patient = pairs
    terms = []
    for x, y in ((a, b), (b, a)):
        for i in range(7):
            allowed = [i] + [j for j in range(7) if patient[j] != patient[i]]
            cosine = torch.stack([x[i] @ y[j] for j in allowed]) / 0.1
            terms.append(-functional.log_softmax(cosine, dim=0)[0])
    found = contrastive_loss(a, b, patient[:, None], kind="infonce", margin=0.2, temperature=0.1)
    torch.testing.assert_close(found, torch.stack(terms).mean())


def test_windows_that_share_a_patient_in_a_mix_are_no_negatives(pairs) -> None:
    a, b, _ = pairs
    mixed = torch.tensor([[1, 2], [2, 3], [4, 5], [5, 1], [6, 7], [8, 9], [9, 6]])
    terms = [
        (a[i] @ b[j] - 0.2).clamp_min(0)
        for i in range(7)
        for j in range(7)
        if not set(mixed[i].tolist()) & set(mixed[j].tolist())
    ]
    expected = (1 - (a * b).sum(dim=1)).mean() + torch.stack(terms).mean()
    found = contrastive_loss(a, b, mixed, kind="cosine", margin=0.2, temperature=0.1)
    torch.testing.assert_close(found, expected)


def test_a_batch_of_one_patient_only_pulls_together(pairs) -> None:
    a, b, _ = pairs
    same = torch.zeros(7, 1, dtype=torch.int64)
    found = contrastive_loss(a, b, same, kind="cosine", margin=0.2, temperature=0.1)
    torch.testing.assert_close(found, (1 - (a * b).sum(1)).mean())
    assert contrastive_loss(a, b, same, kind="infonce", margin=0.2, temperature=0.1) == 0


def test_alignment_of_equal_and_of_unrelated_embeddings() -> None:
    equal = torch.eye(6)
    assert alignment(equal, equal) == {
        "patients": 6,
        "positive_cosine": 1.0,
        "negative_cosine": 0.0,
        "retrieval_at_1": 1.0,
        "chance": pytest.approx(1 / 6),
    }
    turned = alignment(equal, equal.roll(1, dims=0))
    assert turned["retrieval_at_1"] == turned["positive_cosine"] == 0
    assert turned["negative_cosine"] == pytest.approx(1 / 5)


@pytest.mark.parametrize(("kind", "votes"), [("cosine", "kl"), ("infonce", "bce")])
def test_a_steps_loss_is_the_sum_of_its_parts_as_configured(
    store: Store, kind: str, votes: str
) -> None:
    """In a process that has more than its share of a batch: three windows of five."""
    config = Config(
        inputs="spec+eeg", batch_size=5, vote_weight="log", loss=votes,
        contrastive=True, contrastive_loss=kind, contrastive_weight=0.5,
        contrastive_margin=0.3, contrastive_temperature=0.05, auxiliary_weight=0.25,
    )  # fmt: skip
    step = next(steps(config, store, plan_epochs(config, store)[0], World(0, 2, CPU)))
    assert len(step.rows) == 3
    generator = torch.Generator().manual_seed(2)
    logits, *auxiliary = torch.randn(3, 3, 6, generator=generator)
    a, b = functional.normalize(torch.randn(2, 3, 5, generator=generator), dim=2)
    found = losses(Output(logits, (a, b), tuple(auxiliary)), step, config)
    share, weighed = 3 * 2 / 5, (step.target, step.weight_B)
    of_votes = {"kl": kl_loss, "bce": bce_loss}[votes]
    matched = contrastive_loss(a, b, step.patient_BK, kind=kind, margin=0.3, temperature=0.05)
    by_itself = (of_votes(auxiliary[0], *weighed) + of_votes(auxiliary[1], *weighed)) / 2
    expected = {votes: of_votes(logits, *weighed) * share, "auxiliary": by_itself * share}
    expected["kl"] = kl_loss(as_logits(logits, config), *weighed) * share
    expected["contrastive"] = matched
    expected["loss"] = expected[votes] + 0.5 * matched * share + 0.25 * expected["auxiliary"]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
