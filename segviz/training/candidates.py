"""Networks that have a recipe, but no weights in the box yet: `python -m segviz.training KEY` trains them like the bundled ones.

Once their weights are good enough, the entry moves to `segviz.models.zoo`, with the sha256 and the measured quality.
"""

from functools import partial

from torch import nn

from segviz.data.label_sets import CAMVID11, VOC7
from segviz.models.build import build_family
from segviz.models.entry import LITE_MEAN, LITE_STD, ModelEntry
from segviz.models.heads import FCN8s
from segviz.models.segmenter import Segmenter
from segviz.models.vgg import CHANNELS, VGG


def plain_fcn8s() -> nn.Module:
    """FCN-8s on an encoder without shortcuts, as in its paper: the plain network beside residual and light ones."""
    return Segmenter(VGG(), FCN8s(len(VOC7.classes), CHANNELS), LITE_MEAN, LITE_STD, VOC7)


ENTRIES = (
    ModelEntry(
        "camvid11-dilated",
        "DilatedNet front end, streets",
        partial(build_family, "dilated", CAMVID11),
        CAMVID11,
        480,
        "DilatedNet front end, trained on CamVid (Brostow et al. 2009), street scenes as a driver sees them",
        "CC BY-NC 4.0",
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
