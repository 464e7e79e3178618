"""What presets claim is what was measured."""

import re
from pathlib import Path

from segviz.places import ASSETS
from segviz.studies.first_transfer import load
from segviz.ui.curves.presets import FIGURES
from segviz.ui.defences.presets import PRESETS as TRIALS
from segviz.ui.transfer.controls import PRESETS

ROOT = Path(__file__).parents[2]


def kept(view: str, run: int, victim: str) -> str:
    """The share of its mIoU that a victim keeps in a study that ships, as text."""
    study = load()[view]
    return f"{study.cell(run, study.plan.victims.index(victim)).iou_ratio:.0%}".replace("%", " %")


def test_fgsm_and_the_iterative_attack_on_another_network():
    runs = {(run.group, run.settings.model): number for number, run in enumerate(load()["matrix"].plan.runs)}
    fgsm, iterative = runs["FGSM", "voc7-lraspp"], runs["I-FGSM least-likely", "voc7-lraspp"]
    source, victim = ([kept("matrix", run, model) for run in (fgsm, iterative)] for model in ("voc7-lraspp", "voc7-fcn8s"))
    (figure,) = [figure for figure in FIGURES if figure.key == "transfer"]
    assert f"leaves LR-ASPP {source[0]} of its mIoU and FCN-8s {victim[0]}" in figure.look
    assert f"leave {source[1]} and {victim[1]}" in figure.look
    told, _ = PRESETS["FGSM against iterative"]
    assert f"FGSM leaves {source[0]} of the source's mIoU and {victim[0]} of the victim's" in told
    assert f"the iterative attack {source[1]} and {victim[1]}." in told


def test_dynamic_scaling_on_a_relative():
    runs = {run.name: number for number, run in enumerate(load()["transforms"].plan.runs)}
    told, _ = PRESETS["Dynamic scaling helps?"]
    assert f"Plain PGD leaves {kept('transforms', runs['plain'], 'voc7-fcn8s')} of its mIoU" in told
    assert f"dynamic scaling {kept('transforms', runs['scale'], 'voc7-fcn8s')}." in told


def test_the_denoiser_is_said_to_do_what_its_card_says():
    card = (ASSETS / "models" / "denoiser.md").read_text()
    clean, naive, adaptive = re.findall(r"\d+\.\d", card.partition("| with the denoiser |")[2])[:3]
    (preset,) = [preset for preset in TRIALS if preset.values["defence"] == "denoiser"]
    assert f"mIoU is {naive} % where it does not and {adaptive} % where it does ({clean} % without an attack)" in preset.text
    page = (ROOT / "docs" / "app.md").read_text().replace("\n", " ")
    assert f"leaves {naive} % of {clean} % mIoU; one that knows of it leaves {adaptive} %" in page
