"""Random search by squares: an attack that looks at maps alone and needs no gradient."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segviz.attacks.looks import ByLooks
from segviz.types import Step

FIRST_SHARE = 0.8
"""Share of the picture that the first squares cover, as in AutoAttack (Croce & Hein, 2003.01690)."""
HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Iterations, of 10,000, after which the share is halved (Andriushchenko et al., 1912.00049, Sec. 3.2)."""


def side_of_square(iteration: int, steps: int, height: int, width: int) -> int:
    """The side in pixels of the square that iteration 1, 2, ... of `steps` changes; at least 1, at most the smaller side."""
    moment = iteration * 10_000 // max(steps, 1)
    share = FIRST_SHARE / 2 ** sum(moment > at for at in HALVED_AT)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


@dataclass(frozen=True)
class Square(ByLooks):
    """Square Attack in L-inf (Andriushchenko et al., 1912.00049, Alg. 1 and 2) on the share of pixels as the goal wants them.

    It begins with vertical stripes of plus or minus eps; each further iteration gives one square one such colour and keeps the change
    where no fewer pixels are as the goal wants them. All images of a batch get the same squares.
    """

    def candidate(self, x: Tensor, leader: Step | None, index: int, generator: torch.Generator) -> Tensor:
        """Stripes at first, then the best picture with another square."""
        return self.stripes(x, generator) if leader is None else self.with_square(leader.best, x, index, generator)

    def stripes(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Columns of one pixel, each with plus or minus eps in each channel."""
        signs = 2 * torch.randint(0, 2, (3, 1, x.shape[3]), generator=generator) - 1
        return self.constraint.project(x + self.constraint.eps * signs.to(x, non_blocking=True), x)

    def with_square(self, best: Tensor, x: Tensor, iteration: int, generator: torch.Generator) -> Tensor:
        """`best` with a square at a random place, in which each channel is plus or minus eps from `x`."""
        height, width = x.shape[2:]
        side = side_of_square(iteration, self.steps, height, width)
        top, left = (int(torch.randint(0, room - side + 1, (), generator=generator)) for room in (height, width))
        signs = 2 * torch.randint(0, 2, (3, 1, 1), generator=generator) - 1
        square = (..., slice(top, top + side), slice(left, left + side))
        x_adv = best.clone()
        x_adv[square] = x[square] + self.constraint.eps * signs.to(x, non_blocking=True)
        return self.constraint.project(x_adv, x)
