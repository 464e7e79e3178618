"""What a study of transfer shows, in words."""

import streamlit as st

from segviz.data.samples import samples
from segviz.models.keys import split_key
from segviz.models.zoo import MODELS, catalogue
from segviz.studies.transfer import Plan, Transfer

ARNAB = "[Arnab, Miksik & Torr, CVPR 2018](https://arxiv.org/abs/1711.09856)"
READING = {
    "picture": "The adversarial picture of each source, as every victim sees it.",
    "matrix": "Read a column downwards: how much of its mIoU each victim keeps on the pictures made on one source.",
    "scales": f"Table 1 of {ARNAB}: pictures made at one scale of a network, seen by the same network at others.",
    "transforms": "[Gu, Zhao, Tresp & Torr, 2021](https://arxiv.org/abs/2111.11368) say that scale is what limits transfer between "
    "segmentation networks, and attack the picture at random sizes (dynamic scaling; details are ours). All columns cost the same.",
    "curves": "Does the attack over-fit: do victims recover while the source still falls? "
    "[Gu et al., 2021](https://arxiv.org/abs/2111.11368) say not always.",
}
FAMILY = (
    "The bundled networks except ENet are one encoder with different decoders, trained from the same ImageNet weights; the adversarially "
    "trained ones were trained on from `voc7-lraspp`. Attacks transfer more easily between such relatives than between strangers."
)


def study_in_words(study: Transfer) -> str:
    """One sentence or two that tell what is on screen."""
    plan, first = study.plan, study.plan.runs[0].settings
    groups = " and ".join(dict.fromkeys(run.group.split(" + ")[0] for run in plan.runs))
    sources = len(dict.fromkeys(run.settings.model for run in plan.runs))
    over = photos_in_words(study)
    unit = "" if first.norm == "linf" else " (root mean square)"
    who = f"on {count(sources, 'source')}, seen by {count(len(plan.victims), 'victim')}"
    text = f"**{groups}** at ε = {first.eps:g}/255{unit} {who}, over {over}."
    if study.stopped_after is not None:
        text += f" Stopped: the last attack took {count(study.stopped_after, 'iteration')}."
    elif study.ended and study.spent < study.budget:
        text += " Stopped before all were done."
    return text


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def photos_in_words(study: Transfer) -> str:
    """What the figures are over."""
    if study.total == 1:
        image = study.plan.runs[0].settings.image
        return f"one picture ({samples()[image].title})" if image in samples() else "one picture"
    return f"{study.pictures} of {study.total} pictures" if study.pictures < study.total else f"{study.total} pictures"


def miou_name(study: Transfer) -> str:
    """What the mIoU of the study is called: that of one image never shares its name with that of several."""
    return "mIoU of this image" if study.pictures <= 1 else f"mIoU over {study.pictures} pictures"


def transfer_basis(study: Transfer) -> str:
    """What the figures are measured on and against."""
    against = "each victim's **own clean prediction**, for want of a label map" if study.own_prediction else "the label map"
    one = "of this image" if study.pictures <= 1 else "over all pictures together"
    return (
        f"IoU ratio ({ARNAB}): adversarial over clean mIoU of the victim, {one}; both against {against}. The adversarial pictures are "
        "rounded to 8 bits, at the working size of their source; every victim gets that very picture."
    )


def shares_the_encoder(key: str) -> bool:
    """Whether a network is one of the bundled ones around the same encoder, with our weights or with uploaded ones."""
    entry = catalogue().get(key)
    network = "" if entry is None else entry.network_of or entry.key
    return network in MODELS and network.startswith("voc7-") and network != "voc7-enet"


def show_family_note(plan: Plan) -> None:
    """Warns where sources and victims are relatives."""
    bases = {split_key(key)[0] for key in [*(run.settings.model for run in plan.runs), *plan.victims]}
    if sum(map(shares_the_encoder, bases)) > 1:
        st.caption(f":material/family_restroom: {FAMILY}")
