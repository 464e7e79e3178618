"""The recipe behind the bundled weights: fine-tuning from ImageNet, resumable after any epoch."""

import copy
import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from segviz.data.datasets import Pairs, labelled_pairs
from segviz.models.encoder import EfficientNetLite0
from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import MultiScale
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies.evaluate import evaluate
from segviz.training.adversarial import N_FGSM, adversarial_batch, n_fgsm_batch
from segviz.training.augment import TrainingPairs
from segviz.types import VOID


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run.

    The encoder's stem and its first `frozen` blocks (of 16) stay as they are, batch statistics included; with 0 all is trained. Photos are
    scaled by `min_scale` to `max_scale` before they are cropped, their colours changed by up to the share `jitter`. `dropout` is the
    probability of the network's dropout layers.
    With an attack as `adversarial`, the first `fraction` of each batch is attacked, in the ball of radius `eps` (grey levels) with
    `attack_steps` steps of `alpha` grey levels (0: of the attack's own size); over the first `ramp` of the run the radius grows from
    nothing. "n-fgsm" has a step and a ball of its own. `noise` is the standard deviation, on the [0,1] scale, of Gaussian noise on every
    crop, which is not clipped (Cohen et al., 1902.02918). `watch` pictures, spread over the validation set, are evaluated after each
    epoch, brought to `watch_scale` times their sides, clean and after `watch_steps` steps of the attack (PGD for "n-fgsm") with radius
    `watch_eps` (0: `eps`).
    """

    epochs: int = 14
    crop: int = 224
    min_scale: float = 0.6
    max_scale: float = 2.0
    jitter: float = 0.4
    dropout: float = 0.1
    batch: int = 16
    lr_encoder: float = 4e-4
    lr_head: float = 1.5e-3
    weight_decay: float = 0.02
    ema: float = 0.998
    bn_momentum: float = 0.01
    seed: int = 0
    frozen: int = 0
    adversarial: str = ""
    fraction: float = 1.0
    eps: float = 4.0
    attack_steps: int = 3
    alpha: float = 0.0
    ramp: float = 0.0
    noise: float = 0.0
    watch: int = 0
    watch_steps: int = 10
    watch_scale: float = 1.0
    watch_eps: float = 0.0


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus the soft Jaccard distance over the batch, averaged over the classes that occur in it."""
    cross_entropy = F.cross_entropy(logits, labels, ignore_index=VOID)
    valid = (labels != VOID).unsqueeze(1)
    truth = F.one_hot(torch.where(labels == VOID, 0, labels), logits.shape[1]).movedim(-1, 1) * valid
    probability = logits.softmax(1) * valid
    intersection = (probability * truth).sum((0, 2, 3))
    union = (probability + truth).sum((0, 2, 3)) - intersection
    present = truth.sum((0, 2, 3)) > 0
    jaccard = 1 - (intersection / union.clamp(min=1))[present].mean()
    return cross_entropy + 0.5 * jaccard


def learning_rate_factor(step: int, total: int) -> float:
    """Linear warm-up over the first 3 % of the steps, then a cosine to zero."""
    warm_up = max(int(0.03 * total), 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))


def train(model: Segmenter, folder: Path, out: Path, recipe: Recipe, device: torch.device, stop_after: int | None = None) -> Segmenter:
    """Train on `folder` (images/ and labels/), save the state to `out` after every epoch, and return the averaged model.

    `recipe.watch` needs a folder `val` beside `folder`. With `stop_after`, only that many epochs of the schedule are done. A later call
    with the same `out` goes on after the last finished epoch. Writes `recipe.json`, `log.jsonl` and `state.pt`, and of the epoch whose
    watched pictures came out best (under attack, if there is one) the averaged weights as `best.safetensors`.
    Raises ValueError where `out` holds a run of another recipe; a setting that its file does not name yet is at its default.
    """
    # Long: all that a run is made of is saved and read again here.
    out.mkdir(parents=True, exist_ok=True)
    recipe_file, state_file = out / "recipe.json", out / "state.pt"
    if recipe_file.exists() and Recipe(**json.loads(recipe_file.read_text())) != recipe:
        raise ValueError(f"{out} holds a run of another recipe; choose another folder or remove it.")
    recipe_file.write_text(json.dumps(asdict(recipe), indent=2) + "\n")

    torch.manual_seed(recipe.seed)
    watched_pairs = spread(labelled_pairs(folder.parent / "val"), recipe.watch) if recipe.watch else []
    data = TrainingPairs(folder, model.label_set, recipe.crop, recipe.seed, (recipe.min_scale, recipe.max_scale), recipe.jitter)
    steps_per_epoch = len(data) // recipe.batch
    total = recipe.epochs * steps_per_epoch
    model.to(device).to(memory_format=torch.channels_last)
    frozen = frozen_part(model.encoder, recipe.frozen).requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = recipe.bn_momentum
        elif isinstance(part, (nn.Dropout, nn.Dropout2d)):
            part.p = recipe.dropout
    average = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(
        [
            {"params": model.encoder.parameters(), "lr": recipe.lr_encoder},
            {"params": model.head.parameters(), "lr": recipe.lr_head},
        ],
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, total))
    parts: dict[str, Any] = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    first_epoch = 0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first_epoch = state["epoch"]

    for epoch in range(first_epoch, min(recipe.epochs, stop_after or recipe.epochs)):
        data.epoch = epoch
        order = torch.Generator().manual_seed(recipe.seed * 1000 + epoch)
        loader = DataLoader(data, recipe.batch, shuffle=True, drop_last=True, generator=order)
        torch.manual_seed(recipe.seed * 1000 + epoch)
        mean_loss = 0.0
        progress = tqdm(loader, desc=f"epoch {epoch + 1}/{recipe.epochs}")
        for step, (x, labels) in enumerate(progress):
            x, labels = x.to(device, memory_format=torch.channels_last), labels.to(device)
            if recipe.adversarial:
                x = attacked(model, x, labels, recipe, epoch * steps_per_epoch + step, total)
            if recipe.noise:
                x = x + recipe.noise * torch.randn_like(x)
            model.train()
            frozen.eval()
            loss = segmentation_loss(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            update_average(average, model, min(recipe.ema, 1 - 1 / (epoch * steps_per_epoch + step + 2)))
            mean_loss += loss.item() / steps_per_epoch
            progress.set_postfix(loss=f"{loss.item():.3f}")
        line: dict[str, float] = {"epoch": epoch + 1, "loss": round(mean_loss, 4)}
        if watched_pairs:
            line |= watch(average, watched_pairs, recipe)
            if figure(line) > max(map(figure, logged(out)), default=0.0):
                save_halves(average, out / "best.safetensors")
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        state = {name: part.state_dict() for name, part in parts.items()} | {"epoch": epoch + 1}
        torch.save(state, out / "state.pt.part")
        os.replace(out / "state.pt.part", state_file)
    return average


def attacked(model: Segmenter, x: Tensor, labels: Tensor, recipe: Recipe, step: int, total: int) -> Tensor:
    """The batch as the recipe's attack leaves it at one of its `total` steps; the step is the seed too."""
    eps = radius(recipe, step, total)
    if recipe.adversarial == N_FGSM:
        return n_fgsm_batch(model, x, labels, eps, step, recipe.fraction)
    return adversarial_batch(model, x, labels, adversary(recipe, eps, step), recipe.fraction)


def radius(recipe: Recipe, step: int, total: int) -> float:
    """The radius in grey levels at one of `total` steps."""
    ramp = recipe.ramp * total
    return recipe.eps * min((step + 1) / ramp, 1.0) if ramp > 0 else recipe.eps


def adversary(recipe: Recipe, eps: float, seed: int) -> Settings:
    """The attack of a recipe in a ball of `eps` grey levels."""
    return Settings(attack=recipe.adversarial, eps=eps, steps=recipe.attack_steps, alpha=recipe.alpha or None, seed=seed)


def logged(out: Path) -> list[dict[str, float]]:
    """What the run in `out` has logged, a record per epoch."""
    file = out / "log.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def figure(line: dict[str, float]) -> float:
    """What an epoch is judged by: the watched mIoU, under attack if there is one."""
    return line.get("robust_miou", line["clean_miou"])


def save_halves(model: nn.Module, file: Path) -> None:
    """The weights and statistics of a network as halves in safetensors."""
    save_file({key: value.half().cpu().contiguous() for key, value in model.state_dict().items() if value.is_floating_point()}, file)


OWN_SIZE = 10_000
"""A working size at which watched pictures stay as they are."""


def spread(pairs: Pairs, count: int) -> Pairs:
    """At most `count` of the pairs, evenly spread."""
    return pairs[:: max(len(pairs) // count, 1)][:count]


def watch(model: Segmenter, pairs: Pairs, recipe: Recipe) -> dict[str, float]:
    """The data set's mIoU over some pairs, clean and, if the recipe has an attack, under it."""
    entry = replace(model_entry("voc7-lraspp"), label_set=model.label_set, working_size=OWN_SIZE)
    settings = None
    if recipe.adversarial:
        attack = "pgd" if recipe.adversarial == N_FGSM else recipe.adversarial
        settings = Settings(attack=attack, eps=recipe.watch_eps or recipe.eps, steps=recipe.watch_steps)
    if recipe.watch_scale != 1:
        model = MultiScale(model, (recipe.watch_scale,))
    evaluation = evaluate(pairs, entry, model, settings, lambda _: None)
    figures = {"clean_miou": round(evaluation.clean.miou, 4)}
    if evaluation.adversarial is not None:
        figures["robust_miou"] = round(evaluation.adversarial.miou, 4)
    return figures


def frozen_part(encoder: nn.Module, blocks: int) -> nn.ModuleList:
    """The stem and the first `blocks` blocks of the encoder; nothing for 0."""
    if blocks == 0:
        return nn.ModuleList()
    assert isinstance(encoder, EfficientNetLite0)
    return nn.ModuleList([encoder.stem, *encoder.blocks[:blocks]])


@torch.no_grad()
def update_average(average: Segmenter, model: Segmenter, decay: float) -> None:
    """Exponential moving average of the weights and the batch statistics, in place."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
