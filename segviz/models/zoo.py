"""The model catalogue: entries are data, whose networks are imported where they are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from segviz.data.label_sets import CAMVID11, CITYSCAPES19, PERSON2, VOC7, VOC21
from segviz.deferred import deferred
from segviz.models import uploads
from segviz.models.configuration import Configuration, read_configured, split_statements
from segviz.models.entry import LITE_MEAN, LITE_STD, ModelEntry, network
from segviz.models.keys import split_key
from segviz.models.torchvision_models import TORCHVISION
from segviz.places import ASSETS
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import nn

    from segviz.models import hub, own
else:
    hub, own = deferred("segviz.models.hub"), deferred("segviz.models.own")

__all__ = ["MODELS", "ModelEntry", "catalogue", "configured", "model_entry"]

WEIGHTS = ASSETS / "models"

VOC7_NETWORK, ENET, ESPNETV2 = "segviz.models.build:build_voc7", "segviz.models.enet:ENet", "segviz.models.espnetv2:ESPNetv2"

VOC7_VAL = "445 VOC val photos of animals and people, 7 classes"
EDGENETS = (
    "https://raw.githubusercontent.com/sacmehta/EdgeNets/2b232d3f7fb60658755dad1ebca0ffc895cc795e/model/segmentation/model_zoo/espnetv2"
)
ZH320 = "https://raw.githubusercontent.com/zh320/realtime-semantic-segmentation-pytorch/e8c8ab0138ab92d89900c137869f50489841dbed/weights"
ESPNETV2_LAYERS = ("base_net.level1", "base_net.level2_0", "base_net.level3.2", "base_net.level4.6")
# bytes, parameters
ESPNETV2_SIZES = {0.5: (469_000, 80_353), 1.0: (1_102_000, 234_021), 2.0: (3_376_000, 789_253)}
ENET_LAYERS = ("initial", "bottleneck1.conv_regular", "bottleneck2.conv_regular", "bottleneck3.conv_regular")

# width, input side, sha256, published mIoU on VOC 2012, our mIoU on VOC7_VAL
ESPNETV2_VOC = (
    (0.5, 256, "9c7bebecd73c603a7eb2d8833eb2c54d0627e37e731548b7833291873e0a2e67", None, 0.459),
    (0.5, 384, "3352b32b209e1e6492d1481734f5333876b28d8866f5c1702d01ec70255eb20c", 47.18, None),
    (1.0, 256, "276d738e38733c136abf5ee9e8a801f5455b2751078c7c1d52a2b485460264be", None, None),
    (1.0, 384, "7ce2df106b62661a4e8e30098398d6b96a2a946b9546d2287500379f984301a8", 60.22, None),
    (2.0, 256, "e4883abccf8f042d422f2c66d69bd21b7af8d41680335e117eb2ee205f303d32", 63.36, None),
    (2.0, 384, "bc479586b0ba9254e02589020346931a14d99028ad6bac4817198be6d9e719a6", 67.01, 0.730),
)
# width, input size, sha256, published mIoU on Cityscapes
ESPNETV2_CITY = (
    (0.5, (512, 256), "63e398dec148f63c8ad117497864f99f021926b347fd4ee608036c36041e7f36", None),
    (0.5, (1024, 512), "9412a86a30f137540ef945d08da3cb7191448956c56c41a64210dab443a9f65f", None),
    (1.0, (512, 256), "002121eee40c31c8b74186153878452e02ef834d35f3e4a8801b3a84fdc3ec7d", None),
    (1.0, (1024, 512), "0918c833fed889e32901ce739b1784fdd2b79f95a9aea199a469ca3394dd7a14", None),
    (2.0, (512, 256), "6b6f26b567c82bb4d6624387f24ed505613edafad19222e1707993fbe0d1d8f6", 50.4),
    (2.0, (1024, 512), "a72d59699801c7ce8e8b89a53af9097eaaa60dc12180ecde86fd700ba1222fe8", 66.4),
)

# head, title, decoder, sha256, our mIoU on VOC7_VAL, parameters
VOC7_FAMILY = (
    ("lraspp", "LR-ASPP", "LR-ASPP-style head", "b898bfd09b4fedb68f5836f5bd462668f46090f6b03273f61ea9d90c81aad812", 0.7500, 3_160_007),
    ("fcn8s", "FCN-8s", "FCN-8s decoder", "4854e400b294f5e9fe85c7f83674676b99716dd73d392529c2a707ca7e789cbf", 0.7397, 3_699_517),
    ("pspnet", "PSPNet", "pyramid pooling", "e2f07875169be2ff2dde36e3264da55232241f641b2af6448b5a9a2b05a9a332", 0.7350, 3_615_719),
    (
        "deeplab",
        "DeepLab",
        "atrous spatial pyramid pooling",
        "5da208cda2c315999f9f42f5c5acf151e722a2ce6663cbcfe11d31a9bb83811d",
        0.7501,
        3_334_279,
    ),
    (
        "dilated",
        "DilatedNet front end",
        "DilatedNet front end at output stride 8",
        "d7c14d4c1e595f2b6d1e9e64131cfad8bce924f13b87d74a529a6bdcc4fd8b45",
        0.7845,
        3_059_399,
    ),
    (
        "dilated-context",
        "DilatedNet with context module",
        "DilatedNet front end with the context module",
        "eb40af7da8d32e5525a33992769d1bb5b6c6a4e6d395b64c04fec61341c453cf",
        0.7777,
        3_062_591,
    ),
    ("icnet", "ICNet", "ICNet cascade", "76c2373f1f7c1865a12adedf4257238d77096e72f83f7190317eb935dc7f06ee", 0.7389, 3_250_439),
    (
        "segnet",
        "SegNet",
        "decoder with pooling indices",
        "d531ebfa1fa61fefd675841f3bf06b43904e36a806d578c759338cc11b32ab6e",
        0.7116,
        3_381_591,
    ),
)
LRASPP_PARAMETERS = VOC7_FAMILY[0][-1]
FAMILY_KEYS = (*(f"voc7-{head}" for head, *_ in VOC7_FAMILY), "voc7-enet")

# key after voc7-lraspp, what it was trained on, sha256, our mIoU on VOC7_VAL
VOC7_TWINS = (
    ("pgd", "PGD", "attacked pictures alone (PGD)", "381d11ae5e2f94470895c72f0ef6f8a544ef26593a4b051676bff6119df1b67e", 0.405),
    (
        "pgd-half",
        "PGD, 50/50",
        "batches half clean, half attacked (PGD)",
        "1c96167b973612f858767d61a35183cc6f76dd737b20b189289c480ccc236ec3",
        0.579,
    ),
    (
        "segpgd",
        "SegPGD",
        "attacked pictures alone (PGD, at last SegPGD)",
        "c84633bb07c6f0c481cdf80480cd44520ef4fea1fcd82e4bd2b8d30137765641",
        0.410,
    ),
    (
        "eroseg",
        "EroSeg",
        "attacked pictures alone (PGD, at last our EroSeg-style erosion)",
        "09896ee3b8c7a31a3df20efc7033df8e402c1d29a3d61ca34c3fc324efb8aff9",
        0.416,
    ),
)

STREETS = "camvid11-lraspp"
"""The network for street scenes."""

SELFIE_PARAMETERS = 106_401
# key, title, input size, sha256, our mIoU on VOC7_VAL
SELFIES = (
    ("selfie", "MediaPipe selfie", (256, 256), "f9f083f4465757df6e64a39dd18e25294102e9c69715bffc8cccfccf4517222f", 0.424),
    (
        "selfie-landscape",
        "MediaPipe selfie, landscape",
        (256, 144),
        "490fc2097e539173f80445e15165d3ea5c60bc98470f424311a50fb61df6e1cd",
        0.425,
    ),
)


def voc7_entry(
    name: str, title: str, short: str, build: Callable[[], nn.Module], sha256: str, measured: float, parameters: int, data: str
) -> ModelEntry:
    """A network of ours, in the box as `voc7-NAME`."""
    return ModelEntry(
        key=f"voc7-{name}",
        title=f"{title} (bundled)",
        short=short,
        build=build,
        weights=WEIGHTS / f"voc7-{name}.safetensors",
        sha256=sha256,
        label_set=VOC7,
        working_size=320,
        parameters=parameters,
        val_miou=measured,
        val_data=VOC7_VAL,
        data=data,
        licence="Apache-2.0",
    )


ENTRIES = (
    *(
        voc7_entry(
            head,
            f"{title}, 7 classes",
            title,
            partial(network, VOC7_NETWORK, head),
            sha256,
            measured,
            parameters,
            f"EfficientNet-Lite0 encoder, {decoder}, trained on photos of animals and people of Pascal VOC 2012",
        )
        for head, title, decoder, sha256, measured, parameters in VOC7_FAMILY
    ),
    replace(
        voc7_entry(
            "enet",
            "ENet, 7 classes",
            "ENet",
            partial(network, ENET, len(VOC7.classes)),
            "050fa6900b228f9454a33a9138009aa595593f9ad0adb9c0a7f1b4435515bc8f",
            0.5022,
            364_884,
            "ENet (Paszke et al. 2016), trained from scratch on photos of animals and people of Pascal VOC 2012",
        ),
        mean=LITE_MEAN,
        std=LITE_STD,
        multiple=8,
        layers=ENET_LAYERS,
    ),
    *(
        voc7_entry(
            f"lraspp-{name}",
            f"LR-ASPP, adversarially trained: {title}",
            f"LR-ASPP trained on {title}",
            partial(network, VOC7_NETWORK, "lraspp", 0.5),
            sha256,
            measured,
            LRASPP_PARAMETERS,
            f"The network of voc7-lraspp, on pictures at half their size, trained on {attacked}",
        )
        for name, title, attacked, sha256, measured in VOC7_TWINS
    ),
    voc7_entry(
        "lraspp-noise",
        "LR-ASPP, trained on noise",
        "LR-ASPP trained on noise",
        partial(network, VOC7_NETWORK, "lraspp", 0.5),
        "66354a26df2059da0c133319c73c42d96b8d308eed97f5cb236345bd707a7923",
        0.306,
        LRASPP_PARAMETERS,
        "The network of voc7-lraspp, on pictures at half their size, trained on pictures under Gaussian noise",
    ),
    ModelEntry(
        key=STREETS,
        title="LR-ASPP, streets (bundled)",
        short="LR-ASPP on CamVid",
        build=partial(network, "segviz.models.build:build_family", "lraspp", CAMVID11),
        parameters=3_160_267,
        weights=WEIGHTS / f"{STREETS}.safetensors",
        sha256="3896970a1952874e797b8f5130535f15fce9e7adde71cea71668787d9bec1fe2",
        label_set=CAMVID11,
        working_size=480,
        val_miou=0.633,
        val_data="39 test frames of CamVid",
        data="The network of voc7-lraspp, trained on CamVid (Brostow et al. 2009), street scenes as a driver sees them",
        licence="CC BY-NC 4.0",
    ),
    *(
        ModelEntry(
            key=key,
            title=f"{title}, people (bundled)",
            build=partial(network, "segviz.models.selfie:SelfieNet"),
            parameters=SELFIE_PARAMETERS,
            weights=WEIGHTS / f"{key}.safetensors",
            sha256=sha256,
            label_set=PERSON2,
            working_size=320,
            val_miou=measured,
            val_data="445 VOC val photos of animals and people, people and background",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            input_size=size,
            layers=("stem", "blocks.0", "blocks.2", "blocks.7"),
            data="The network that separates people from their background in video calls with MediaPipe, by Google",
            licence="Apache-2.0",
        )
        for key, title, size, sha256, measured in SELFIES
    ),
    *TORCHVISION,
    *(
        ModelEntry(
            key=f"espnetv2-voc-{width}-{side}",
            title=f"ESPNetv2 {width} at {side}x{side}",
            build=partial(network, ESPNETV2, width, 21),
            url=f"{EDGENETS}/espnetv2_s_{width}_pascal_{side}x{side}.pth",
            sha256=sha256,
            size=ESPNETV2_SIZES[width][0],
            parameters=ESPNETV2_SIZES[width][1],
            label_set=VOC21,
            working_size=max(side, 320),
            input_size=(side, side),
            layers=ESPNETV2_LAYERS,
            published=f"{published} % mIoU on VOC 2012 (the authors' repository)" if published else "",
            val_miou=measured,
            val_data=VOC7_VAL,
            data="ESPNetv2 (Mehta et al., CVPR 2019) of its authors, trained on Pascal VOC 2012",
            licence="MIT",
        )
        for width, side, sha256, published, measured in ESPNETV2_VOC
    ),
    *(
        ModelEntry(
            key=f"espnetv2-city-{width}-{size[0]}x{size[1]}",
            title=f"ESPNetv2 {width} at {size[0]}x{size[1]}, streets",
            build=partial(network, ESPNETV2, width, 20, len(CITYSCAPES19.classes)),
            url=f"{EDGENETS}/espnetv2_s_{width}_city_{size[0]}x{size[1]}.pth",
            sha256=sha256,
            size=ESPNETV2_SIZES[width][0],
            parameters=ESPNETV2_SIZES[width][1] - 11,  # One output fewer.
            label_set=CITYSCAPES19,
            working_size=size[0],
            input_size=size,
            layers=ESPNETV2_LAYERS,
            published=f"{published} % mIoU on Cityscapes (the authors' repository)" if published else "",
            data="ESPNetv2 (Mehta et al., CVPR 2019) of its authors, trained on Cityscapes",
            licence="MIT",
        )
        for width, size, sha256, published in ESPNETV2_CITY
    ),
    ModelEntry(
        key="enet-city",
        title="ENet, streets",
        build=partial(network, ENET, len(CITYSCAPES19.classes)),
        url=f"{ZH320}/enet_crop-1024_800epoch.pth",
        sha256="a2813d0505a689c80e84f49c218a853b7bf37c70b862b81ccfae58ec6dd138be",
        size=1_660_549,
        parameters=365_100,
        label_set=CITYSCAPES19,
        working_size=1024,
        multiple=8,
        layers=ENET_LAYERS,
        published="71.31 % mIoU on Cityscapes val at 2048x1024 (stored in the checkpoint)",
        data="ENet (Paszke et al. 2016) as trained on Cityscapes by zh320",
        licence="Apache-2.0",
    ),
)

MODELS = {entry.key: entry for entry in ENTRIES}


def configured() -> Configuration:
    """The models of `segviz.toml`, which must have keys of their own."""
    return read_configured(frozenset(MODELS))


def catalogue() -> dict[str, ModelEntry]:
    """All entries by key: `MODELS`, those of `segviz.toml`, uploaded ones."""
    return {**MODELS, **configured().entries, **uploads.UPLOADED}


def stated_entry(named: str, key: str, stated: tuple[tuple[str, Any], ...]) -> ModelEntry:
    """The entry of `named` with what is `stated` of it: the same object while that of `named` is."""
    entry = model_entry(named)
    if entry.state != "own":
        raise UserError(f"{named} is known through and through; only of your own models can be said what '{key}' says.")
    known = STATED_ENTRIES.get(key)
    if known is None or known[0] is not entry:
        known = STATED_ENTRIES[key] = entry, replace(entry, key=key, **dict(stated))
    return known[1]


STATED_ENTRIES: dict[str, tuple[ModelEntry, ModelEntry]] = {}


def model_entry(key: str) -> ModelEntry:
    """Entry of a model; raises UserError for an unknown key, or one whose table in `segviz.toml` says something wrong.

    Besides the keys of `catalogue`: `hf:` or `smp:` with a hub id or folder, and `path/to/factory.py:callable`, whose code is run. What is
    the user's own may go on with what is to be said of it, as in `path/to/factory.py:callable@channels=bgr`. Any of them may end in
    wrappers, as in `voc7-lraspp+crf`; the entry is then that of the network inside, by another name.
    """
    base, names = split_key(key)
    if names:
        inside = model_entry(base)
        return replace(inside, key=key, title=" + ".join([inside.title, *names]), val_miou=None)
    if key in MODELS:
        return MODELS[key]
    named, stated = split_statements(key)
    if stated:
        return stated_entry(named, key, tuple(sorted(stated.items())))
    if key.startswith("hf:"):
        return hub.transformers_entry(key)
    if key.startswith("smp:"):
        return hub.smp_entry(key)
    if ".py:" in key:
        return own.factory_entry(key)
    known, faults = catalogue(), configured().faults
    if key in faults:
        raise UserError(faults[key])
    if key not in known:
        others = "; or hf:HUB_ID, smp:HUB_ID, path/to/factory.py:callable."
        raise UserError(" ".join([f"Unknown model '{key}'. Known: {', '.join(known)}{others}", *faults.values()]))
    return known[key]
