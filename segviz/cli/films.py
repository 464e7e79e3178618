"""The options that make an animation of a run."""

import argparse
from dataclasses import fields
from pathlib import Path

from segviz.animation import FORMATS, MAX_SECONDS, PARTS, RESULT_SECONDS, SPEEDS, Film, animation, check_film_file
from segviz.data.label_sets import LabelSet
from segviz.records import Trajectory
from segviz.types import UserError

DEFAULTS = {field.name: field.default for field in fields(Film)}


def add_film(command: argparse.ArgumentParser) -> None:
    """The options."""
    formats = "; ".join(f"{kind}: {what}" for kind, what in FORMATS.items())
    command.add_argument("--animate", type=Path, metavar="FILE", help=f"write the run as an animation here ({formats})")
    command.add_argument(
        "--animate-show",
        nargs="+",
        metavar="PART",
        default=DEFAULTS["parts"],
        help=f"side by side: {', '.join(PARTS)}; default picture map",
    )
    speeds = ", ".join(map(str, SPEEDS))
    command.add_argument(
        "--animate-fps", type=int, metavar="N", default=DEFAULTS["fps"], help=f"frames a second: {speeds}; default %(default)s"
    )
    command.add_argument(
        "--animate-seconds",
        type=float,
        metavar="SECONDS",
        help=f"length, at most {MAX_SECONDS:g}; default: a frame for each stored iteration, and {RESULT_SECONDS:g} s of the result",
    )
    command.add_argument("--animate-once", action="store_true", help="do not loop; of an MP4, the player decides that")


def film_from(options: argparse.Namespace) -> Film:
    """The film that the options ask for; raises UserError for one that cannot be made, before anything is computed."""
    if options.animate is not None:
        check_film_file(options.animate)
    return Film(tuple(options.animate_show), options.animate_fps, options.animate_seconds, not options.animate_once)


def save_film(trajectory: Trajectory, label_set: LabelSet, film: Film, file: Path) -> None:
    """Write the animation; raises UserError where that is not possible."""
    data = animation(trajectory, label_set, film, file.suffix.lower())
    try:
        file.write_bytes(data)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None
