"""Optional extras: models of `transformers` and of `segmentation_models_pytorch`, from the Hugging Face hub or a folder.

Both packages are imported only here and only when such a model is asked for.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from segviz.data.label_sets import ADE20K150, CITYSCAPES19, VOC21, LabelSet, described_label_set, plain_label_set
from segviz.models.entry import IMAGENET_MEAN, IMAGENET_STD, ModelEntry
from segviz.types import VOID, UserError

WORKING_SIZE = 512


class QueryScores(nn.Module):
    """A mask-classification network (MaskFormer, Mask2Former) as per-pixel class scores.

    Each query has class probabilities p (without "no object") and a mask m; the score of a class at a pixel is log sum over the
    queries of p times m: the semantic inference of Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation",
    NeurIPS 2021 (2107.06278), Sec. 3.4, in logarithms, so that their softmax is the normalised sum.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        output = self.network(pixel_values=x)
        probabilities = output.class_queries_logits.softmax(-1)[..., :-1]
        masks = output.masks_queries_logits.sigmoid()
        return torch.einsum("nqc,nqhw->nchw", probabilities, masks).clamp(min=1e-12).log()


class PixelScores(nn.Module):
    """A per-pixel network of `transformers` as class scores; `bgr` for one that wants its channels in reverse."""

    def __init__(self, network: nn.Module, bgr: bool):
        super().__init__()
        self.network = network
        self.bgr = bgr

    def forward(self, x: Tensor) -> Tensor:
        return self.network(pixel_values=x.flip(1) if self.bgr else x).logits


@cache
def transformers_entry(key: str) -> ModelEntry:
    """Entry of `hf:` and a hub id or folder; raises UserError where `transformers` is missing or nothing fitting is found."""
    name = key.removeprefix("hf:")
    transformers = import_transformers(key)
    config = pretrained(key, transformers.AutoConfig)
    names = [config.id2label[index] for index in sorted(config.id2label)]
    processor = pretrained(key, transformers.AutoImageProcessor)
    mean, std, size = statistics(processor)
    reduced = bool(getattr(processor, "do_reduce_labels", None) or getattr(processor, "reduce_labels", None))
    return ModelEntry(
        key=key,
        title=name,
        build=partial(build_transformers, key),
        label_set=known_label_set(name, names, reduced),
        working_size=WORKING_SIZE,
        mean=mean,
        std=std,
        input_size=size,
        multiple=32,
        data=f"{config.model_type}, from the Hugging Face hub or a folder",
        licence="see its model card",
    )


def build_transformers(key: str) -> nn.Module:
    """The network behind `transformers_entry`, with its weights; raises UserError where some of them are missing."""
    transformers = import_transformers(key)
    config = pretrained(key, transformers.AutoConfig)
    per_pixel = type(config) in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING
    if not per_pixel and type(config) not in transformers.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING:
        raise UserError(f"{key} is a {config.model_type} model, which is no semantic-segmentation network of transformers.")
    kind = transformers.AutoModelForSemanticSegmentation if per_pixel else transformers.AutoModelForUniversalSegmentation
    network, report = pretrained(key, kind, output_loading_info=True)
    missing = sorted(name for name in report["missing_keys"] if not name.endswith("num_batches_tracked"))
    if missing:
        raise UserError(
            f"{key} lacks {len(missing)} weights of a segmentation network, the first of them {missing[0]}: it is a checkpoint for another "
            "task. Give one that was trained for semantic segmentation."
        )
    if not per_pixel:
        return QueryScores(network)
    return PixelScores(network, bool(getattr(pretrained(key, transformers.AutoImageProcessor), "do_flip_channel_order", False)))


def pretrained(key: str, kind: Any, **options: Any) -> Any:
    """What a class of `transformers` makes of the hub id or folder in `key`, without running code that comes along."""
    return found(key, lambda: kind.from_pretrained(key.removeprefix("hf:"), trust_remote_code=False, **options))


def statistics(processor: Any) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[int, int] | None]:
    """Mean, standard deviation and fixed input size (width, height) that an image processor stands for, for pictures in [0,1].

    It multiplies grey levels by `rescale_factor`, if it rescales at all, before it normalises them.
    """
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.do_normalize:
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    scale = 255 * (processor.rescale_factor if getattr(processor, "do_rescale", True) else 1)
    if abs(scale - 1) > 1e-6:
        mean, std = (mean[0] / scale, mean[1] / scale, mean[2] / scale), (std[0] / scale, std[1] / scale, std[2] / scale)
    size = processor.size if processor.do_resize else {}
    if "height" in size and "width" in size:
        return mean, std, (size["width"], size["height"])
    return mean, std, None


def entry(key: str, label_set: LabelSet | None = None) -> ModelEntry:
    """Entry of `hf:` or `smp:` with a hub id or folder, `label_set` in place of its own if given; raises UserError as those entries do."""
    if key.startswith("hf:"):
        own = transformers_entry(key)
        return own if label_set is None else replace(own, label_set=label_set)
    if key.startswith("smp:"):
        return smp_entry(key) if label_set is None else smp_entry_with(key, label_set)
    raise UserError(f"'{key}' names no model of a hub. Expected hf: or smp: with a hub id or folder.")


def import_transformers(key: str) -> Any:
    """The package `transformers`; raises UserError with the command where it is missing."""
    try:
        import transformers
    except ImportError:
        raise UserError(f"The model {key} needs the package transformers: pip install transformers.") from None
    return transformers


@cache
def smp_entry(key: str) -> ModelEntry:
    """Entry of `smp:` and a hub id or folder; raises UserError where the package is missing or nothing fitting is found.

    The label set is guessed from the number of classes, for which the network has to be loaded.
    """
    return smp_entry_with(key, guessed_label_set(key), "; a label set taken from the number of classes")


def smp_entry_with(key: str, label_set: LabelSet, note: str = "") -> ModelEntry:
    """Entry of `smp:` with a given label set; nothing is loaded."""
    return ModelEntry(
        key=key,
        title=key.removeprefix("smp:"),
        build=partial(build_smp, key),
        label_set=label_set,
        working_size=WORKING_SIZE,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        multiple=32,
        data=f"segmentation_models_pytorch, from the Hugging Face hub or a folder{note}",
        licence="see its model card",
    )


def guessed_label_set(key: str) -> LabelSet:
    """The known label set with as many classes as a network of `smp:` has, or classes without names."""
    classes = build_smp(key).segmentation_head[0].out_channels  # type: ignore[index, union-attr]
    names = {1: ("background", "object"), 21: VOC21.classes, 19: CITYSCAPES19.classes, 150: ADE20K150.classes}.get(
        classes, [f"class {i}" for i in range(classes)]
    )
    return known_label_set(key.removeprefix("smp:"), list(names))


def build_smp(key: str) -> nn.Module:
    """A network of `segmentation_models_pytorch` with its weights; raises UserError with the command where the package is missing."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError:
        raise UserError(
            f"The model {key} needs the package segmentation_models_pytorch: pip install segmentation-models-pytorch."
        ) from None
    network: Any = found(key, lambda: smp.from_pretrained(key.removeprefix("smp:")))
    # Scores are wanted, not the probabilities that some checkpoints make of them.
    network.segmentation_head[-1] = nn.Identity()
    module: nn.Module = network
    return module


def found(key: str, read: Any) -> Any:
    """What `read` returns; whatever it raises becomes a UserError, as these packages raise all kinds of things."""
    try:
        return read()
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"The model {key} could not be loaded ({reason}). Give the id of a segmentation model on the hub, or a folder that holds it; "
            "without a network only folders and models in the hub's own cache can be used."
        ) from None


def known_label_set(name: str, names: list[str], reduced: bool = False) -> LabelSet:
    """The label set with these class names if it is a known one, else one with generated colours.

    `reduced`: label maps hold 0 for what does not count, and 1 for the first class.
    """

    def plain(classes: Any) -> list[str]:
        return [str(label).split(",")[0].strip().lower() for label in classes]

    for label_set in (VOC21, CITYSCAPES19, ADE20K150):
        if plain(names) == plain(label_set.classes):
            return label_set
    if not reduced:
        return plain_label_set(name, names)
    shifted = described_label_set(name, names, None, range(1, len(names) + 1))
    return replace(shifted, stored_ids=range(len(names) + 1), index_of={0: VOID, **shifted.index_of})
