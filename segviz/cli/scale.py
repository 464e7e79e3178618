"""The command `scale-attack`: a picture that becomes another picture when it is scaled down."""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from segviz import draw
from segviz.cli.options import Commands, add_report, make_folders, say_warnings, write_json, write_report
from segviz.data.images import Photo, read_photo
from segviz.report.kinds import scaled_document
from segviz.scaling.attack import MAX_SIDE, Scaled, attack, check_sizes
from segviz.scaling.kernels import LIBRARIES, SCALERS, scaler
from segviz.types import UserError


def add(commands: Commands) -> None:
    """The command and its options."""
    command = commands.add_parser("scale-attack", help="a picture that becomes another picture when it is scaled down")
    command.add_argument("--source", type=Path, required=True, help="what the picture looks like: PNG, JPEG or WebP, at its own size")
    command.add_argument("--target", type=Path, required=True, help="what it is scaled to; another size than --size is brought to it")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--size", type=width_and_height, metavar="WIDTHxHEIGHT", help="scaled size; default: the target's own")
    size.add_argument("--ratio", type=float, help="scaled size as the source's divided by this, such as 4")
    kernels = ", ".join(dict.fromkeys(each.kernel for each in SCALERS.values()))
    command.add_argument("--library", choices=LIBRARIES, default="opencv")
    command.add_argument("--kernel", default="linear", help=f"default linear; the libraries have some of {kernels}")
    command.add_argument("--antialias", action=argparse.BooleanOptionalAction, help="torch's linear and cubic have both")
    command.add_argument("--eps", dest="slack", type=float, default=1.0, help="slack of the scaled picture in grey levels, default 1")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the attack picture here, as PNG")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures here instead of to stdout")
    add_report(command)
    command.set_defaults(command=scale_attack)


def scale_attack(options: argparse.Namespace) -> None:
    way = scaler(options.library, options.kernel, options.antialias)
    if options.out and options.out.suffix.lower() != ".png":
        raise UserError(f"The attack picture must stay as it is to the last bit: write it to a PNG file, not to {options.out.name}.")
    photos = {"source": read_own_size(options.source), "target": read_own_size(options.target)}
    source, target = photos["source"].pixels, photos["target"].pixels
    warnings = [f"{name}: {notice}" for name, photo in photos.items() for notice in photo.notices]
    size = scaled_size(options, source, target)
    check_sizes(source.shape[:2], size)
    if size != target.shape[:2]:
        target = np.array(Image.fromarray(target).resize(size[::-1], Image.Resampling.LANCZOS))
    make_folders(options.out and options.out.parent, options.json and options.json.parent, options.report and options.report.parent)
    looks = attack(source, target, way, options.slack)
    with tqdm(unit="iteration", file=sys.stderr) as bar:
        for look in looks:
            bar.update(look.iteration - bar.n)
            bar.set_postfix(off=f"{look.violation:.2f} grey levels")
    assert look.result is not None
    if options.out:
        save_scaled(look.result.pixels, options.out)
    if options.report:
        write_report(scaled_document(look.result, warnings), options.report)
    write_json({"source": str(options.source), "target": str(options.target), **look.result.figures(), "warnings": warnings}, options.json)
    say_warnings(warnings)
    print(outcome(look.result), file=sys.stderr)


def read_own_size(file: Path) -> Photo:
    """A picture at its own size; raises UserError where it is none, or too large for the attack."""
    photo = read_photo(file, MAX_SIDE)
    if max(photo.original) > MAX_SIDE:
        raise UserError(
            f"{file} is {photo.original[0]}x{photo.original[1]}; at most {MAX_SIDE} px on a side are possible. Scale it down first."
        )
    return photo


def scaled_size(options: argparse.Namespace, source: np.ndarray, target: np.ndarray) -> tuple[int, int]:
    """(height, width) that the options ask for; raises UserError for an impossible ratio."""
    if options.size:
        return options.size
    height, width = source.shape[:2]
    if options.ratio is None:
        return target.shape[0], target.shape[1]
    if not 1 <= options.ratio <= min(height, width):
        raise UserError(
            f"--ratio {options.ratio:g} does not fit a source of {width}x{height}. Take a number from 1 to {min(height, width)}."
        )
    return round(height / options.ratio), round(width / options.ratio)


def width_and_height(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT to (height, width)."""
    try:
        width, height = map(int, text.lower().split("x"))
    except ValueError:
        width = height = 0
    if min(width, height) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 128x128")
    return height, width


def save_scaled(pixels: np.ndarray, file: Path) -> None:
    """Write a PNG; raises UserError where that is not possible."""
    try:
        file.write_bytes(draw.png(pixels))
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None


def outcome(result: Scaled) -> str:
    """One line: whether the scaled picture is the target, and what the attack picture costs."""
    similarity = f"PSNR {'inf' if result.psnr is None else f'{result.psnr:.1f}'} dB, SSIM {result.ssim:.3f} to the source"
    if result.feasible:
        return f"Scaled to the target within {result.max_error} grey level{'' if result.max_error == 1 else 's'}; {similarity}."
    return f"Misses the target at {result.missed.sum()} scaled pixels, by up to {result.max_error} grey levels; {similarity}."
