"""Defences with the face of a Segmenter around any Segmenter; through each goes the gradient that an attack which knows it takes."""

import hashlib
from collections.abc import Callable, Sequence

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

    What is drawn for an image follows from the seed and that image alone, so it depends neither on what was looked at before nor on who
    shares the batch. The defender's draws follow from the 8-bit picture that it looks at and from `draw`, of which `judged` gives others.
    An attack does not know them: it looks through `attacked`, with draws of its own that follow from the clean picture and are new at
    every look, and takes the mean gradient over `samples` of them unless `attack_with` says otherwise (EOT: Athalye, Engstrom, Ilyas &
    Kwok, ICML 2018, 1707.07397). So does a gradient that is taken of this model itself, with draws that follow from the picture.
    """

    def __init__(self, model: Segmenter, view: View, samples: int = 4, seed: int = 0):
        super().__init__(model)
        self.view, self.samples, self.seed, self.draw = view, samples, seed, 0
        self.attack_with(samples)

    def attack_with(self, draws: int) -> None:
        """Let a look of an attack take so many draws."""
        self.draws, self.passes = draws, self.model.passes * draws

    def judged(self, draw: int) -> Segmenter:
        """As in `Segmenter`: the defender's draws of that number."""
        other = self.around(self.model.judged(draw))
        other.draw = draw
        return other

    def attacked(self, x: Tensor) -> Segmenter:
        """As in `Segmenter`."""
        return AttackedViews(self, x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        wanted = torch.is_grad_enabled() and x.requires_grad
        who, number, samples = ("attack", 0, self.draws) if wanted else ("defence", self.draw, self.samples)
        generators = [generator_of(self.seed, who, key, number) for key in keys_of(x)]
        return mean_of_views(self.view, [self.model] * len(x), x, generators, range(samples))


class AttackedViews(Wrapper):
    """Random views as one attack on the clean images `x` sees them: every look, with gradient or without, draws anew."""

    def __init__(self, defence: RandomViews, x: Tensor):
        super().__init__(defence.model)
        self.view, self.seed, self.draws = defence.view, defence.seed, defence.draws
        self.insides = [defence.model.attacked(one) for one in x.split(1)]
        self.keys, self.looks = keys_of(x), 0
        self.passes *= defence.draws

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W); the images are those of `attacked`, in that order."""
        first = self.looks * self.draws
        generators = [generator_of(self.seed, "attack", key, self.looks) for key in self.keys]
        self.looks += 1
        return mean_of_views(self.view, self.insides, x, generators, range(first, first + self.draws))


def mean_of_views(
    view: View, models: Sequence[Segmenter], x: Tensor, generators: Sequence[torch.Generator], samples: Sequence[int]
) -> Tensor:
    """Logits (N,C,H,W) over the views numbered `samples`, with a model and a generator for each image."""
    images = list(zip(models, x.split(1), generators, strict=True))
    return log_mean([torch.cat([view(model, one, sample, drawn) for model, one, drawn in images]) for sample in samples])


def keys_of(x: Tensor) -> list[str]:
    """What tells images (N,3,H,W) in [0,1] apart: a hash of the 8-bit values of each."""
    pixels = (x.detach() * 255).round().clamp(0, 255).byte().cpu().contiguous()
    return [hashlib.sha256(one.numpy().tobytes()).hexdigest() for one in pixels]


def generator_of(*facts: object) -> torch.Generator:
    """A generator whose seed is a hash of some facts."""
    digest = hashlib.sha256(repr(facts).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
