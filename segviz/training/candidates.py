"""Networks that have a recipe, but no weights in the box yet: `python -m segviz.training KEY` trains them like the bundled ones.

Once their weights are good enough, the entry moves to `segviz.models.zoo`, with the sha256 and the measured quality.
"""

from functools import partial

from torch import nn

from segviz.data.label_sets import CAMVID11, VOC7, LabelSet
from segviz.models.build import MEAN, STD
from segviz.models.encoder import EfficientNetLite0
from segviz.models.entry import ModelEntry
from segviz.models.heads import LRASPP, FCN8s, FrontEnd
from segviz.models.segmenter import Segmenter
from segviz.models.vgg import CHANNELS, VGG


def lraspp_for(label_set: LabelSet) -> nn.Module:
    """The default network of the box for other classes."""
    return Segmenter(EfficientNetLite0(), LRASPP(len(label_set.classes)), MEAN, STD, label_set)


def dilated_for(label_set: LabelSet) -> nn.Module:
    """The DilatedNet front end at stride 8, the most accurate network of the box, for other classes."""
    return Segmenter(EfficientNetLite0(dilated=(16, 32)), FrontEnd(len(label_set.classes)), MEAN, STD, label_set)


def plain_fcn8s() -> nn.Module:
    """FCN-8s on an encoder without shortcuts, as in its paper: the plain network beside residual and light ones."""
    return Segmenter(VGG(), FCN8s(len(VOC7.classes), CHANNELS), MEAN, STD, VOC7)


CAMVID = "CamVid (Brostow et al. 2009), street scenes of 480x360 (CC BY-NC 4.0)"
ENTRIES = (
    ModelEntry("camvid11-lraspp", "LR-ASPP, streets", partial(lraspp_for, CAMVID11), CAMVID11, 480, f"LR-ASPP on {CAMVID}", "Apache-2.0"),
    ModelEntry(
        "camvid11-dilated", "Dilated, streets", partial(dilated_for, CAMVID11), CAMVID11, 480, f"DilatedNet on {CAMVID}", "Apache-2.0"
    ),
    ModelEntry(
        "voc7-vgg-fcn8s",
        "FCN-8s on a plain encoder, 7 classes",
        plain_fcn8s,
        VOC7,
        320,
        "A VGG-style encoder with an FCN-8s decoder, trained from scratch on photos of animals and people of Pascal VOC 2012",
        "Apache-2.0",
    ),
)
CANDIDATES = {entry.key: entry for entry in ENTRIES}
