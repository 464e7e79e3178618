"""The model catalogue: entries are data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segviz.data.label_sets import VOC7, LabelSet
from segviz.models.build import build_voc7
from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import split_key
from segviz.types import UserError

WEIGHTS = Path(__file__).parents[2] / "assets" / "models"


@dataclass(frozen=True)
class ModelEntry:
    """A pretrained model.

    `working_size`: a photo's longer side is brought to at most this many pixels before anything else happens. `val_miou` is ours,
    measured with the command on the model card.
    """

    key: str
    title: str
    build: Callable[[], Segmenter]
    weights: Path
    sha256: str
    label_set: LabelSet
    working_size: int
    val_miou: float
    data: str
    licence: str


MODELS = {
    entry.key: entry
    for entry in (
        ModelEntry(
            key="voc7-lraspp",
            title="LR-ASPP, 7 classes (bundled)",
            build=build_voc7,
            weights=WEIGHTS / "voc7-lraspp.safetensors",
            sha256="b898bfd09b4fedb68f5836f5bd462668f46090f6b03273f61ea9d90c81aad812",
            label_set=VOC7,
            working_size=320,
            val_miou=0.7500,
            data="EfficientNet-Lite0 encoder, LR-ASPP-style head, trained on photos of animals and people of Pascal VOC 2012",
            licence="Apache-2.0",
        ),
        ModelEntry(
            key="voc7-fcn8s",
            title="FCN-8s, 7 classes (bundled)",
            build=partial(build_voc7, "fcn8s"),
            weights=WEIGHTS / "voc7-fcn8s.safetensors",
            sha256="e900b970dcac4736c6367ead8667c077c371530759efe5802fece70c8e8467de",
            label_set=VOC7,
            working_size=320,
            val_miou=0.7108,
            data="EfficientNet-Lite0 encoder, FCN-8s decoder, trained on photos of animals and people of Pascal VOC 2012",
            licence="Apache-2.0",
        ),
        ModelEntry(
            key="voc7-pspnet",
            title="PSPNet, 7 classes (bundled)",
            build=partial(build_voc7, "pspnet"),
            weights=WEIGHTS / "voc7-pspnet.safetensors",
            sha256="35914056d10e383f1cdb7398e2d492c5209e4c996fd149082bc7b30caad3b8b9",
            label_set=VOC7,
            working_size=320,
            val_miou=0.6825,
            data="EfficientNet-Lite0 encoder, pyramid pooling (PSPNet), trained on photos of animals and people of Pascal VOC 2012",
            licence="Apache-2.0",
        ),
    )
}


def model_entry(key: str) -> ModelEntry:
    """Entry of a model, of the one inside for a key with wrappers (`voc7-lraspp+crf`); raises UserError for an unknown key."""
    base, _ = split_key(key)
    if base not in MODELS:
        raise UserError(f"Unknown model '{base}'. Known: {', '.join(MODELS)}.")
    return MODELS[base]
