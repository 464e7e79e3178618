"""Networks by name, with random weights."""

from segviz.data.label_sets import VOC7
from segviz.models.encoder import EfficientNetLite0
from segviz.models.heads import LRASPP
from segviz.models.segmenter import Segmenter

# Input statistics of EfficientNet-Lite: (grey level - 127) / 128.
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


def build_voc7() -> Segmenter:
    """EfficientNet-Lite0 with the LR-ASPP-style head for the seven classes of `VOC7`."""
    return Segmenter(EfficientNetLite0(), LRASPP(len(VOC7.classes)), MEAN, STD, VOC7)
