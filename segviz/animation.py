"""A run as a moving picture, GIF, animated WebP or MP4, with iteration and mIoU drawn in."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segviz import draw
from segviz.data.label_sets import LabelSet
from segviz.deferred import deferred
from segviz.records import Frame, Trajectory
from segviz.types import UserError

av = deferred("av")

FORMATS = {
    ".gif": "plays everywhere; each frame has 256 colours",
    ".webp": "lossless; for browsers",
    ".mp4": "H.264, small and lossy; for slides and phones, which loop it or not as they are told",
}
PARTS = {"picture": "Adversarial picture", "perturbation": "Perturbation", "map": "Map"}
SPEEDS = (1, 2, 4, 5, 10, 20, 25)
"""Frames a second; a frame of each takes whole hundredths of a second, in which GIF counts."""
RESULT_SECONDS = 1.5
"""How long the result stays at the end."""
MAX_SECONDS = 60.0
MARGIN = 4
FONT_SIZES = range(18, 6, -1)
WIDEST = "iteration 1000 of 1000    mIoU 100.0%"


@dataclass(frozen=True)
class Film:
    """How a run is filmed: keys of PARTS that stand side by side, frames a second (one of SPEEDS), `seconds` in all, whether it loops.

    `seconds` None: every stored iteration for one frame, then the result for RESULT_SECONDS. Of a shorter film, iterations are left out
    evenly, in a longer one they stay. Raises UserError for what cannot be filmed.
    """

    parts: tuple[str, ...] = ("picture", "map")
    fps: int = 5
    seconds: float | None = None
    loop: bool = True

    def __post_init__(self) -> None:
        if not self.parts or set(self.parts) - set(PARTS):
            raise UserError(f"An animation shows one or more of {', '.join(PARTS)}.")
        if self.fps not in SPEEDS:
            raise UserError(f"An animation has {', '.join(map(str, SPEEDS))} frames a second, not {self.fps}.")
        if self.seconds is not None and not 2 / self.fps <= self.seconds <= MAX_SECONDS:
            raise UserError(
                f"At {self.fps} frames a second an animation takes {2 / self.fps:g} to {MAX_SECONDS:g} seconds, not {self.seconds:g}."
            )

    def order(self, stored: int) -> list[int]:
        """For each frame of the film the number of the picture shown, of `stored` iterations and, after them, the result."""
        still = round(RESULT_SECONDS * self.fps)
        if self.seconds is None:
            return [*range(stored), *[stored] * max(still, 1)]
        frames = round(self.seconds * self.fps)
        still = min(max(still, 1), max(frames // 3, 1))
        return [*np.linspace(0, stored - 1, frames - still).round().astype(int).tolist(), *[stored] * still]


def check_film_file(file: Path) -> None:
    """Raise UserError where a file's name ends like none of FORMATS."""
    if file.suffix.lower() not in FORMATS:
        raise UserError(f"An animation is a file that ends in {', '.join(FORMATS)}, not {file.name}.")


def animation(trajectory: Trajectory, label_set: LabelSet, film: Film, kind: str) -> bytes:
    """The film of a finished run as a file of that kind, a key of FORMATS."""
    moments = film_moments(trajectory)
    drawn = [Image.fromarray(frame_of_film(trajectory, label_set, film.parts, *moment)) for moment in moments]
    return WRITERS[kind]([drawn[number] for number in film.order(len(moments) - 1)], film)


def film_moments(trajectory: Trajectory) -> list[tuple[Frame, str]]:
    """What is shown one after the other: the stored iterations and the result, each with its line of words."""
    if trajectory.final is None or trajectory.report is None:
        raise ValueError("only a run that has ended can be filmed")
    miou = {point.index: point.miou for point in trajectory.curve}
    total = trajectory.report.iterations
    return [
        *((frame, f"iteration {frame.index} of {total}    mIoU {miou[frame.index]:.1%}") for frame in trajectory.frames),
        (trajectory.final, f"result    mIoU {trajectory.report.adversarial.miou:.1%}"),
    ]


def frame_of_film(trajectory: Trajectory, label_set: LabelSet, parts: tuple[str, ...], frame: Frame, words: str) -> np.ndarray:
    """One frame (H,W,3) uint8: the parts side by side above a line of words; both sides are even, as H.264 wants them."""
    photo, settings = trajectory.picture.pixels, trajectory.settings
    scale = draw.full_scale(settings.eps, settings.norm)
    made: dict[str, Callable[[], np.ndarray]] = {
        "picture": lambda: frame.pixels,
        "perturbation": lambda: draw.perturbation(frame.pixels, photo, scale),
        "map": lambda: draw.colour_map(frame.prediction, label_set.screen_palette),
    }
    pictures = [np.pad(made[part](), ((0, 0), (0, MARGIN), (0, 0))) for part in parts]
    row = np.concatenate(pictures, 1)[:, :-MARGIN]
    line = words_in(words, row.shape[1])
    whole = np.concatenate([row, line])
    return np.pad(whole, ((0, whole.shape[0] % 2), (0, whole.shape[1] % 2), (0, 0)))


def words_in(words: str, width: int) -> np.ndarray:
    """A line of words, white on black, (H,width,3) uint8, in the largest size in which it fits."""
    fonts = (ImageFont.load_default(size) for size in FONT_SIZES)
    font = next((font for font in fonts if font.getlength(WIDEST) <= width - 2 * MARGIN), ImageFont.load_default(FONT_SIZES[-1]))
    line = Image.new("RGB", (width, round(font.getbbox("Ig")[3]) + 2 * MARGIN))
    ImageDraw.Draw(line).text((MARGIN, MARGIN), words, "white", font)
    return np.asarray(line)


def as_gif(frames: list[Image.Image], film: Film) -> bytes:
    """An animated GIF of one palette for all frames; frames that stay the same are written once, for longer."""
    shown = list(unchanged_runs(frames))
    palette = Image.fromarray(np.concatenate([np.asarray(frame)[::2, ::2] for frame, _ in shown])).quantize(256)
    reduced = [(frame.quantize(palette=palette, dither=Image.Dither.NONE), count) for frame, count in shown]
    return by_pillow(reduced, film, "GIF", {"loop": 0} if film.loop else {})


def as_webp(frames: list[Image.Image], film: Film) -> bytes:
    """An animated WebP, lossless."""
    more = {"loop": 0 if film.loop else 1, "lossless": True, "quality": 30, "method": 2}
    return by_pillow(list(unchanged_runs(frames)), film, "WEBP", more)


def by_pillow(shown: list[tuple[Image.Image, int]], film: Film, kind: str, more: dict[str, int]) -> bytes:
    """A file of frames, each with the number of times that it is to be seen."""
    data = io.BytesIO()
    shown[0][0].save(
        data,
        kind,
        save_all=True,
        append_images=[frame for frame, _ in shown[1:]],
        duration=[count * 1000 // film.fps for _, count in shown],
        **more,
    )
    return data.getvalue()


def unchanged_runs(frames: list[Image.Image]) -> Iterator[tuple[Image.Image, int]]:
    """Each frame with how many times it follows itself."""
    start = 0
    for place in range(1, len(frames) + 1):
        if place == len(frames) or frames[place] is not frames[start]:
            yield frames[start], place - start
            start = place


def as_mp4(frames: list[Image.Image], film: Film) -> bytes:
    """An MP4 with H.264, every pixel drawn as 2x2: H.264 as players want it has one colour for four pixels."""
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=film.fps, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 2 * frames[0].width, 2 * frames[0].height, "yuv420p"
        for number, frame in enumerate(frames):
            doubled = np.asarray(frame).repeat(2, 0).repeat(2, 1)
            picture = av.VideoFrame.from_ndarray(doubled, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, film.fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return data.getvalue()


WRITERS: dict[str, Callable[[list[Image.Image], Film], bytes]] = {".gif": as_gif, ".webp": as_webp, ".mp4": as_mp4}
