"""Random noise in the ball of an attack: no attack, but what the strength of one is compared with."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from segviz.attacks.looks import ByLooks
from segviz.types import Step


@dataclass(frozen=True)
class Noise(ByLooks):
    """One random point of the ball, uniform in it, for each of `steps` times `restarts` iterations; it takes no gradient.

    The result is the draw with most pixels as the goal wants them, of one draw that draw, also where the clean image has more of them.
    """

    begins_anew: ClassVar[bool] = True

    def candidate(self, x: Tensor, leader: Step | None, index: int, generator: torch.Generator) -> Tensor:
        """A draw that does not depend on what the model made of others."""
        return self.constraint.random_point(x, generator)
