"""Any network behind the Segmenter's face: statistics, input size, named feature layers; and models read in another label set."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.data.label_sets import LabelSet, translation
from segviz.models.contained import contained, turning, what_it_raised
from segviz.models.entry import ModelEntry
from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import Wrapper
from segviz.types import UserError

HOOKS = threading.Lock()
SMALLEST_PROBABILITY = 1e-12
"""Probabilities are taken to be at least this before their logarithm is."""


class AdaptedSegmenter(Segmenter):
    """A network that maps normalised images to class scores, as a Segmenter.

    Pictures are squashed to `input_size` (width, height), or brought to the next multiple of `multiple`, by antialiased bilinear
    interpolation (what Pillow does, without rounding); scores are brought back bilinearly. The network stands as `encoder`; what it gets
    and returns is as the entry says (see `ModelEntry`). One output is a mask of the second of two classes. What a network that the user
    brought raises becomes a UserError, and so do scores of it that are not finite; switches of the process that it turns are put back,
    and noted in `turned`.
    """

    def __init__(self, network: nn.Module, entry: ModelEntry):
        super().__init__(network, nn.Identity(), entry.mean, entry.std, entry.label_set)
        self.input_size = entry.input_size
        self.multiple = entry.multiple
        self.layers = entry.layers
        self.own = entry.state == "own"
        self.channels, self.input_range = entry.channels, entry.input_range
        self.output, self.outputs = entry.output, entry.outputs
        self.turned: set[str] = set()
        self.feature_layer = f"encoder.{entry.layers[-1]}" if entry.layers else ""

    def size_inside(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the network sees a picture."""
        if self.input_size is not None:
            return self.input_size[1], self.input_size[0]
        return -(-height // self.multiple) * self.multiple, -(-width // self.multiple) * self.multiple

    def run(self, x: Tensor) -> Any:
        """What the network itself returns for images (N,3,H,W) in [0,1]."""
        size = self.size_inside(*x.shape[-2:])
        if size != x.shape[-2:]:
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        x = (x - self.mean) / self.std * self.input_range
        if self.channels == "bgr":
            x = x.flip(1)
        if not self.own:
            return self.encoder(x)
        with contained() as turned:
            try:
                output = self.encoder(x)
            except (UserError, torch.OutOfMemoryError):
                raise
            except (Exception, SystemExit) as error:
                raise UserError(f"The network fails on {size[1]}x{size[0]} pixels: {what_it_raised(error)}") from None
        if not self.turned.issuperset(turned):
            self.turned |= set(turned)
            self.notices = (*self.notices, turning(turned))
        return output

    def scores(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to the network's scores (N,C,h,w), at its own size."""
        scores = self.as_scores(scores_of(self.run(x), self.output))
        if self.own and not scores.isfinite().all():
            height, width = self.size_inside(*x.shape[-2:])
            raise UserError(
                f"The network's scores for {width}x{height} pixels are not finite (NaN or infinite); its weights or statistics are wrong."
            )
        if self.own and x.requires_grad and torch.is_grad_enabled() and scores.is_floating_point() and not scores.requires_grad:
            why = ", as it switches gradients off for the whole process" if "gradients" in self.turned else ""
            raise UserError(
                f"The network cannot be attacked: its scores have no gradient with respect to the picture{why}. "
                "Take no_grad, set_grad_enabled, detach and in-place operations on the picture out of it."
            )
        return scores.to(x.dtype) if scores.is_floating_point() else scores

    def as_scores(self, scores: Tensor) -> Tensor:
        """What the network returns per class as scores of which a softmax makes probabilities."""
        mask = scores.ndim == 4 and scores.shape[1] == 1 and len(self.label_set.classes) == 2
        if self.outputs != "probabilities":
            return torch.cat([torch.zeros_like(scores), scores], 1) if mask else scores
        if mask:
            scores = torch.cat([1 - scores, scores], 1)
        return scores.clamp(min=SMALLEST_PROBABILITY).log()

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        scores = self.scores(x)
        if scores.shape[-2:] == x.shape[-2:]:
            return scores
        return F.interpolate(scores, x.shape[-2:], mode="bilinear", align_corners=False)

    def features(self, x: Tensor) -> dict[Any, Tensor]:
        """Images (N,3,H,W) in [0,1] to the outputs (N,channels,h,w) of modules by name.

        They are the entry's layers, or else those of the outermost level of the network at which two or more modules have such outputs.
        """
        found: dict[Any, Tensor] = {}
        modules = {name: module for name, module in self.encoder.named_modules() if name in self.layers or (name and not self.layers)}

        def keep(name: str, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                found[name] = output

        # Hooks are on the shared network for the time of this call only.
        with HOOKS:
            handles = [
                module.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
                for name, module in modules.items()
            ]
            try:
                self.scores(x)
            finally:
                for handle in handles:
                    handle.remove()
        if self.layers:
            return found
        levels = Counter(name.count(".") for name in found)
        level = min((level for level, count in levels.items() if count > 1), default=min(levels, default=0))
        return {name: output for name, output in found.items() if name.count(".") == level}


class FedOtherwise(Wrapper):
    """A Segmenter whose weights were trained with colours in the order `channels` and normalised values times `input_range`."""

    def __init__(self, model: Segmenter, channels: str, input_range: float):
        super().__init__(model)
        self.channels, self.input_range = channels, input_range

    def fed(self, x: Tensor) -> Tensor:
        """What the Segmenter inside makes the values of, by its own normalisation, that the weights want."""
        values = (x - self.mean) / self.std * self.input_range
        if self.channels == "bgr":
            values = values.flip(1)
        return values * self.std + self.mean

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W)."""
        return self.model(self.fed(x))

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """Features of the network inside."""
        return self.model.features(self.fed(x))


def as_segmenter(network: nn.Module, entry: ModelEntry) -> Segmenter:
    """What an entry's `build` made, behind the Segmenter's face; raises UserError for what cannot be said of such a network."""
    if not isinstance(network, Segmenter):
        return AdaptedSegmenter(network, entry)
    for field, value in (("output", entry.output), ("outputs", entry.outputs)):
        if value not in ("", "scores"):
            raise UserError(f"The network of {entry.network_of or entry.key} ends in one tensor of scores; leave out {field} = '{value}'.")
    if (entry.channels, entry.input_range) == ("rgb", 1.0):
        return network
    return FedOtherwise(network, entry.channels, entry.input_range)


def scores_of(output: Any, name: str = "") -> Tensor:
    """The class scores in what a network returned: what is called `name`, or has that number in a list; raises UserError for none.

    Without a name: a tensor, the first element of a list or tuple, or what is called `out` or `logits`.
    """
    if hasattr(output, "_asdict"):
        output = output._asdict()
    if isinstance(output, list | tuple):
        if name and not (name.isdecimal() and int(name) < len(output)):
            raise UserError(
                f"The network returned {len(output)} outputs; output = '{name}' is none of their numbers, 0 to {len(output) - 1}."
            )
        return scores_of(output[int(name or 0)]) if output else scores_of(None)
    found = output
    if isinstance(output, Mapping):
        found = output.get(name) if name else output.get("out", output.get("logits"))
    elif not isinstance(output, Tensor):
        found = getattr(output, name or "logits", None)
    if isinstance(found, Tensor):
        return found
    if found is not None and found is not output:
        kind = type(found).__name__
        raise UserError(f"What the network returned as '{name or 'out'}' is a {kind}, no tensor of class scores. Return the scores alone.")
    if isinstance(output, Mapping):
        known = ", ".join(f"'{key}'" for key in output)
        wanted = f"but nothing called '{name}'" if name else "and nothing called 'out' or 'logits'"
        raise UserError(f"The network returned {known or 'nothing'}, {wanted}. Name the one that holds the class scores: output = '...'.")
    raise UserError(
        f"The network returned {type(output).__name__}; expected a tensor of class scores, or one under 'out', 'logits' or a name that is "
        "stated as output."
    )


class RelabelledSegmenter(Segmenter):
    """A model read in a coarser label set: the logit of a class is the largest among those that translate to it.

    So the most likely class is the translation of the model's own most likely class. Raises UserError as `translation`.
    """

    def __init__(self, model: Segmenter, target: LabelSet):
        table = translation(model.label_set, target)
        super().__init__(model, nn.Identity(), (0.0,) * 3, (1.0,) * 3, target)
        self.notices = model.notices
        self.feature_layer = f"encoder.{model.feature_layer}"
        self.groups = [[source for source, index in enumerate(table) if index == wanted] for wanted in range(len(target.classes))]
        self.passes = model.passes
        self.to(model.mean.device).eval().requires_grad_(False)

    def attacked(self, x: Tensor) -> Segmenter:
        """As in `Segmenter`."""
        inside = self.encoder.attacked(x)  # type: ignore[operator]
        return self if inside is self.encoder else RelabelledSegmenter(inside, self.label_set)

    def judged(self, draw: int) -> Segmenter:
        """As in `Segmenter`."""
        inside = self.encoder.judged(draw)  # type: ignore[operator]
        return self if inside is self.encoder else RelabelledSegmenter(inside, self.label_set)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W) of the target set."""
        logits = self.encoder(x)
        return torch.stack([logits[:, group].amax(1) for group in self.groups], 1)

    def features(self, x: Tensor) -> dict[Any, Tensor]:
        """Features of the model itself."""
        return self.encoder.features(x)  # type: ignore[operator]
