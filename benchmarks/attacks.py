"""Time per step of the attack loop over the bare forward plus backward of the same model, measured side by side.

`python -m benchmarks.attacks`: a step of the loop and a bare pass in turn; prints the median of the ratios, which a noisy machine disturbs
less than seconds. Suites are left out, being made of the others. "step" is the loop between two Steps; "whole run" spreads the clean look,
the last look and the one at the 8-bit result over the steps.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

from segviz.attacks.catalog import build_attack, cost_of
from segviz.attacks.rows import ATTACKS
from segviz.defences.load import load_model
from segviz.models.load import default_device
from segviz.models.segmenter import Segmenter
from segviz.settings import Settings
from segviz.types import Goal


def clock(device: torch.device) -> float:
    """Seconds, after everything queued on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def bare(model: Segmenter, x: torch.Tensor, labels: torch.Tensor) -> float:
    """Seconds of one forward plus backward pass with cross-entropy."""
    start = clock(x.device)
    free = x.detach().requires_grad_()
    torch.autograd.grad(F.cross_entropy(model(free), labels), free)
    return clock(x.device) - start


def side_by_side(model: Segmenter, x: torch.Tensor, labels: torch.Tensor, key: str, steps: int) -> tuple[float, float]:
    """Ratios of one loop step and of a whole run, per step, to the bare pass; every Step is followed by a bare pass."""
    looped, alone = [], []
    attacked = build_attack(Settings(attack=key, steps=steps), *x.shape[2:]).run(model, x, Goal(labels))
    start = clock(x.device)
    for _ in attacked:
        looped.append(clock(x.device) - start)
        alone.append(bare(model, x, labels))
        start = clock(x.device)
    unit = statistics.median(alone)
    # Left out: the clean look, the random start with the first step, the last look (no gradient) and the 8-bit result.
    return statistics.median(looped[2:-2]) / unit, sum(looped) / steps / unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    measurable = [key for key, entry in ATTACKS.items() if not entry.one_step and entry.family != "suite"]
    parser.add_argument("--attacks", nargs="+", choices=measurable, default=measurable, metavar="KEY")
    options = parser.parse_args()
    device = default_device()
    model = load_model("voc7-lraspp", device)
    print(f"{device}, {options.side} px, {options.steps} steps, medians of {options.rounds} rounds, over bare forward + backward")
    for batch in options.batch:
        levels = torch.randint(0, 256, (batch, 3, options.side, options.side), generator=torch.Generator().manual_seed(0))
        x = (levels / 255).to(device).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            labels = model(x).argmax(1)
        for key in options.attacks:
            side_by_side(model, x, labels, key, 4)
            rounds = [side_by_side(model, x, labels, key, options.steps) for _ in range(options.rounds)]
            step, whole = (statistics.median(ratios) for ratios in zip(*rounds, strict=True))
            cost = cost_of(Settings(attack=key))
            per_step = f"  ({cost} gradient evaluations per step)" if cost > 1 else ""
            print(f"batch {batch}  {key:12} step {step:.3f}  whole run {whole:.3f}{per_step}", flush=True)


if __name__ == "__main__":
    main()
