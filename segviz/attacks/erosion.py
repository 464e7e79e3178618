"""EroSeg-style erosion: an attack that grows from the least confident pixels to the most confident ones.

Song et al., "Erosion Attack for Adversarial Training to Enhance Semantic Segmentation Robustness" (ICASSP 2026, 2601.14950), choose
sensitive pixels by their confidence and let the perturbation spread from them to pixels of higher confidence. The formulas here are our
own.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from segviz.attacks.losses import Look, cross_entropy
from segviz.attacks.objectives import ObjectiveBuilder, PixelObjective


@dataclass
class Erosion:
    """A pixel loss with memory, of one run: (1[j in S_t] + beta 1[j won]) CE_j.

    The confidence c_j of a pixel that is not yet won is its largest class probability: of the label where it is still right, or
    (targeted) of the class that stands in the way of the wished one. `reached` R_t (N,H,W) bool only grows; S_t are its pixels that are
    not won. With the shares q_t = q0 + (1 - q0)(t - 1)/(T - 1) and L_t the q_t of the pixels not won with the lowest confidence, image by
    image:

    - R_1 = L_1, the seeds, and the pixels already won;
    - R_t = R_{t-1}, the pixels now won, and those of L_t within `radius` pixels (a square) of these two; where that adds none, all of L_t;
    - R_T holds every pixel.

    Iteration 1 starts anew. Of the `variant`s, "random-seeds" draws the confidence of iteration 1 at random, "no-dilation" adds all of
    L_t, and "reverse" takes the highest confidence instead of the lowest.
    """

    variant: str = "eroseg"
    seed: int = 0
    q0: float = 0.3
    radius: int = 3
    beta: float = 0.1
    reached: Tensor = field(default_factory=lambda: torch.zeros(()), init=False)

    def __call__(self, look: Look) -> Tensor:
        self.grow(look)
        weight = torch.where(look.open, self.reached.to(look.logits), self.beta)
        return weight * look.cross_entropy

    def grow(self, look: Look) -> None:
        """Bring `reached` to the iteration of the look."""
        first, last = look.iteration == 1, look.iteration == look.steps
        q = 1.0 if last else self.q0 + (1 - self.q0) * (look.iteration - 1) / (look.steps - 1)
        low = lowest(self.order(look, first), look.open & look.goal.counted, q)
        won = ~look.open & look.goal.counted
        if first or last or self.variant == "no-dilation":
            self.reached = low | won if first else self.reached | low | won
            return
        behind = self.reached | won
        front = low & dilated(behind, self.radius) & ~behind
        self.reached = behind | torch.where(front.flatten(1).any(1).view(-1, 1, 1), front, low)

    def order(self, look: Look, first: bool) -> Tensor:
        """Values (N,H,W) by which pixels are taken, the lowest first."""
        if first and self.variant == "random-seeds":
            generator = torch.Generator().manual_seed(self.seed)
            drawn = torch.rand(look.logits.shape[2:], generator=generator, dtype=torch.float32)
            return drawn.to(look.logits.device, non_blocking=True).expand(len(look.logits), -1, -1)
        # The logarithm of the confidence orders alike and tells apart what rounds to 1.
        confidence = look.log_probabilities.detach().amax(1)
        return -confidence if self.variant == "reverse" else confidence


def lowest(values: Tensor, among: Tensor, share: float) -> Tensor:
    """The `share` of the pixels `among` (N,H,W) bool whose `values` are lowest, per image; at least one, and all of equal value."""
    ordered = torch.where(among, values, torch.inf).flatten(1).sort(1).values
    last = (share * among.flatten(1).sum(1).float()).round().long().sub(1).clamp(min=0)
    threshold = ordered.gather(1, last.unsqueeze(1)).unsqueeze(2)
    return among & (values <= threshold)


def dilated(mask: Tensor, radius: int) -> Tensor:
    """A mask (N,H,W) bool grown by `radius` pixels in every direction, corners included."""
    return F.max_pool2d(mask.float(), 2 * radius + 1, stride=1, padding=radius) > 0


def erosion(variant: str, seed: int) -> ObjectiveBuilder:
    """Objective of the erosion; the plain cross-entropy measures its progress."""
    return lambda problem: PixelObjective(problem, Erosion(variant, seed), cross_entropy)
