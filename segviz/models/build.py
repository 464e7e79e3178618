"""Networks by name, with random weights."""

from collections.abc import Callable

from torch import nn

from segviz.data.label_sets import VOC7, LabelSet
from segviz.models import heads
from segviz.models.encoder import CascadeEncoder, EfficientNetLite0
from segviz.models.entry import LITE_MEAN, LITE_STD
from segviz.models.segmenter import Segmenter

# decoder: encoder, head
FAMILY: dict[str, tuple[Callable[[], EfficientNetLite0], Callable[[int], nn.Module]]] = {
    "lraspp": (EfficientNetLite0, heads.LRASPP),
    "fcn8s": (EfficientNetLite0, heads.FCN8s),
    "pspnet": (lambda: EfficientNetLite0(dilated=(32,)), heads.PSPNet),
    "deeplab": (lambda: EfficientNetLite0(dilated=(32,)), heads.DeepLab),
    "dilated": (lambda: EfficientNetLite0(dilated=(16, 32)), heads.FrontEnd),
    "dilated-context": (lambda: EfficientNetLite0(dilated=(16, 32)), heads.FrontEndWithContext),
    "icnet": (CascadeEncoder, heads.ICNet),
    "segnet": (lambda: EfficientNetLite0(dilated=(32,)), heads.SegNet),
}


def build_family(decoder: str, label_set: LabelSet, scale: float = 1.0) -> Segmenter:
    """EfficientNet-Lite0 with one of the decoders of `FAMILY`, for the classes of `label_set`; `scale` as in `Segmenter`."""
    encoder, head = FAMILY[decoder]
    return Segmenter(encoder(), head(len(label_set.classes)), LITE_MEAN, LITE_STD, label_set, scale)


def build_voc7(decoder: str = "lraspp", scale: float = 1.0) -> Segmenter:
    """A network of the family for the seven classes of `VOC7`."""
    return build_family(decoder, VOC7, scale)
