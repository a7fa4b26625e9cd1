"""Networks that a user might bring."""

from __future__ import annotations

import torch
from torch import nn


class Both(nn.Module):
    """Means over time of both signals, and one layer."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.layer = nn.Linear(20 + 400, width)

    def forward(self, eeg_BTC: torch.Tensor, image_BCHW: torch.Tensor) -> torch.Tensor:
        spread = eeg_BTC.std(dim=1) / 50
        return self.layer(torch.cat([spread, image_BCHW[:, 0].mean(dim=2)], dim=1))


class Spare(Both):
    """Has a layer that it does not use, and one that it uses in every second step."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(2, 2)
        self.shift = nn.Parameter(torch.zeros(6))
        self.batches = 0

    def forward(self, eeg_BTC: torch.Tensor, image_BCHW: torch.Tensor) -> torch.Tensor:
        self.batches += self.training
        logits = super().forward(eeg_BTC, image_BCHW)
        return logits + self.shift if self.batches % 2 else logits


class Exploding(nn.Module):
    """Gives no numbers from its eighth training batch on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(400, 6)
        self.batches = 0

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        self.batches += self.training
        logits = self.layer(image_BCHW[:, 0].mean(dim=2))
        return logits * float("nan") if self.batches >= 8 else logits


class Untestable(Exploding):
    """Gives numbers while it is trained, and none afterwards."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits = self.layer(image_BCHW[:, 0].mean(dim=2))
        return logits if self.training else logits * float("inf")


class Needy(Both):
    """Wants an argument that nobody gives."""

    def __init__(self, wish: int) -> None:
        super().__init__(wish)


class Failing(Both):
    """Has a bug."""

    def forward(self, eeg_BTC: torch.Tensor, image_BCHW: torch.Tensor) -> torch.Tensor:
        return {"eeg": eeg_BTC, "image": image_BCHW}["x"]


class Detached(Both):
    """Cuts its gradient off."""

    def forward(self, eeg_BTC: torch.Tensor, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(eeg_BTC, image_BCHW).detach()


class Lazy(Both):
    """Leaves a size open."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(6)  # type: ignore[assignment]


def number() -> int:
    return 5


def leaves() -> nn.Module:
    raise SystemExit(0)


def failing() -> nn.Module:
    return Failing()


def detached() -> nn.Module:
    return Detached()


def lazy() -> nn.Module:
    return Lazy()


def frozen() -> nn.Module:
    return Both().requires_grad_(False)


def untestable() -> nn.Module:
    return Untestable()


def both() -> nn.Module:
    return Both()


def spare() -> nn.Module:
    return Spare()


def wide() -> nn.Module:
    return Both(7)


def bad() -> nn.Module:
    return Exploding()


class Level(nn.Module):
    """Sees nothing but how loud the image is, so it learns how often each class comes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 6)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(image_BCHW.mean(dim=(1, 2, 3))[:, None])
        return logits


def level() -> nn.Module:
    return Level()


class Loud(nn.Module):
    """Features in the tens of thousands."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(400, 6))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(3e4 * image_BCHW[:, 0].mean(dim=2))
        return logits


class NoHead(Level):
    """Its logits are not what a layer gives."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW) / 2


class Soft(Level):
    """Gives probabilities."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW).softmax(dim=1)


def soft() -> nn.Module:
    return Soft()


class SoftInTests(Level):
    """Gives logits while it is trained, and probabilities afterwards."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits = super().forward(image_BCHW)
        return logits if self.training else logits.softmax(dim=1)


def soft_in_tests() -> nn.Module:
    return SoftInTests()


class LogSoft(Level):
    """Gives logarithms of probabilities, whose softmax they are of."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW).log_softmax(dim=1)


def log_soft() -> nn.Module:
    return LogSoft()


def loud() -> nn.Module:
    return Loud()


def no_head() -> nn.Module:
    return NoHead()


class Sign(Level):
    """Says the opposite in less precision."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits = super().forward(image_BCHW)
        return logits if logits.dtype == torch.float32 else -logits


class Single(Level):
    """Computes in float32 alone."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits = super().forward(image_BCHW)
        if logits.dtype != torch.float32:
            raise RuntimeError('"level" not implemented for BFloat16')
        return logits


class Faint(Level):
    """Its answer rests on numbers below the smallest normal one of float32."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        share = torch.linspace(1, 6, 6).expand(len(image_BCHW), 6)
        return share * 1e-20 * 1e-20 * 1e20 * 1e20 + 0 * super().forward(image_BCHW)


def sign() -> nn.Module:
    return Sign()


def single() -> nn.Module:
    return Single()


def faint() -> nn.Module:
    return Faint()


class Spread(nn.Module):
    """Mean size of each channel, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(20, 6)

    def forward(self, eeg_BTC: torch.Tensor) -> torch.Tensor:
        return self.layer(eeg_BTC.abs().mean(dim=1) / 50)


def spread() -> nn.Module:
    return Spread()
