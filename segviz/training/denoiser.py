"""`python -m segviz.training.denoiser --data FOLDER --out RUN`: train the denoiser on clean and attacked pictures."""

import argparse
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from segviz.defences.denoiser import Denoiser
from segviz.defences.load import load_model
from segviz.training.augment import TrainingPairs
from segviz.training.recipe import learning_rate_factor
from segviz.types import VOID


@dataclass(frozen=True)
class DenoiserRecipe:
    """Settings of one training run; `min_eps` and `max_eps` in grey levels, one crop in `clean_every` is not attacked.

    The loss is the mean squared error of the denoised crop in grey levels plus `guidance` times the cross-entropy of `guide`, the model
    that is attacked, on the denoised crop: the "pixel guided" and the "class label guided" denoiser of Liao et al. (1712.02976) in one. The
    error alone leaves most of an attack in the picture. They take its absolute value, with which ours does not leave the identity.
    """

    guide: str = "voc7-lraspp"
    guidance: float = 20.0
    steps: int = 1500
    batch: int = 8
    crop: int = 96
    lr: float = 2e-3
    min_eps: float = 2.0
    max_eps: float = 16.0
    max_attack_steps: int = 4
    clean_every: int = 8
    seed: int = 0


def attacked_pictures(guide: nn.Module, x: Tensor, labels: Tensor, eps: Tensor, steps: int) -> Tensor:
    """PGD on the guide's cross-entropy, from a random point unless it takes one step (FGSM); `eps` (N,1,1,1) on the [0,1] scale."""
    alpha = eps if steps == 1 else 2 * eps / steps
    start = torch.zeros_like(x) if steps == 1 else eps * (2 * torch.rand_like(x) - 1)
    x_adv = (x + start).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        gradient = torch.autograd.grad(F.cross_entropy(guide(x_adv), labels, ignore_index=VOID, reduction="sum"), x_adv)[0]
        x_adv = torch.clamp(x_adv.detach() + alpha * gradient.sign(), x - eps, x + eps).clamp(0, 1)
    return (x_adv * 255).round() / 255


def train_denoiser(folder: Path, out: Path, recipe: DenoiserRecipe, device: torch.device, save_every: int = 50) -> Denoiser:
    """Train on `folder` (images/ and labels/) and return the denoiser.

    The state is saved to `out` every `save_every` steps; a later call with the same `out` goes on there and ends at the same weights.
    Writes `recipe.json`, `log.jsonl` and `state.pt`. Raises ValueError where `out` holds a run of another recipe.
    """
    # Long: all that a run is made of is saved and read again here.
    out.mkdir(parents=True, exist_ok=True)
    recipe_file, state_file = out / "recipe.json", out / "state.pt"
    written = json.dumps(asdict(recipe), indent=2) + "\n"
    if recipe_file.exists() and recipe_file.read_text() != written:
        raise ValueError(f"{out} holds a run of another recipe; choose another folder or remove it.")
    recipe_file.write_text(written)

    guide = load_model(recipe.guide, device)
    data = TrainingPairs(folder, guide.label_set, recipe.crop, recipe.seed)
    torch.manual_seed(recipe.seed)
    denoiser = Denoiser().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(denoiser.parameters(), recipe.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, recipe.steps))
    first = 0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        for part, name in ((denoiser, "denoiser"), (optimizer, "optimizer"), (schedule, "schedule")):
            part.load_state_dict(state[name])
        first = state["step"]

    progress = tqdm(range(first, recipe.steps), initial=first, total=recipe.steps)
    losses = []
    for step in progress:
        rng = np.random.default_rng((recipe.seed, step))
        torch.manual_seed(recipe.seed * 1_000_000 + step)
        data.epoch = step
        pairs = [data[int(index)] for index in rng.integers(len(data), size=recipe.batch)]
        x = (torch.stack([image for image, _ in pairs]) * 255).round().div(255).to(device, memory_format=torch.channels_last)
        labels = torch.stack([labels for _, labels in pairs]).to(device)
        eps = torch.from_numpy(rng.uniform(recipe.min_eps, recipe.max_eps, (recipe.batch, 1, 1, 1))).to(x) / 255
        eps[:: recipe.clean_every] = 0
        x_adv = attacked_pictures(guide, x, labels, eps, int(rng.integers(1, recipe.max_attack_steps + 1)))
        denoised = denoiser(x_adv)
        loss = (255 * (denoised - x)).square().mean()
        loss = loss + recipe.guidance * F.cross_entropy(guide(denoised), labels, ignore_index=VOID)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.set_postfix(loss=f"{losses[-1]:.1f}")
        if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"step": step + 1, "loss": round(sum(losses) / len(losses), 3)}) + "\n")
            losses = []
            state = {"denoiser": denoiser.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            torch.save(state | {"step": step + 1}, out / "state.pt.part")
            os.replace(out / "state.pt.part", state_file)
    return denoiser.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m segviz.training.denoiser", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/images and train/labels")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished run there is continued")
    for field in fields(DenoiserRecipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    arguments = vars(parser.parse_args())
    recipe = DenoiserRecipe(**{field.name: arguments[field.name] for field in fields(DenoiserRecipe)})
    out: Path = arguments["out"]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    denoiser = train_denoiser(arguments["data"] / "train", out, recipe, device)
    halves = {key: value.half().cpu().contiguous() for key, value in denoiser.state_dict().items()}
    save_file(halves, out / "denoiser.safetensors")
    print(f"wrote {out / 'denoiser.safetensors'}")


if __name__ == "__main__":
    main()
