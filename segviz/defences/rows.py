"""The table of defences at test time, one row each. What computes is imported where a defence is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segviz.deferred import deferred

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.attacks.transforms import View
    from segviz.defences import denoiser, filters, jpeg, views, wrappers
    from segviz.models import crf
    from segviz.models import wrappers as model_wrappers
    from segviz.models.wrappers import Wrapper
else:
    modules = ("denoiser", "filters", "jpeg", "views", "wrappers")
    denoiser, filters, jpeg, views, wrappers = (deferred(f"segviz.defences.{module}") for module in modules)
    crf, model_wrappers = deferred("segviz.models.crf"), deferred("segviz.models.wrappers")

EXACT, STAND_IN, EOT = "exact", "stand-in", "fresh draws"


@dataclass(frozen=True)
class Parameter:
    """A number of a defence: its `default`, whose type is the parameter's, and the smallest, largest value and step of a control."""

    title: str
    default: float
    low: float
    high: float
    step: float


@dataclass(frozen=True)
class DefenceEntry:
    """One named defence: `build` puts it around a network, with a value for each of `parameters` in order.

    `passes` are those through the network that one look of an attack takes, with these values. `gradient` says what an attack that knows
    the defence goes through: the "exact" gradient, that of a "stand-in" where the real thing has none, or "fresh draws" of its randomness.
    `ours` says which part is not from the paper.
    """

    key: str
    title: str
    summary: str
    paper: str
    url: str
    build: Callable[..., Wrapper]
    parameters: tuple[Parameter, ...] = ()
    passes: Callable[..., int] = lambda *values: 1
    gradient: str = EXACT
    ours: str = ""

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return self.gradient == EOT


def filtered(picture_filter: Callable[..., Tensor]) -> Callable[..., Wrapper]:
    """Builder for a filter with values for its parameters after the picture."""
    return lambda model, *values: wrappers.Filtered(model, lambda x: picture_filter(x, *values))


def randomised(view_of: Callable[[float], View]) -> Callable[..., Wrapper]:
    """Builder for random views of a strength, with the number of samples."""
    return lambda model, strength, samples: wrappers.RandomViews(model, view_of(strength), samples)


SAMPLES = Parameter("Views", 4, 1, 16, 1)
ARNAB = "Arnab, Miksik & Torr, On the Robustness of Semantic Segmentation Models to Adversarial Attacks, CVPR 2018"
ARNAB_URL = "https://arxiv.org/abs/1711.09856"
GUO = "Guo, Rana, Cissé & van der Maaten, Countering Adversarial Images Using Input Transformations, ICLR 2018"
GUO_URL = "https://arxiv.org/abs/1711.00117"
SQUEEZING = "Xu, Evans & Qi, Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks, NDSS 2018"
SQUEEZING_URL = "https://arxiv.org/abs/1704.01155"
RANDOM_OURS = "Arnab et al. do not list their transforms; kind, strength and averaging are our choice."

ROWS = (
    DefenceEntry(
        key="scales-flip",
        title="Scales and flip",
        summary="Averages the softmax of the picture at 50, 75, 100 and 125 % of its size and of the mirror images: an attack made at one"
        " scale transfers badly to the others.",
        paper=ARNAB,
        url=ARNAB_URL,
        build=lambda model: wrappers.ScalesAndFlip(model),
        passes=lambda: 8,
        ours="The paper looks at networks with several scales built in; these scales and the flip are our choice.",
    ),
    *(
        DefenceEntry(
            key=key,
            title=title,
            summary=f"The mean softmax over random views of the picture: {what}.",
            paper=ARNAB,
            url=ARNAB_URL,
            build=randomised(view_of),
            parameters=(strength, SAMPLES),
            passes=lambda strength, samples: samples,
            gradient=EOT,
            ours=RANDOM_OURS,
        )
        for key, title, what, view_of, strength in (
            (
                "random-resize",
                "Random resize",
                "another size each",
                lambda strength: views.resized_at_random(strength),
                Parameter("Largest change of the size", 0.4, 0.0, 0.8, 0.05),
            ),
            (
                "random-crop",
                "Random crop",
                "another crop each, at the four corners in turn",
                lambda strength: views.cropped_at_random(strength),
                Parameter("Largest part cut off each side", 0.4, 0.0, 0.5, 0.05),
            ),
            (
                "random-rotation",
                "Random rotation",
                "turned by another angle each",
                lambda strength: views.rotated_at_random(strength),
                Parameter("Largest angle, in degrees", 15.0, 0.0, 45.0, 1.0),
            ),
            (
                "random-noise",
                "Random noise",
                "Gaussian noise on each",
                lambda strength: views.noisy_at_random(strength),
                Parameter("Standard deviation, in grey levels", 8.0, 0.0, 64.0, 1.0),
            ),
            (
                "random-jpeg",
                "Random JPEG",
                "JPEG at another quality each",
                lambda strength: views.jpeg_at_random(strength),
                Parameter("100 minus the lowest quality", 80.0, 0.0, 95.0, 5.0),
            ),
            (
                "random-blur",
                "Random blur",
                "blurred by another width each",
                lambda strength: views.blurred_at_random(strength),
                Parameter("Largest standard deviation, in pixels", 2.0, 0.0, 5.0, 0.25),
            ),
            (
                "random-colour",
                "Random colours",
                "another brightness, contrast and saturation each",
                lambda strength: views.recoloured_at_random(strength),
                Parameter("Largest change of each factor", 0.4, 0.0, 0.9, 0.05),
            ),
        )
    ),
    DefenceEntry(
        key="jpeg",
        title="JPEG",
        summary="Compresses the picture: small high-frequency changes are rounded away.",
        paper=GUO,
        url=GUO_URL,
        build=filtered(lambda x, value: jpeg.jpeg(x, value)),
        parameters=(Parameter("Quality", 50, 5, 100, 5),),
        gradient=STAND_IN,
        ours="The attack that knows goes through a smooth JPEG of our own, with the rounding of Shin & Song (2017).",
    ),
    DefenceEntry(
        key="median",
        title="Median filter",
        summary="Every value becomes the median of its neighbourhood.",
        paper=SQUEEZING,
        url=SQUEEZING_URL,
        build=filtered(lambda x, value: filters.median(x, value)),
        parameters=(Parameter("Size, in pixels", 3, 1, 9, 2),),
    ),
    DefenceEntry(
        key="bits",
        title="Bit depth",
        summary="Rounds every value to few levels. The gradient of that is zero, which stops an attack that does not know; one that does"
        " takes the identity's.",
        paper=SQUEEZING,
        url=SQUEEZING_URL,
        build=filtered(lambda x, value: filters.fewer_bits(x, value)),
        parameters=(Parameter("Bits", 3, 1, 8, 1),),
        gradient=STAND_IN,
    ),
    DefenceEntry(
        key="tv",
        title="Total variation",
        summary="Denoises the picture so that its total variation is small: flat regions and sharp edges.",
        paper=GUO,
        url=GUO_URL,
        build=filtered(lambda x, value: filters.total_variation(x, value)),
        parameters=(Parameter("Weight", 0.04, 0.0, 0.5, 0.02),),
        ours="Guo et al. drop pixels at random before; here it is the plain model of Rudin, Osher & Fatemi.",
    ),
    DefenceEntry(
        key="nlm",
        title="Non-local means",
        summary="Every pixel becomes the mean of those around it whose neighbourhoods look alike.",
        paper="Buades, Coll & Morel, A Non-Local Algorithm for Image Denoising, CVPR 2005",
        url="https://doi.org/10.1109/CVPR.2005.38",
        build=filtered(lambda x, value: filters.non_local_means(x, value)),
        parameters=(Parameter("Strength, in grey levels", 10.0, 0.0, 40.0, 1.0),),
        ours="The search window of 7 x 7 pixels is smaller than the paper's.",
    ),
    DefenceEntry(
        key="denoiser",
        title="Reconstruction by a denoiser",
        summary="A small network, trained on clean and attacked pictures of the bundled model voc7-lraspp, takes the noise out.",
        paper="Liao et al., Defense against Adversarial Attacks Using High-Level Representation Guided Denoiser, CVPR 2018",
        url="https://arxiv.org/abs/1712.02976",
        build=lambda model: wrappers.Filtered(model, denoiser.bundled_denoiser().to(model.mean.device)),
        ours="Their network is far larger and guards a classifier.",
    ),
    DefenceEntry(
        key="crf",
        title="Mean-field CRF",
        summary="Smooths the map along the picture's edges. Its scores are so sure that an untargeted attack's gradient fades.",
        paper=ARNAB,
        url=ARNAB_URL,
        build=lambda model, iterations: model_wrappers.DenseCRF(model, crf.MeanField(iterations)),
        parameters=(Parameter("Iterations", 5, 0, 10, 1),),
        ours="The CRF's parameters are ours, not learnt.",
    ),
)

DEFENCES = {entry.key: entry for entry in ROWS}
