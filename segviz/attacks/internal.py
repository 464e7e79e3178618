"""Attacks on internal representations: CIRA and CIRA+ (Halmosi & Jelasity, 2023, 2306.14217) on any named layer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.attacks.losses import Look
from segviz.attacks.objectives import ObjectiveBuilder, Problem, Seen
from segviz.types import UserError


def layer_of(model: nn.Module, name: str) -> nn.Module:
    """The layer of that name, or, for an empty name, the one that the model calls its encoder (`feature_layer`).

    Raises UserError where there is none.
    """
    wanted = name or getattr(model, "feature_layer", "")
    layers = dict(model.named_modules())
    if not wanted or wanted not in layers:
        known = [key for key in layers if key and key.count(".") <= 2]
        raise UserError(f"The model has no layer '{wanted}'. Some that it has: {', '.join(known[:: max(len(known) // 12, 1)][:12])}.")
    return layers[wanted]


@contextmanager
def captured(layer: nn.Module) -> Iterator[list[Tensor]]:
    """While open, the outputs of `layer` are kept as (N, D); of a layer that returns several, the last, which is the deepest."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor | Mapping[object, Tensor]) -> None:
        deepest = list(output.values())[-1] if isinstance(output, Mapping) else output
        kept.append(deepest.flatten(1))

    handle = layer.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


class InternalObjective:
    """CIRA: cosine similarities of z, the output of a layer flattened per image.

    "direction": make cos(z(x'), u) larger, u drawn once per attack from U[0,1]^D, the same for every image. "away": make
    1 - cos(z(x'), z(x)) larger; for the first step z(x) is shifted by 1e-5, because the gradient of the cosine is zero at x' = x.
    CIRA+ (`with_labels`) adds the cross-entropy of the goal: as a sum of losses ("sum", one gradient), or as a sum of the two gradients
    ("normalised", two gradient evaluations), each brought to unit L2 norm over the colour channels pixel by pixel.
    """

    def __init__(self, problem: Problem, layer: str, variant: str, with_labels: bool):
        self.problem, self.variant, self.with_labels = problem, variant, with_labels
        self.layer = layer_of(problem.model, layer)
        self.cost = self.gradient_passes = 2 if variant == "normalised" else 1
        self.setup = 1
        with torch.no_grad():
            _, self.z_clean = self.forward(problem.x)
        generator = torch.Generator().manual_seed(problem.seed)
        self.u = torch.rand(self.z_clean.shape[1], generator=generator, dtype=torch.float32).to(self.z_clean, non_blocking=True)
        self.first = True

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and z of images."""
        with captured(self.layer) as kept:
            logits = self.problem.model(x)
        if not kept:
            raise UserError("The chosen layer takes no part in the forward pass. Choose another one.")
        # A model that looks at its images one by one gives the layer's output one by one.
        return logits, kept[-1] if len(kept[-1]) == len(x) else torch.cat(kept[-len(x) :])

    def similarity(self, z: Tensor) -> Tensor:
        """What CIRA makes larger, (N,)."""
        if self.variant == "away":
            return 1 - F.cosine_similarity(z, self.z_clean + 1e-5 if self.first else self.z_clean)
        return F.cosine_similarity(z, self.u.expand_as(z))

    def __call__(self, x_adv: Tensor, iteration: int, steps: int, with_gradient: bool) -> Seen:
        with torch.set_grad_enabled(with_gradient):
            x_adv = x_adv.detach().requires_grad_(with_gradient)
            logits, z = self.forward(x_adv)
            internal = self.similarity(z)
            loss = internal
            if self.with_labels:
                look = Look(logits, self.problem.goal)
                labelled = look.mean(look.cross_entropy)
                loss = labelled + internal
        gradient = loss.new_empty(0)
        if with_gradient:
            self.first = False
            if self.variant == "normalised":
                # Two backward passes through one graph.
                by_label = torch.autograd.grad(labelled.sum(), x_adv, retain_graph=True)[0]
                gradient = F.normalize(by_label, dim=1) + F.normalize(torch.autograd.grad(internal.sum(), x_adv)[0], dim=1)
            else:
                gradient = torch.autograd.grad(loss.sum(), x_adv)[0]
        return Seen(logits.detach(), logits.detach().argmax(1), loss.detach(), loss.detach(), gradient)


@dataclass(frozen=True)
class Internal:
    """Makes the objective of CIRA or, `with_labels`, CIRA+; an empty `layer` is the model's encoder."""

    variant: str
    with_labels: bool
    layer: str = ""

    def __call__(self, problem: Problem) -> InternalObjective:
        return InternalObjective(problem, self.layer, self.variant, self.with_labels)


def internal(variant: str, with_labels: bool) -> Callable[[str], ObjectiveBuilder]:
    """CIRA as an objective of a layer's name."""
    return lambda layer: Internal(variant, with_labels, layer)
