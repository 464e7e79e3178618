"""Any network behind the Segmenter's face: statistics, input size, named feature layers; and models read in another label set."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segviz.data.label_sets import LabelSet, translation
from segviz.models.entry import ModelEntry
from segviz.models.segmenter import Segmenter
from segviz.types import VOID, UserError

HOOKS = threading.Lock()


class AdaptedSegmenter(Segmenter):
    """A network that maps normalised images to class scores, as a Segmenter.

    Pictures are squashed to `input_size` (width, height), or brought to the next multiple of `multiple`, by antialiased bilinear
    interpolation (what Pillow does, without rounding); scores are brought back bilinearly. The network stands as `encoder`; it returns a
    tensor, or a mapping or record with `out` or `logits`. What a network that the user brought raises becomes a UserError, and so do
    scores of it that are not finite.
    """

    def __init__(self, network: nn.Module, entry: ModelEntry):
        super().__init__(network, nn.Identity(), entry.mean, entry.std, entry.label_set)
        self.input_size = entry.input_size
        self.multiple = entry.multiple
        self.layers = entry.layers
        self.own = entry.state == "own"
        self.feature_layer = f"encoder.{entry.layers[-1]}" if entry.layers else ""

    def scores(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to the network's own scores (N,C,h,w)."""
        height, width = x.shape[-2:]
        if self.input_size is not None:
            size = (self.input_size[1], self.input_size[0])
        else:
            size = (-(-height // self.multiple) * self.multiple, -(-width // self.multiple) * self.multiple)
        if size != (height, width):
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        x = (x - self.mean) / self.std
        if not self.own:
            return scores_of(self.encoder(x))
        try:
            scores = scores_of(self.encoder(x))
        except (UserError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise UserError(f"The network fails on {size[1]}x{size[0]} pixels: {type(error).__name__}: {error}") from None
        if not scores.isfinite().all():
            raise UserError(
                f"The network's scores for {size[1]}x{size[0]} pixels are not finite (NaN or infinite); its weights or statistics are "
                "wrong."
            )
        return scores

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


def as_segmenter(network: nn.Module, entry: ModelEntry) -> Segmenter:
    """What an entry's `build` made, behind the Segmenter's face."""
    return network if isinstance(network, Segmenter) else AdaptedSegmenter(network, entry)


def scores_of(output: Any) -> Tensor:
    """The class scores in what a network returned; raises UserError where there are none."""
    if isinstance(output, Mapping):
        output = output.get("out", output.get("logits"))
    scores = getattr(output, "logits", output)
    if not isinstance(scores, Tensor):
        raise UserError(f"The network returned {type(output).__name__}; expected a tensor of class scores, or one under 'out' or 'logits'.")
    return scores


def check_network(model: Segmenter, key: str) -> None:
    """Try a network that someone brought on small pictures, and let its deepest feature layer be the one to attack.

    Raises UserError, a message of its own each, where it fails, returns no floating-point (N,C,H,W) scores, the number of classes is not
    that of the label set or not 2 to 255, the scores do not cover the picture evenly, are not finite or have no gradient, or a layer to
    report has no output.
    """
    # Long: one check after the other, each with a message of its own.
    x = picture_for_trial(96, 128).to(model.mean.device).requires_grad_()
    try:
        scores = scores_of_trial(model, x)
    except UserError as error:
        raise UserError(f"The model {key} does not fit: {error}") from None
    classes = len(model.label_set.classes)
    if scores.ndim != 4:
        raise UserError(f"The model {key} returns scores of shape {tuple(scores.shape)}; expected (N, classes, H, W).")
    if not scores.is_floating_point():
        raise UserError(f"The model {key} returns {scores.dtype}; expected floating-point scores per class, before any argmax.")
    if scores.shape[1] != classes:
        raise UserError(
            f"The model {key} has {scores.shape[1]} outputs, but its label set {model.label_set.name} has {classes} classes. "
            "Give the label file that it was trained with."
        )
    if not 2 <= classes <= VOID:
        raise UserError(f"The model {key} tells {classes} classes apart; a map of 8 bits takes 2 to {VOID}.")
    width, height = getattr(model, "input_size", None) or (128, 96)
    rows, columns = scores.shape[-2:]
    if not rows or not columns or abs(height / rows - width / columns) > 0.25 * height / rows or rows > 2 * height:
        raise UserError(
            f"The model {key} returns scores of {columns}x{rows} for a picture of {width}x{height}. "
            "Scores must have the picture's size, or cover it as an evenly coarser grid, which is then upsampled bilinearly."
        )
    if not scores.isfinite().all():
        raise UserError(f"The model {key} returns scores that are not finite (NaN or infinite); its weights or statistics are wrong.")
    try:
        torch.autograd.grad(scores.sum(), x)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise UserError(
            f"The model {key} cannot be attacked: its scores have no gradient with respect to the picture ({error}). "
            "Take no_grad, detach and in-place operations on the picture out of it."
        ) from None
    with torch.no_grad():
        try:
            scores_of_trial(model, picture_for_trial(107, 149).to(x))
        except UserError as error:
            raise UserError(
                f"The model {key} works on 128x96 pixels, but not on all sizes. {str(error).removesuffix('.')}. If it needs sides of a "
                "multiple of, say, 32 pixels, state multiple = 32."
            ) from None
        if not isinstance(model, AdaptedSegmenter):
            return
        features = model.features(x)
    absent = [layer for layer in model.layers if layer not in features]
    if absent:
        raise UserError(f"The model {key} has no layer {absent[0]} with an output (N,channels,h,w).")
    if not model.feature_layer:
        model.feature_layer = "".join(f"encoder.{name}" for name in list(features)[-1:])


def picture_for_trial(height: int, width: int) -> Tensor:
    """A picture (1,3,H,W) in [0,1] of noise."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def scores_of_trial(model: Segmenter, x: Tensor) -> Tensor:
    """The scores before they are brought to the picture's size, where that is a step of its own."""
    return model.scores(x) if isinstance(model, AdaptedSegmenter) else model(x)


class RelabelledSegmenter(Segmenter):
    """A model read in a coarser label set: the logit of a class is the largest among those that translate to it.

    So the most likely class is the translation of the model's own most likely class. Raises UserError as `translation`.
    """

    def __init__(self, model: Segmenter, target: LabelSet):
        table = translation(model.label_set, target)
        super().__init__(model, nn.Identity(), (0.0,) * 3, (1.0,) * 3, target)
        self.feature_layer = f"encoder.{model.feature_layer}"
        self.groups = [[source for source, index in enumerate(table) if index == wanted] for wanted in range(len(target.classes))]
        self.to(model.mean.device).eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N,3,H,W) in [0,1] to logits (N,C,H,W) of the target set."""
        logits = self.encoder(x)
        return torch.stack([logits[:, group].amax(1) for group in self.groups], 1)

    def features(self, x: Tensor) -> dict[Any, Tensor]:
        """Features of the model itself."""
        return self.encoder.features(x)  # type: ignore[operator]
