"""Defences with the face of a Segmenter around any Segmenter; through each goes the gradient that an attack which knows it takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from segviz.attacks.transforms import View, at_scale
from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import Wrapper


class Filtered(Wrapper):
    """The network behind a filter of the picture."""

    def __init__(self, model: Segmenter, picture_filter: Callable[[Tensor], Tensor]):
        super().__init__(model)
        self.filter = picture_filter

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        return self.model(self.filter(x))

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """Features of the network inside for the filtered images."""
        return self.model.features(self.filter(x))


def log_mean(views: list[Tensor]) -> Tensor:
    """Logits (N,C,H,W) whose softmax is the mean of those of several logits."""
    if len(views) == 1:
        return views[0]
    return torch.stack([logits.log_softmax(1) for logits in views]).logsumexp(0)


class ScalesAndFlip(Wrapper):
    """The mean softmax of the picture at several scales, with `flip` of its mirror image too: test-time averaging as in DeepLab
    (Chen et al., 1606.00915)."""

    def __init__(self, model: Segmenter, scales: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25), flip: bool = True):
        super().__init__(model)
        self.scales, self.flip = scales, flip
        self.passes *= len(scales) * (1 + flip)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        views = [at_scale(self.model, x, scale) for scale in self.scales]
        if self.flip:
            views += [at_scale(self.model, x.flip(3), scale).flip(3) for scale in self.scales]
        return log_mean(views)


class RandomViews(Wrapper):
    """The mean softmax over `samples` random views of the picture.

    Without a gradient the views are always those of `seed`, the defender's. Where a gradient is wanted they are drawn anew at every call,
    from a generator of their own: an attack does not know the defender's draws and takes the mean gradient over its own (EOT: Athalye,
    Engstrom, Ilyas & Kwok, ICML 2018, 1707.07397), `samples` of them unless `attack_with` says otherwise. The draws are the same for every
    image of a batch.
    """

    def __init__(self, model: Segmenter, view: View, samples: int = 4, seed: int = 0):
        super().__init__(model)
        self.view, self.samples, self.seed = view, samples, seed
        self.attacker, self.drawn = torch.Generator().manual_seed(seed + 1), 0
        self.attack_with(samples)

    def attack_with(self, draws: int) -> None:
        """Let a look with gradient take so many draws."""
        self.draws, self.passes = draws, self.model.passes * draws

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        if torch.is_grad_enabled() and x.requires_grad:
            generator, samples = self.attacker, range(self.drawn, self.drawn + self.draws)
            self.drawn += self.draws
        else:
            generator, samples = torch.Generator().manual_seed(self.seed), range(self.samples)
        return log_mean([self.view(self.model, x, sample, generator) for sample in samples])
