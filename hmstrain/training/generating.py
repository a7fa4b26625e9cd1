"""Training windows with their votes -> a generator of images for votes: a run of model=vae.

What is minimised is the negative evidence lower bound, in nats per cell of the generator's grid.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hmstrain.data.inputs import make_inputs
from hmstrain.data.loader import Batch, Request
from hmstrain.data.seeds import Stream, generator
from hmstrain.data.steps import Step
from hmstrain.data.validation import ELBO, Judge
from hmstrain.errors import DivergedError
from hmstrain.models.arithmetic import autocast
from hmstrain.models.vae import ConditionalVae, standard_normal
from hmstrain.training.train import Run


class Generating(Run):
    """A run that learns to draw the images of its only input."""

    @property
    def key(self) -> str:
        """Name of what the network sees."""
        (one,) = make_inputs(self.config).values()
        return one.key

    def losses(self, step: Step, batch: Batch) -> dict[str, Tensor]:
        """What is minimised of a step's batch, 'loss', and what it consists of."""
        torch.manual_seed(step.seed)
        image_BHW = self.prepare(batch, step.draws)[self.key]
        assert isinstance(self.state.network, ConditionalVae)
        latent = self.state.network.latent
        noise_BL = torch.randn(len(image_BHW), latent, device=self.device)
        with autocast(self.computing, self.device):
            misfit_B, code_kl_B, _, _ = self.stepper(image_BHW, step.target, noise_BL)
        misfit, code_kl = (
            (part_B * step.weight_B).mean() * step.share for part_B in (misfit_B, code_kl_B)
        )
        return {"loss": misfit + code_kl, "misfit": misfit, "code_kl": code_kl}

    def _try_out(self, kept: nn.Module) -> None:
        rows = self.rows[: self.config.batch_size]
        self._score(kept, Judge(ELBO, 0, rows, rows, rows, {}))

    @torch.no_grad()
    def _score(self, kept: nn.Module, judge: Judge) -> dict[str, Any]:
        """Rebuild held-out images.

        Returns
        -------
        dict
            'elbo', the mean negative evidence lower bound in nats per cell; 'explained', the share
            of the images' variance about their own mean image that rebuilding them leaves out.
        """
        assert isinstance(kept, ConditionalVae)
        kept.eval()
        size = max(1, self.config.batch_size // self.world.size)
        requests = [Request(judge.rows[i : i + size]) for i in range(0, len(judge.rows), size)]
        target = self.store.windows["target"]
        seeds = generator(self.config.seed, Stream.CODES).integers(2**62, size=len(self.store))
        bounds: list[Tensor] = []
        total, squares, left = 0.0, 0.0, 0.0
        for request, batch in self.loader.load(requests):
            image_BHW = self.prepare(batch, None)[self.key]
            target_BK = torch.from_numpy(target[request.rows]).to(self.device)
            noise_BL = standard_normal(torch.from_numpy(seeds[request.rows]), kept.latent)
            found = kept(image_BHW, target_BK, noise_BL.to(self.device))
            bounds.append((found.misfit_B + found.code_kl_B).cpu())
            grid, rebuilt = found.grid_BHW.cpu().double(), found.rebuilt_BHW.cpu().double()
            total = total + grid.sum(0)
            squares += float(grid.square().sum())
            left += float((grid - rebuilt).square().sum())
        kept.train()
        elbo = float(torch.cat(bounds).double().mean())
        if not math.isfinite(elbo):
            raise DivergedError(
                "The generator gives NaN or infinite values. A lower learning_rate or "
                "clip_gradient=1 may help; earlier checkpoints are kept."
            )
        count = len(judge.rows)
        variance = squares - float(torch.as_tensor(total).square().sum()) / count
        explained = 1 - left / variance if variance > 0 else None
        return {ELBO: elbo, "explained": explained}
