"""Settings of papers: each names the paper whose they are, and can be run."""

import pytest

from segviz.attacks.catalog import check_settings, published
from segviz.attacks.rows import ATTACKS
from segviz.settings import Settings
from segviz.types import UserError

OWN = [(key, paper) for key, row in ATTACKS.items() for paper in row.published]


@pytest.mark.parametrize(("key", "paper"), OWN)
@pytest.mark.parametrize("eps", [1, 8])
def test_settings_of_every_paper_can_be_run(key, paper, eps):
    check_settings(published(Settings(attack=key, eps=eps), paper))


def test_the_smallest_perturbation_is_clipped_by_halmosi_alone():
    assert published(Settings(attack="dag", eps=8), "Xie et al., 2017").alpha == 0.5
    assert not published(Settings(attack="dag", eps=8), "Xie et al., 2017").clip
    found = published(Settings(attack="almaprox", eps=8, clip=False), "Halmosi et al., 2024")
    assert (found.alpha, found.steps, found.clip) == (0.0255, 500, True)
    assert published(Settings(attack="almaprox"), "Rony et al., 2023").alpha == pytest.approx(1e-3 * 255)


def test_cospgd_has_the_sigmoid_of_sea_and_the_softmax_of_its_authors():
    sea, own = ATTACKS["cospgd"].published
    assert published(Settings(attack="cospgd", eps=8), sea).variant == "sigmoid"
    assert published(Settings(attack="cospgd", eps=8), own) == Settings(attack="cospgd", eps=8, steps=100, alpha=2.55, variant="softmax")


def test_an_unknown_paper_is_told_those_that_are_known():
    with pytest.raises(UserError, match="Known: SEA"):
        published(Settings(attack="segpgd"), "Madry et al.")
