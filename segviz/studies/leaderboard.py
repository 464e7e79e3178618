"""The leaderboard: models by their worst case over all attacks that are stored for a study, beside what papers report of theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from segviz.studies import worst_case
from segviz.studies.counts import accuracies, constant_miou, mious
from segviz.studies.evaluate import SetFigures, set_figures, worst_figures
from segviz.studies.grid import Study
from segviz.studies.store import CellResult, CurvePoint
from segviz.studies.table import SUITE_RESAMPLES, Band, Pairs, percentiles, resamples


@dataclass(frozen=True)
class WorstCase:
    """The worst case of one model at one eps (grey levels) over `attacks`, on the `images` that all of them were run on.

    `figures` as in `Evaluation` for a suite; None where no image is done yet. `pending` cells are still to be computed. `resampled` are
    the figures of resamples of the images, one column for each of `RANKED`, with the choice of the attacks made anew; None for fewer than
    two images. `still_won` is the share of pixels that attacks won in the last fifth of their steps, mean over images: more steps would go
    on with that.
    """

    eps: float
    figures: SetFigures | None
    images: int
    pending: int
    attacks: tuple[str, ...]
    resampled: np.ndarray | None = field(default=None, compare=False)
    still_won: float = 0.0


@dataclass(frozen=True)
class Standing:
    """One model: its `clean` figures (None before the first image) and its worst case at every eps of the study, in that order.

    `constant_miou` is the mIoU of a map of one class alone on the images of the clean figures.
    """

    model: str
    classes: tuple[str, ...]
    clean: SetFigures | None
    images: int
    worst: tuple[WorstCase, ...]
    constant_miou: float | None = None

    def band(self, figure: str) -> Band | None:
        """The 95 % band, over images, of the mean over eps of one of `RANKED`; None where any eps has none."""
        found = [worst.resampled for worst in self.worst if worst.resampled is not None]
        if not found or len(found) < len(self.worst):
            return None
        return percentiles(np.mean(found, 0)[:, RANKED.index(figure)])


RANKED = ("miou", "nmiou", "image_accuracy")
"""Fields of `SetFigures` that models are ranked by."""


def places(bands: Sequence[Band | None]) -> tuple[tuple[int, int] | None, ...]:
    """The first and the last place that each of several models may have: those whose bands overlap have no order. None without a band."""
    known = [band for band in bands if band is not None]
    return tuple(
        None if band is None else (1 + sum(low > band[1] for low, _ in known), len(known) - sum(high < band[0] for _, high in known))
        for band in bands
    )


def standings_of(study: Study, found: Pairs) -> tuple[Standing, ...]:
    """Where the models of a study stand, in its order, from its results as far as they are there.

    Attacks, numbers of steps and seeds all count as attacks, the attacks of a suite each by itself.
    """
    standings = []
    for model in study.models:
        worst = []
        clean: dict[str, CellResult] = {}
        for eps in study.eps:
            points = {point: pairs for point, pairs in found.items() if (point.settings.model, point.settings.eps) == (model, eps)}
            pending = sum(result is None for pairs in points.values() for _, result in pairs)
            images, won = [], []
            for pairs in zip(*points.values(), strict=True):
                results = [result for _, result in pairs if result is not None and not result.error]
                if len(results) == len(pairs):
                    images.append(np.concatenate([attack_counts(result) for result in results]))
                    clean[str(pairs[0][0].image.photo)] = results[0]
                    won.append(max(won_late(result.curve) for result in results))
            counts = np.stack(images, 1) if images else None
            titles = tuple(dict.fromkeys(point.row.title for point in points))
            figures, drawn = (None, None) if counts is None else (worst_figures(counts), resampled_figures(counts))
            still_won = float(np.mean(won)) if won else 0.0
            worst.append(WorstCase(eps, figures, len(images), pending, titles, drawn, still_won))
        without = np.stack([result.clean for result in clean.values()]) if clean else None
        before = None if without is None else set_figures(without)
        constant = None if without is None else constant_miou(without.sum(0))
        classes = next(iter(clean.values())).classes if clean else ()
        standings.append(Standing(model, classes, before, len(clean), tuple(worst), constant))
    return tuple(standings)


LATE = 0.2


def won_late(curve: Sequence[CurvePoint]) -> float:
    """The share of pixels that a run won in the last fifth of its steps, before rounding to 8 bits; of a suite in those of each attack,
    beyond what the attacks before had won."""
    won = 0.0
    for _, of_member in groupby(curve, key=lambda look: look.member):
        looks = list(of_member)
        first, last = looks[0].index, looks[-1]
        early = [look for look in looks if look.index <= last.index - LATE * (last.index - first) and look.stage == last.stage]
        won += max(last.success - early[-1].success, 0.0) if early else 0.0
    return won


def resampled_figures(counts: np.ndarray) -> np.ndarray | None:
    """`RANKED` of the worst case over attacks in seeded resamples of the images, (R,3), from confusion matrices (attacks,N,C,C).

    Of an image the lowest mIoU and accuracy count; None for fewer than two images.
    """
    if counts.shape[1] < 2:
        return None
    times = resamples(counts.shape[1], SUITE_RESAMPLES)
    each = [mious(counts).min(0), accuracies(counts).min(0)]
    means = [times @ lowest / counts.shape[1] for lowest in each]
    return np.stack([worst_case.resampled_miou(counts, times), *means], 1)


def attack_counts(result: CellResult) -> np.ndarray:
    """Confusion matrices (attacks,C,C) of a result: one, or those of the attacks of a suite."""
    return result.members if result.member_names else result.adversarial[None]


SEA = "Croce, Singh & Hein, ECCV 2024"
SEA_URL = "https://arxiv.org/abs/2306.12941"


@dataclass(frozen=True)
class Published:
    """Numbers from a paper, in per cent: theirs, on their data and models, not comparable with ours in absolute terms.

    `accuracy` and `miou` are clean where `attack` is empty; `eps` in grey levels, L-inf. `where` is the table of the paper.
    """

    model: str
    data: str
    attack: str
    eps: float
    accuracy: float
    miou: float
    paper: str
    url: str
    where: str


def sea_rows(where: str, model: str, data: str, attacks: str, numbers: str) -> tuple[Published, ...]:
    """Rows from text: `attacks` by comma; a line of `numbers` is an eps and accuracy/mIoU of each, or "clean" and one of them."""
    rows = []
    for line in numbers.strip().splitlines():
        first, *pairs = line.split()
        names = [""] if first == "clean" else attacks.split(",")
        eps = 0.0 if first == "clean" else float(first)
        for name, pair in zip(names, pairs, strict=True):
            accuracy, miou = map(float, pair.split("/"))
            rows.append(Published(model, data, name, eps, accuracy, miou, SEA, SEA_URL, where))
    return tuple(rows)


FIVE_AND_SEA = "CosPGD,SegPGD,JS,MCE,MCE-Bal,SEA"

PUBLISHED = (
    *sea_rows(
        "Table 1",
        "UPerNet, ConvNeXt-T, clean training",
        "VOC",
        FIVE_AND_SEA,
        """clean 93.4/77.2
        0.25 76.6/48.0 74.0/43.7 72.4/41.9 71.2/39.6 76.6/40.3 70.0/36.9
        0.5 46.9/24.0 43.0/18.6 36.7/16.3 33.2/13.0 37.9/10.1 31.1/8.6
        1 17.2/8.1 12.9/4.2 8.2/3.4 5.9/1.6 6.9/0.8 4.9/0.6""",
    ),
    *sea_rows(
        "Table 1",
        "PSPNet-50, DDC-AT",
        "VOC",
        FIVE_AND_SEA,
        """clean 92.8/76.0
        2 7.1/3.9 3.9/2.2 1.2/0.8 0.5/0.3 2.1/1.0 0.2/0.1
        4 6.5/3.5 2.6/1.6 0.3/0.1 0.2/0.1 0.5/0.0 0.1/0.0
        8 4.5/3.2 2.1/1.3 0/0 0/0 0/0 0/0""",
    ),
    *sea_rows(
        "Table 1",
        "UPerNet, ConvNeXt-T, PIR-AT",
        "VOC",
        FIVE_AND_SEA,
        """clean 92.7/75.9
        4 89.0/65.6 88.7/64.8 88.7/64.9 89.2/65.9 90.4/67.4 88.6/64.9
        8 77.8/47.3 74.2/41.4 73.9/41.3 74.0/40.6 77.4/38.4 71.7/34.6
        12 56.6/26.4 45.3/15.8 38.6/15.1 31.5/10.3 36.9/6.7 28.1/5.5""",
    ),
    *sea_rows(
        "Table 1",
        "UPerNet, ConvNeXt-T, PIR-AT",
        "ADE20K",
        FIVE_AND_SEA,
        """clean 70.5/31.7
        4 57.5/19.9 55.9/19.0 55.9/18.9 56.8/20.0 58.2/17.9 55.5/17.2
        8 37.6/9.9 28.5/7.4 28.5/7.2 28.5/6.6 31.1/5.3 26.4/4.9
        12 19.5/4.1 5.5/1.2 5.2/1.1 3.7/0.9 5.2/0.9 3.1/0.4""",
    ),
    *sea_rows(
        "Table 1",
        "Segmenter, ViT-S, PIR-AT",
        "ADE20K",
        FIVE_AND_SEA,
        """clean 69.1/28.7
        4 57.4/17.5 57.3/17.5 55.6/16.6 56.9/17.8 57.6/15.6 55.3/14.9
        8 41.7/9.7 38.5/8.6 34.2/7.7 36.2/8.5 37.8/5.6 33.3/5.4""",
    ),
    *sea_rows(
        "Table 2",
        "PSPNet-50, PIR-AT",
        "VOC",
        "SEA",
        """clean 90.6/68.9
        4 81.5/47.7
        8 50.6/11.2
        12 12.9/1.4""",
    ),
    *sea_rows(
        "Table 2",
        "UPerNet, ConvNeXt-T, AT",
        "VOC",
        "SEA",
        """clean 91.9/73.1
        4 86.7/59.0
        8 65.3/28.2
        12 22.0/4.7""",
    ),
    *sea_rows(
        "Table 2",
        "UPerNet, ConvNeXt-S, PIR-AT",
        "VOC",
        "SEA",
        """clean 93.1/76.6
        4 89.1/66.0
        8 71.0/36.4
        12 27.6/6.2""",
    ),
)
"""Under each attack alone and under SEA, the worst case over three attacks. Accuracy under SEA is a mean over images."""


def published_models(rows: Sequence[Published] = PUBLISHED) -> tuple[tuple[str, str, dict[float, Published]], ...]:
    """The published models with their data and, by eps (0: clean), their numbers under SEA: the rows to set beside ours."""
    found: dict[tuple[str, str], dict[float, Published]] = {}
    for row in rows:
        if row.attack in ("", "SEA"):
            found.setdefault((row.model, row.data), {})[row.eps] = row
    return tuple((model, data, by_eps) for (model, data), by_eps in found.items())
