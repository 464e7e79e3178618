"""What the tests of a study's charts share: made-up rows of a table."""

from segviz.settings import Settings
from segviz.studies.evaluate import SetFigures
from segviz.studies.grid import AttackRow, GridPoint
from segviz.studies.table import Row

CLASSES = ("background", "cat")


def figures(miou: float) -> SetFigures:
    return SetFigures(miou, miou / 2, miou + 0.1, miou + 0.1, (miou, None))


def row(attack: str | AttackRow, eps: float, miou: float, *, model="voc7-lraspp", steps=20, seed=0, images=6, gradients=None) -> Row:
    attack_row = AttackRow(attack) if isinstance(attack, str) else attack
    settings = Settings(model=model, image="", attack=attack_row.attack, eps=eps, steps=steps, seed=seed)
    return Row(
        point=GridPoint(settings, attack_row),
        images=images,
        pending=0,
        errors=(),
        classes=CLASSES,
        clean=figures(0.8),
        adversarial=figures(miou),
        band=(miou - 0.05, miou + 0.05),
        ratio_band=(miou / 0.8 - 0.05, miou / 0.8 + 0.05),
        iou_ratio=miou / 0.8,
        gradient_evaluations=steps if gradients is None else gradients,
    )
