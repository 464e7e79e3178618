"""Numbers in texts are those of the file that they were measured into."""

import json
import re

import pytest

from segviz.places import ASSETS, HOME
from segviz.studies.twins import KEPT, Measured, read

PAGE = (HOME / "docs" / "models.md").read_text()


def measured(model: str, attack: str, eps: float, images: int = 100) -> Measured:
    (found,) = [one for one in read(KEPT) if (one.model, one.attack, one.eps, one.images) == (model, attack, eps, images)]
    return found


def rows(images: int) -> dict[str, list[str]]:
    """The cells of the table of robust twins over so many pairs, by model."""
    part = PAGE.partition("## Robust twins")[2].partition("## ")[0]
    first, second = part.split("PGD over all 445 pairs")
    lines = (first if images == 100 else second).splitlines()
    found = [re.split(r" *\| *", line.strip("| ")) for line in lines if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in found}


@pytest.mark.parametrize("images", [100, 445])
def test_the_table_of_robust_twins(images):
    table = rows(images)
    assert len(table) >= 4
    for model, (clean, *cells) in table.items():
        for attack, cell in zip(("PGD-3", "PGD-20", "SEA"), cells, strict=False):
            found = [measured(model, attack, eps, images) for eps in (2.0, 4.0, 8.0)]
            assert cell == " / ".join(f"{100 * one.miou:.1f}" for one in found)
            assert clean == f"{100 * found[0].clean_miou:.1f}"


def test_the_price_of_robustness():
    clean, robust = (measured(model, "PGD-20", 4.0).clean_miou for model in ("voc7-lraspp", "voc7-lraspp-pgd"))
    family = float(re.findall(r"\| `voc7-lraspp` \| 3.2 M \| ([\d.]+)", PAGE)[0])
    all_of_them = family - 100 * measured("voc7-lraspp-pgd", "PGD-20", 4.0, 445).clean_miou
    for text in (PAGE, (ASSETS / "models" / "voc7-lraspp-pgd.md").read_text()):
        assert f"{100 * (clean - robust):.0f} points of clean mIoU on these 100 pairs" in text
        assert f"{all_of_them:.1f} on all 445" in text
    for twin in ("segpgd", "eroseg"):
        price = clean - measured(f"voc7-lraspp-{twin}", "PGD-20", 4.0).clean_miou
        assert f"it loses {100 * price:.0f} points of clean mIoU" in (ASSETS / "models" / f"voc7-lraspp-{twin}.md").read_text()


def test_the_card_of_the_denoiser_has_the_same_network_without_it():
    alone = measured("voc7-lraspp", "PGD-20", 4.0)
    row = f"| without the denoiser | {100 * alone.clean_miou:.1f} | {100 * alone.miou:.1f} |"
    assert row in (ASSETS / "models" / "denoiser.md").read_text()


def test_what_the_denoiser_leaves():
    beside, behind = json.loads((HOME / "benchmarks" / "denoiser.json").read_text())["rows"]
    assert behind["defence"] == "denoiser"
    clean, naive, adaptive = (f"{100 * behind[figure]:.1f}" for figure in ("clean", "naive", "adaptive"))
    card = (ASSETS / "models" / "denoiser.md").read_text()
    assert f"| with the denoiser | {clean} | {naive} | {adaptive} |" in card
    assert f"it came out as {100 * beside['clean']:.1f} and {100 * beside['naive']:.1f}" in card
