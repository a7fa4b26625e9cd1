"""Shares of votes and a seed -> an image: a conditional variational autoencoder, model=vae.

Kingma and Welling 2014 (Auto-Encoding Variational Bayes) with the condition of Sohn, Lee and Yan
2015, and a deviation of each image row that is learned, not set (Rybkin, Daniilidis and Levine
2021, Simple and Effective VAE Training with Calibrated Decoders).

Images are shrunk to a grid of 64 x 64 at most, which is what is learned; samples are stretched to
the image's own size again, so finer detail than the grid's is missing from them.

Legend: B windows, K classes, L length of a code, H and W rows and columns of the grid.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.inputs import Input
from hmstrain.errors import ModelError

GRID = 64
"""Rows and columns of the grid at most."""
HALVINGS = 4
LARGEST_LOG = 8.0
"""Logarithms of variances of codes stay within this, lest their exponentials overflow."""


class Bound(NamedTuple):
    """What a generator makes of some windows."""

    misfit_B: Tensor
    """Negative logarithm of the likelihood of each image on the grid, without its constant, in
    nats per cell."""
    code_kl_B: Tensor
    """KL of each window's code from the standard normal, in nats per cell; the sum of both is the
    negative evidence lower bound."""
    grid_BHW: Tensor
    """The image on the grid."""
    rebuilt_BHW: Tensor
    """What the decoder makes of its code."""


class ConditionalVae(nn.Module):
    """Image and shares of votes -> code -> image.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images.
    classes : int
        How many shares there are.
    latent : int
        Length of a code.
    width : int
        Channels of the first layer; deeper ones have up to four times as many.
    """

    def __init__(
        self, shape: tuple[int, int], classes: int, *, latent: int = 32, width: int = 16
    ) -> None:
        super().__init__()
        if latent < 1 or width < 1:
            raise ModelError(f"vae needs latent and width of 1 or more; got {latent} and {width}.")
        self.shape, self.classes, self.latent = shape, classes, latent
        self.notices: list[str] = []  # what a user should know of a file that it began with
        cell = 2**HALVINGS
        self.grid = tuple(min(GRID, max(1, side // cell) * cell) for side in shape)
        self.small = (4 * width, *(side // cell for side in self.grid))
        channels = [1, width, 2 * width, 4 * width, 4 * width]
        self.encoder = nn.Sequential(
            *(
                _layer(nn.Conv2d(before, after, 3, stride=2, padding=1))
                for before, after in pairwise(channels)
            ),
            nn.Flatten(),
        )
        self.code = nn.Linear(math.prod(self.small) + classes, 2 * latent)
        self.begin = nn.Linear(latent + classes, math.prod(self.small))
        back = channels[:0:-1]
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Upsample(scale_factor=2), _layer(nn.Conv2d(before, after, 3, padding=1))
                )
                for before, after in zip(back, [*back[1:], back[-1]], strict=True)
            ),
            nn.Conv2d(width, 1, 3, padding=1),
        )
        self.of_class = nn.Linear(classes, math.prod(self.grid))
        self.log_variance_H = nn.Parameter(torch.zeros(self.grid[0]))

    def forward(self, image_BHW: Tensor, target_BK: Tensor, noise_BL: Tensor) -> Bound:
        """Rebuild images from their codes.

        Parameters
        ----------
        image_BHW : float32 (B, height, width)
            Standardised.
        target_BK : float32
            Shares of the votes.
        noise_BL : float32
            Standard normal; 0 takes the mean of each code.
        """
        grid_BHW = self.shrunk(image_BHW)
        seen = torch.cat([self.encoder(grid_BHW[:, None]), target_BK], dim=1)
        mean_BL, log_BL = self.code(seen).float().chunk(2, dim=1)
        log_BL = log_BL.clamp(-LARGEST_LOG, LARGEST_LOG)
        rebuilt_BHW = self.decoded(mean_BL + (log_BL / 2).exp() * noise_BL, target_BK)
        log_H1 = self.log_variance_H[:, None]
        misfit = ((grid_BHW - rebuilt_BHW).square() / log_H1.exp() + log_H1) / 2
        code_kl = (mean_BL.square() + log_BL.exp() - 1 - log_BL) / 2
        cells = math.prod(self.grid)
        return Bound(misfit.mean((1, 2)), code_kl.sum(1) / cells, grid_BHW, rebuilt_BHW)

    def shrunk(self, image_BHW: Tensor) -> Tensor:
        """Images on the grid: means over the cells."""
        return functional.adaptive_avg_pool2d(image_BHW[:, None].float(), self.grid)[:, 0]

    def decoded(self, code_BL: Tensor, target_BK: Tensor) -> Tensor:
        """Mean images (B, H, W) on the grid for codes and shares of votes."""
        small = self.begin(torch.cat([code_BL, target_BK], dim=1)).view(-1, *self.small)
        usual = self.of_class(target_BK).view(-1, *self.grid)
        return (self.decoder(small)[:, 0] + usual).float()

    @torch.no_grad()
    def sample(self, target_BK: Tensor, seed_B: Tensor) -> Tensor:
        """Draw standardised images (B, height, width) for shares of votes.

        Up to rounding, an image depends on its own shares and seed alone.

        Parameters
        ----------
        target_BK : float32
            Shares of the votes.
        seed_B : int64
            Of the code and the noise of each.
        """
        if not len(seed_B):
            return torch.empty(0, *self.shape, device=target_BK.device)
        device, cells = target_BK.device, math.prod(self.grid)
        drawn = standard_normal(seed_B, self.latent + cells).to(device)
        code_BL, noise = drawn[:, : self.latent], drawn[:, self.latent :].view(-1, *self.grid)
        image = self.decoded(code_BL, target_BK.float())
        image = image + (self.log_variance_H[:, None] / 2).exp() * noise
        stretched = functional.interpolate(
            image[:, None], size=self.shape, mode="bilinear", align_corners=False
        )
        return stretched[:, 0]


def standard_normal(seed_B: Tensor, count: int) -> Tensor:
    """Standard normal values (B, count), each row by its own seed."""
    own = (torch.Generator().manual_seed(seed) for seed in seed_B.tolist())
    return torch.stack([torch.randn(count, generator=one) for one in own])


def build(seen: Input, classes: int, *, latent: int = 32, width: int = 16) -> ConditionalVae:
    """Make the generator of an input."""
    if seen.planes != 1:
        raise ModelError("vae draws images of one plane: leave out planes=difference.")
    return ConditionalVae(seen.shape, classes, latent=latent, width=width)


def _layer(convolution: nn.Conv2d) -> nn.Sequential:
    """A convolution without a norm, which would take the level of the image away."""
    return nn.Sequential(convolution, nn.SiLU())
