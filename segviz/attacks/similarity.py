"""FSPGD: an attack that transfers, by features and their similarity inside the picture (2502.01262)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.attacks.internal import layer_of
from segviz.attacks.objectives import Problem, Seen
from segviz.types import UserError

ALIKE = 0.5
"""Cosine beyond which two places of the clean picture count as alike: pi / 3."""
MOST_PLACES = 4096
"""Places of a layer up to which all pairs of them are compared."""


class SimilarityObjective:
    """Makes features at the middle of the network unlike those of the clean picture, and unlike one another where they were alike.

    With f the clean and g the features now, lambda = (t - 1) / T and W the pairs of different places whose clean cosine is above `ALIKE`,
    an image's loss is -lambda mean_j cos(f_j, g_j) - (1 - lambda) / (2 |W|) sum_W g_i g_j. `layer` as in `layer_of`; empty is the model's
    encoder, of which, if it gives several levels, the last but one is taken. Raises UserError for a layer that takes no part in the
    forward pass, has no places, or more than `MOST_PLACES`.
    """

    cost = gradient_passes = setup = 1

    def __init__(self, problem: Problem, layer: str):
        self.problem, self.layer = problem, layer_of(problem.model, layer)
        with torch.no_grad():
            self.clean = F.normalize(self.forward(problem.x)[1], dim=1)
            alike = torch.einsum("ncp,ncq->npq", self.clean, self.clean) > ALIKE
            alike.diagonal(dim1=1, dim2=2).fill_(False)
            self.pairs = alike / alike.sum((1, 2), keepdim=True).clamp(min=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of images and the features (N,C,places) of the layer."""
        kept: list[Tensor] = []

        def keep(_: nn.Module, __: object, output: Tensor | Mapping[object, Tensor]) -> None:
            kept.append(list(output.values())[-2:][0] if isinstance(output, Mapping) else output)

        handle = self.layer.register_forward_hook(keep)
        try:
            logits = self.problem.model(x)
        finally:
            handle.remove()
        if not kept or kept[-1].dim() != 4:
            raise UserError("The chosen layer gives no map of features. Choose another one.")
        # A model that looks at its images one by one gives the layer's output one by one.
        features = kept[-1] if len(kept[-1]) == len(x) else torch.cat(kept[-len(x) :])
        places = features.shape[2] * features.shape[3]
        if places > MOST_PLACES:
            raise UserError(f"The chosen layer has {places} places, more than {MOST_PLACES}, to compare all pairs of. Take a deeper one.")
        return logits, features.flatten(2)

    def __call__(self, x_adv: Tensor, iteration: int, steps: int, with_gradient: bool) -> Seen:
        share = (iteration - 1) / steps
        with torch.set_grad_enabled(with_gradient):
            x_adv = x_adv.detach().requires_grad_(with_gradient)
            logits, now = self.forward(x_adv)
            from_clean = F.cosine_similarity(self.clean, now, dim=1).mean(1)
            inside = (self.pairs * torch.einsum("ncp,ncq->npq", now, now)).sum((1, 2)) / 2
            loss = -share * from_clean - (1 - share) * inside
        gradient = torch.autograd.grad(loss.sum(), x_adv)[0] if with_gradient else loss.new_empty(0)
        return Seen(logits.detach(), logits.detach().argmax(1), loss.detach(), loss.detach(), gradient)


@dataclass(frozen=True)
class Similarity:
    """Makes the objective of FSPGD; an empty `layer` is the model's own choice."""

    layer: str = ""

    def __call__(self, problem: Problem) -> SimilarityObjective:
        return SimilarityObjective(problem, self.layer)
