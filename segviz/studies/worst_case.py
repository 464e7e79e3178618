"""The worst case over several attacks, from the confusion matrices of each: by accuracy, by image mIoU, and greedily by data-set mIoU."""

import numpy as np

from segviz.studies.counts import accuracies, hits_and_union, mious


def lowest_accuracy(counts: np.ndarray) -> np.ndarray:
    """Per image the attack under which pixel accuracy is lowest; counts (attacks,N,C,C) to indices (N,)."""
    return accuracies(counts).argmin(0)


def lowest_image_miou(counts: np.ndarray) -> np.ndarray:
    """Per image the attack under which the mIoU of that image is lowest, likewise.

    As the NmIoU is a mean over images, these choices give its exact worst case.
    """
    return mious(counts).argmin(0)


def greedy_miou(counts: np.ndarray, seed: int = 0, rounds: int = 1000) -> np.ndarray:
    """Per image the attack such that the data set's mIoU is low, likewise, by the greedy search of SEA (2306.12941).

    It starts with the attack whose mIoU is lowest; then, in rounds over the images in random order, each image takes the attack that
    makes the mIoU lowest with the others held fixed, until a round gains at most 1e-6.
    """
    hits, union = hits_and_union(counts)
    images = np.arange(counts.shape[1])
    start = int(mious(counts.sum(1)).argmin())
    choice = np.full(len(images), start)
    total_hits, total_union = hits[start].sum(0), union[start].sum(0)
    rng = np.random.default_rng(seed)
    last = miou(total_hits, total_union)
    for _ in range(rounds):
        for image in rng.permutation(images):
            candidates_hits = total_hits - hits[choice[image], image] + hits[:, image]
            candidates_union = total_union - union[choice[image], image] + union[:, image]
            values = miou(candidates_hits, candidates_union)
            best = int(values.argmin())
            if values[best] < values[choice[image]]:
                choice[image] = best
                total_hits, total_union = candidates_hits[best], candidates_union[best]
        now = miou(total_hits, total_union)
        if last - now <= 1e-6:
            break
        last = now
    return choice


def resampled_miou(counts: np.ndarray, times: np.ndarray, rounds: int = 20) -> np.ndarray:
    """The data set's mIoU (R,) of several resamples of the images, the attack chosen greedily in each of them anew.

    `counts` (attacks,N,C,C); `times` (R,N) says how often each image is in each resample. The search is that of `greedy_miou`, with the
    images in their order, all copies of an image under the same attack, until a round gains at most 1e-6 in every resample.
    """
    hits, union = hits_and_union(counts)
    both = np.stack([hits, union])
    # (hits or union, resamples, attacks, classes): every attack alone, to begin with.
    alone = np.einsum("rn,kanc->krac", times, both)
    each = np.arange(len(times))
    start = miou(*alone).argmin(1)
    total, choice = alone[:, each, start], np.repeat(start[:, None], times.shape[1], 1)
    last = miou(*total)
    for _ in range(rounds if len(counts) > 1 else 0):
        for image in range(times.shape[1]):
            moves = both[:, None, :, image] - both[:, choice[:, image], image][:, :, None]
            candidates = total[:, :, None] + times[:, image][:, None, None] * moves
            values = miou(*candidates)
            best = values.argmin(1)
            better = values[each, best] < values[each, choice[:, image]]
            choice[:, image] = np.where(better, best, choice[:, image])
            total = candidates[:, each, choice[:, image]]
        now = miou(*total)
        if (last - now).max() <= 1e-6:
            break
        last = now
    return miou(*total)


def miou(hits: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Mean over classes with a union of hits/union, (...,C) to (...)."""
    seen = union > 0
    ratio = np.divide(hits, union, out=np.zeros_like(hits), where=seen)
    return ratio.sum(-1) / np.maximum(seen.sum(-1), 1)


def chosen(counts: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """The confusion matrices (N,C,C) of the attack chosen for each image."""
    return counts[choice, np.arange(counts.shape[1])]


def wins(counts: np.ndarray) -> np.ndarray:
    """Share of images on which each attack has the lowest accuracy, (attacks,) in [0,1], summing to 1; ties are shared."""
    accuracy = accuracies(counts)
    lowest = accuracy == accuracy.min(0)
    return (lowest / lowest.sum(0)).mean(1)
