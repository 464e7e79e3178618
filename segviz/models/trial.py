"""A network that someone brought, tried once: what it is refused for, and what has to be said beside its figures."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from segviz.models.adapt import AdaptedSegmenter, scores_of
from segviz.models.contained import TURNED_FOR, turning
from segviz.models.segmenter import Segmenter
from segviz.types import VOID, UserError

PICTURE = (96, 128)
"""Height and width of the picture that it is tried on first."""
PICTURES = 4
"""Pictures that its gradient is looked at for."""
TOLERANCE = 1e-3
"""Share of the largest score by which scores must differ to be called different."""


def check_network(model: Segmenter, key: str) -> tuple[str, ...]:
    """Try a network that someone brought on small pictures, and let its deepest feature layer be the one to attack; what is to be said.

    Raises UserError, a message of its own each, where it fails, returns no floating-point (N,C,H,W) scores, the number of classes is not
    that of the label set or not 2 to 255, the scores do not cover the picture evenly and in full, are not finite or have no gradient, or a
    layer to report has no output.
    """
    x = noise(*PICTURE).to(model.mean)
    notices = list(outputs_of(model, x, key))
    x.requires_grad_()
    scores = tried(model, x, key)
    check_shape(model, scores, key)
    if not scores.isfinite().all():
        raise UserError(f"The model {key} returns scores that are not finite (NaN or infinite); its weights or statistics are wrong.")
    gradients = [gradient_of(scores, x, key)]
    for seed in range(1, PICTURES):
        other = noise(*PICTURE, seed=seed).to(x).requires_grad_()
        gradients.append(gradient_of(scores_of_trial(model, other), other, key))
    with torch.no_grad():
        try:
            scores_of_trial(model, noise(107, 149).to(x))
            larger = scores_of_trial(model, noise(2 * PICTURE[0], 2 * PICTURE[1]).to(x))
        except UserError as error:
            raise UserError(
                f"The model {key} works on 128x96 pixels, but not on all sizes. {str(error).removesuffix('.')}. If it needs sides of a "
                "multiple of, say, 32 pixels, state multiple = 32."
            ) from None
        check_cover(model, scores, larger, key)
    x, scores = x.detach(), scores.detach()
    notices += [*of_gradient(model, x, scores, torch.cat(gradients)), *of_flat_picture(model, key)]
    # Scores that differ by themselves say nothing of where the gradient leads.
    notices += list(of_repetition(model, x, scores)) or of_direction(model, gradients)
    if isinstance(model, AdaptedSegmenter):
        with torch.no_grad():
            choose_layer(model, x, key)
        if model.turned:
            notices.append(turning(model.turned))
    if any(module.training for module in model.modules()):
        notices.append("The network stays in training mode although it was put into evaluation mode; dropout and batch statistics may act.")
    return tuple(notices)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    """A picture (1,3,H,W) in [0,1] of noise."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def scores_of_trial(model: Segmenter, x: Tensor) -> Tensor:
    """The scores before they are brought to the picture's size, where that is a step of its own."""
    return model.scores(x) if isinstance(model, AdaptedSegmenter) else model(x)


def tried(model: Segmenter, x: Tensor, key: str) -> Tensor:
    """The scores of a first picture."""
    try:
        return scores_of_trial(model, x)
    except UserError as error:
        raise UserError(f"The model {key} does not fit: {error}") from None


def outputs_of(model: Segmenter, x: Tensor, key: str) -> Iterator[str]:
    """What is to be said of the form of a network's outputs; one output in [0,1] is from now on read as a probability."""
    if not isinstance(model, AdaptedSegmenter):
        return
    try:
        with torch.no_grad():
            output = model.run(x)
            found = scores_of(output, model.output)
    except UserError as error:
        raise UserError(f"The model {key} does not fit: {error}") from None
    if isinstance(output, list | tuple) and len(output) > 1 and not model.output:
        yield f"The network returns {len(output)} outputs; the first was taken. State output = '1' and so on for another one."
    if not found.is_floating_point() or found.ndim != 4 or not found.numel():
        return
    within = bool(((found >= 0) & (found <= 1 + 1e-4)).all())
    if model.outputs == "probabilities" and not within:
        raise UserError(f"The model {key} is said to return probabilities, but returns values of {found.min():.3g} to {found.max():.3g}.")
    if found.shape[1] == 1 and len(model.label_set.classes) == 2:
        if within and not model.outputs:
            model.outputs = "probabilities"
        kind = "probability" if model.outputs == "probabilities" else "score"
        rest, object_ = model.label_set.classes
        yield f"The network has one output; it was taken for the {kind} of {object_}, and {rest} is the rest."
    elif within and not model.outputs:
        summing = bool(((found.sum(1) - 1).abs() < 1e-3).all())
        form = "are probabilities already (they sum to 1)" if summing else "all lie between 0 and 1, as after a sigmoid"
        yield (
            f"The network's outputs {form}; read as scores they give the loss another slope than the network was trained with. "
            "State outputs = 'probabilities' to have their logarithm taken as scores."
        )


def check_shape(model: Segmenter, scores: Tensor, key: str) -> None:
    """Raise UserError unless scores are (N, classes, H, W), as many as the label set has classes, over the whole picture."""
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
    height, width = model.size_inside(*PICTURE) if isinstance(model, AdaptedSegmenter) else PICTURE
    rows, columns = scores.shape[-2:]
    if not rows or not columns or abs(height / rows - width / columns) > 0.25 * height / rows or rows > 2 * height:
        raise UserError(
            f"The model {key} returns scores of {columns}x{rows} for a picture of {width}x{height}. "
            "Scores must have the picture's size, or cover it as an evenly coarser grid, which is then upsampled bilinearly."
        )


def check_cover(model: Segmenter, scores: Tensor, larger: Tensor, key: str) -> None:
    """Raise UserError where scores leave out the picture's border, whatever its size; `larger` are those of a picture of twice the sides.

    Along a side of n pixels there are a n - b of them: 1/a is the stride, b what the border lacks. Rounding alone makes b less than 2.
    """
    if not isinstance(model, AdaptedSegmenter) or model.input_size is not None:
        return
    small, large = model.size_inside(*PICTURE), model.size_inside(2 * PICTURE[0], 2 * PICTURE[1])
    for axis in (0, 1):
        few, many = scores.shape[2 + axis], larger.shape[2 + axis]
        lacking = (many - few) / (large[axis] - small[axis]) * small[axis] - few
        if lacking >= 2:
            raise UserError(
                f"The model {key} returns scores of {larger.shape[3]}x{larger.shape[2]} for a picture of {large[1]}x{large[0]} and of "
                f"{scores.shape[3]}x{scores.shape[2]} for one of {small[1]}x{small[0]}: they cover less than the picture, as convolutions "
                "without padding do. Pad within the network, so that its scores cover the whole picture."
            )


def combined(scores: Tensor) -> Tensor:
    """A random combination of all scores, always the same."""
    return (scores * torch.randn(scores.shape, generator=torch.Generator().manual_seed(0)).to(scores)).sum()


def gradient_of(scores: Tensor, x: Tensor, key: str) -> Tensor:
    """The gradient (1,3,H,W) of a random combination of all scores; raises UserError where there is none."""
    try:
        return torch.autograd.grad(combined(scores), x)[0]
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise UserError(
            f"The model {key} cannot be attacked: its scores have no gradient with respect to the picture ({error}). "
            "Take no_grad, set_grad_enabled, detach and in-place operations on the picture out of it."
        ) from None


@torch.no_grad()
def of_gradient(model: Segmenter, x: Tensor, scores: Tensor, gradients: Tensor) -> Iterator[str]:
    """What is to be said of gradients (PICTURES,3,H,W) that are not finite, or zero where the scores do change with the picture.

    Zero in one picture may be a unit that is not active there; zero in all of them is not.
    """
    lost = ~gradients.isfinite()
    if lost.any():
        yield f"The gradient is not finite (NaN or infinite) at {share(lost)} of the picture's values; {MASKED}"
    zero = (gradients == 0).all(0, keepdim=True)
    if zero.all():
        yield f"The gradient is zero at all of the picture's values; {MASKED}"
    elif zero.float().mean() > 0.02:
        moved = scores_of_trial(model, torch.where(zero, noise(*PICTURE, seed=1).to(x), x))
        if differ(scores, moved):
            yield f"The gradient is zero at {share(zero)} of the picture's values, though the scores change with them; {MASKED}"


MASKED = "attacks that follow gradients fail then, which is no robustness (masked gradients). Look for rounding, argmax or one-hot inside."


@torch.no_grad()
def of_direction(model: Segmenter, gradients: Sequence[Tensor]) -> list[str]:
    """What is to be said of gradients (1,3,H,W) of the first pictures where a step along them does not change the scores as they say.

    The step is of at most one grey level. Rounding that is given the gradient of a straight line passes, as it changes them so in the mean.
    """
    foretold, seen = 0.0, 0.0
    for seed, gradient in enumerate(gradients):
        if not gradient.isfinite().all() or not gradient.any():
            return []
        x, step = noise(*PICTURE, seed=seed).to(gradient), gradient / gradient.abs().max() / 255
        foretold += (gradient * step).sum().item()
        seen += (combined(scores_of_trial(model, x + step)) - combined(scores_of_trial(model, x))).item()
    if seen > LEAST_OF_FORETOLD * foretold:
        return []
    return [
        f"The gradient is not that of the scores: a small step along it changes them by {seen / foretold:.0%} of what it foretells. "
        "Attacks that follow gradients are misled then, which is no robustness. Look for backward functions and hooks of its own."
    ]


LEAST_OF_FORETOLD = 0.1
"""Share of the change that a gradient foretells that must come true."""


def of_flat_picture(model: Segmenter, key: str) -> Iterator[str]:
    """What is to be said of the gradient on a picture of flat black, white and grey, where roots and quotients have none."""
    flat = torch.zeros(1, 3, *PICTURE).to(model.mean)
    flat[..., 40:80], flat[..., 80:] = 1.0, 0.5
    flat.requires_grad_()
    try:
        scores = scores_of_trial(model, flat)
    except UserError as error:
        yield f"The network fails on a picture of flat black, white and grey: {error}"
        return
    lost = ~gradient_of(scores, flat, key).isfinite()
    if lost.any():
        yield f"The gradient is not finite (NaN or infinite) at {share(lost)} of a picture of flat black, white and grey; {MASKED}"


@torch.no_grad()
def of_repetition(model: Segmenter, x: Tensor, scores: Tensor) -> Iterator[str]:
    """What is to be said where the same picture gets other scores a second or third time, or beside another picture.

    `scores` are those that it got while gradients were kept.
    """
    calls = [scores_of_trial(model, x) for _ in range(3)]
    if any(differ(calls[0], again) for again in calls[1:]):
        yield (
            "The network gives other scores when it is called again with the same picture (dropout left on, other randomness, or state "
            "that it keeps); figures depend on that."
        )
        return
    if differ(scores, calls[0]):
        yield (
            "The network gives other scores while gradients are taken than without (it asks for is_grad_enabled or requires_grad): attacks "
            "see another network than the one that figures are of."
        )
    try:
        pair = scores_of_trial(model, torch.cat([x, noise(*PICTURE, seed=1).to(x)]))
    except UserError as error:
        yield f"The network takes one picture at a time only ({error})"
        return
    if pair.shape[0] != 2:
        yield "The network takes one picture at a time only."
    elif differ(calls[0], pair[:1]):
        yield "The network gives a picture other scores beside another one (statistics of the batch); figures depend on that."


def differ(first: Tensor, second: Tensor) -> bool:
    """Whether scores differ by more than rounding."""
    return first.shape != second.shape or bool((first - second).abs().max() > TOLERANCE * first.abs().max().clamp(min=1e-6))


def share(where: Tensor) -> str:
    """How many of some values, in per cent."""
    return f"{where.float().mean().item():.0%}"


def choose_layer(model: AdaptedSegmenter, x: Tensor, key: str) -> None:
    """Let the deepest feature layer be the one to attack, if none is stated; raises UserError where a layer to report has no output."""
    features = model.features(x)
    absent = [layer for layer in model.layers if layer not in features]
    if absent:
        raise UserError(f"The model {key} has no layer {absent[0]} with an output (N,channels,h,w).")
    if not model.feature_layer:
        model.feature_layer = "".join(f"encoder.{name}" for name in list(features)[-1:])


def of_state(network: nn.Module, key: str) -> Iterator[str]:
    """What is to be said of a network as it comes: of weights that are not in single precision, of training mode where that matters.

    Raises UserError where its weights have no values.
    """
    if any(value.is_meta for value in (*network.parameters(), *network.buffers())):
        raise UserError(f"The model {key} has weights without values (on the device 'meta'). Load its weights in the factory.")
    if TURNED_FOR.get(network):
        yield turning(TURNED_FOR[network])
    kinds = {str(value.dtype).removeprefix("torch.") for value in network.parameters() if value.is_floating_point()} - {"float32"}
    if kinds:
        yield f"The network's weights are in {' and '.join(sorted(kinds))}; it was run in float32."
    acting = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
    if any(module.training for module in network.modules() if isinstance(module, acting)):
        yield "The network came in training mode; it was put into evaluation mode."
