"""Figures of the papers as studies: what to run, what to look at, and what the paper found."""

from dataclasses import dataclass, replace

from segviz.settings import Settings
from segviz.studies.grid import AttackRow, Images, Study

ALL = Images()
THREE = Images(names=("chelsea", "dog", "person"))


@dataclass(frozen=True)
class PaperFigure:
    """One figure: its `study`, and of that what is to be drawn: `axis`, `eps` and `quantity`.

    `look` says what to look at, `found` what the paper found, `page` is another page that shows more of it, if there is one.
    """

    key: str
    title: str
    study: Study
    look: str
    found: str
    paper: str
    url: str
    axis: str = "ε"
    eps: float = 1.0
    quantity: str = "mIoU"
    page: str = ""
    page_title: str = ""


SEA = "Croce, Singh & Hein, ECCV 2024"
SEA_URL = "https://arxiv.org/abs/2306.12941"
ARNAB = "Arnab, Miksik & Torr, CVPR 2018"
ARNAB_URL = "https://arxiv.org/abs/1711.09856"


def grid(
    models: str, attacks: tuple[AttackRow, ...], eps: tuple[float, ...], steps: tuple[int, ...] = (20,), images: Images = ALL
) -> Study:
    """A study of the page."""
    return Study("page", tuple(models.split()), attacks, eps, steps, images=images)


THROUGH = AttackRow("ifgsm", steps=10)
CRF = grid("voc7-lraspp+crf", (THROUGH, replace(THROUGH, source="voc7-lraspp")), (1.0, 2.0, 4.0), images=THREE)
"""Of few pictures: a gradient through the CRF takes seconds."""
UNAWARE = AttackRow("pgd", steps=20, source="voc7-lraspp")
NOISY = grid(
    "voc7-lraspp+random-noise", (UNAWARE, AttackRow("pgd", steps=20, transforms=("eot-noise",), source="voc7-lraspp")), (1.0, 2.0, 4.0, 8.0)
)

FIGURES = (
    PaperFigure(
        "weak",
        "Weak attacks flatter a model",
        grid(
            "voc7-lraspp",
            (AttackRow("fgsm"), AttackRow("pgd", steps=3), AttackRow("pgd", steps=20), AttackRow("sea", steps=20)),
            (1.0, 2.0, 4.0, 8.0),
        ),
        "The same model, four attacks: the stronger the attack, the lower its curve. Only the lowest curve says anything about the model.",
        "UPerNet with ConvNeXt-T (PIR-AT, VOC) at ε = 12/255: mIoU 26.4 % under CosPGD, 15.8 % under SegPGD, 5.5 % under SEA; a "
        "PSPNet-50 trained with DDC-AT (clean 76.0 %) keeps 3.9 % at 2/255 under CosPGD, 0.1 % under SEA (Table 1, 300 steps each).",
        SEA,
        SEA_URL,
    ),
    PaperFigure(
        "iterations",
        "Iterations matter",
        grid("voc7-lraspp", (AttackRow("pgd"), AttackRow("apgd-js")), (1.0,), (1, 2, 5, 10, 20, 50, 100, 300), THREE),
        "How long the curve goes on falling: a robust accuracy after a few steps is an upper bound, not a measurement. PGD levels off "
        "early, with its fixed step; APGD, which shortens its step, goes on to almost nothing.",
        "Their abstract calls many iterations essential. For SEA, 500 steps instead of 300 lower the figures by only about 0.1 points "
        "(Croce, Singh & Hein).",
        "Halmosi & Jelasity, 2023",
        "https://arxiv.org/abs/2306.14217",
        axis="iterations",
    ),
    PaperFigure(
        "transfer",
        "FGSM and iterative, on another network",
        grid(
            "voc7-lraspp voc7-fcn8s",
            tuple(AttackRow(attack, steps=steps, source="voc7-lraspp") for attack, steps in (("fgsm", None), ("ifgsm-ll", 10))),
            (1.0, 2.0, 4.0, 8.0, 16.0),
        ),
        "Both attacks are made on LR-ASPP and seen by FCN-8s. At ε = 8/255 one step leaves LR-ASPP 60 % of its mIoU and FCN-8s 74 %; ten "
        "small steps leave 6 % and 50 %. The iterative attack loses more on the way, and here it is still the stronger: the "
        "two networks have the same encoder, trained alike from the same ImageNet weights.",
        "VOC, ε = 8/255, IoU ratio, pictures made on DeepLab v2 (ResNet, 100 %): itself 37.7 % under FGSM and 15.5 % under iterative "
        "FGSM to the least likely class; FCN-8s (VGG) 65.8 % and 84.9 % (Table 1).",
        ARNAB,
        ARNAB_URL,
        quantity="IoU ratio",
        page="transfer.py",
        page_title="The transfer page",
    ),
    PaperFigure(
        "crf",
        "Gradient masking by a CRF",
        replace(CRF, base=Settings(against="prediction")),
        "The same attack, once through the CRF (white box), once made on the network without it and then shown to the network with it. "
        "Where the second curve lies lower, the CRF has not made the model robust: it has hidden the gradient.",
        "A mean-field CRF makes untargeted white-box attacks weaker, as its output is over-confident; the same attacks made on the "
        "network without the CRF are stronger, and against targeted attacks it is of no benefit (Figures 9 and 10).",
        ARNAB,
        ARNAB_URL,
    ),
    PaperFigure(
        "eot",
        "Random transforms do not help against EOT",
        NOISY,
        "The model adds random noise to the picture. Noise stops a naive attack; averaging the gradient over noise (expectation over "
        "transformation) beats it.",
        "Examples of iterative FGSM lose effect under randomised transforms; with the gradient averaged over the transforms the "
        "benefit is gone completely (Figures 6 and 7).",
        ARNAB,
        ARNAB_URL,
        page="defences.py",
        page_title="The defences page",
    ),
)
