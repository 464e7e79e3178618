"""The leaderboard: the worst case over what is stored, and the numbers of papers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from segviz.studies.evaluate import worst_figures
from segviz.studies.grid import AttackRow
from segviz.studies.leaderboard import PUBLISHED, RANKED, places, published_models, resampled_figures, standings_of, won_late
from segviz.studies.run import run
from segviz.studies.store import CurvePoint, Store
from segviz.studies.table import percentiles, results_at, stacked, table


def test_standings_are_the_worst_case_over_all_attacks(study, tmp_path):
    study = replace(study, attacks=(AttackRow("fgsm"), AttackRow("quick")), eps=(4.0,))
    store = Store(tmp_path)
    for _ in run(replace(study, images=replace(study.images, limit=3)), store, device=torch.device("cpu")):
        pass
    (standing,) = standings_of(study, results_at(study, store))
    (worst,) = standing.worst
    assert (worst.eps, worst.images, worst.pending, worst.attacks) == (4.0, 3, 2, ("fgsm", "quick"))
    fgsm, quick = ([result for _, result in pairs if result is not None] for pairs in results_at(study, store).values())
    counts = np.concatenate([stacked(fgsm, "adversarial")[None], stacked(quick, "members").swapaxes(0, 1)])
    assert worst.figures == worst_figures(counts)
    rows = table(study, store)
    assert worst.figures.miou <= min(row.adversarial.miou for row in rows)
    assert standing.clean == rows[0].clean


def test_models_whose_bands_overlap_have_no_order():
    assert places([(0.5, 0.7), (0.6, 0.8), (0.1, 0.2), None]) == ((1, 2), (1, 2), (3, 3), None)


def test_the_band_is_about_the_figures_of_all_images():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 50, (2, 8, 3, 3), generator=generator).numpy()
    drawn, figures = resampled_figures(counts), worst_figures(counts)
    for column, name in enumerate(RANKED):
        low, high = percentiles(drawn[:, column])
        assert low < getattr(figures, name) < high
    assert resampled_figures(counts[:, :1]) is None


def test_a_model_without_results_stands_there_empty(study, tmp_path):
    (standing,) = standings_of(study, results_at(study, Store(tmp_path)))
    assert standing.clean is None
    assert [(worst.figures, worst.pending) for worst in standing.worst] == [(None, 8), (None, 8)]


def test_published_numbers_fall_with_eps_and_the_suite_is_the_worst():
    models = published_models()
    assert len(models) == 8
    for _, _, by_eps in models:
        ordered = [by_eps[eps] for eps in sorted(by_eps)]
        assert ordered[0].eps == 0
        for smaller, larger in pairwise(ordered):
            assert larger.miou <= smaller.miou
            assert larger.accuracy <= smaller.accuracy
    suites = {(row.model, row.data, row.eps): row for row in PUBLISHED if row.attack == "SEA"}
    for row in PUBLISHED:
        if row.attack in ("JS", "MCE", "MCE-Bal"):
            suite = suites[row.model, row.data, row.eps]
            assert suite.miou <= row.miou
            assert suite.accuracy <= row.accuracy


def test_what_attacks_still_win_with_their_last_steps_is_counted():
    def looks(member: str, *wins: float) -> list[CurvePoint]:
        return [CurvePoint(10 * n, 0, won, 1 - won, 0.0, member=member) for n, won in enumerate(wins)]

    still = looks("mce", 0.1, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert won_late(still) == pytest.approx(0.1)
    assert won_late(looks("js", 0.1, 0.7, 0.7, 0.7, 0.7, 0.7)) == 0
    # Of the attacks of a suite the running worst case is on the curve.
    assert won_late([*still, *looks("js", 0.7, 0.7, 0.7, 0.7, 0.7, 0.72)]) == pytest.approx(0.12)
