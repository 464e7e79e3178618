"""Animations are opened again: their frames, their length, their pixels."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageSequence

from segviz import draw
from segviz.animation import FORMATS, MARGIN, Film, animation, av, film_moments, words_in
from segviz.cli import main
from segviz.data.label_sets import VOC7
from segviz.places import ASSETS
from segviz.records import Figures, Frame, Picture, Point, Report, Trajectory
from segviz.settings import Settings
from segviz.types import UserError

HEIGHT, WIDTH = 24, 200


@pytest.fixture
def trajectory() -> Trajectory:
    """A run of four iterations on a grey picture: each makes it brighter, and a class wider."""
    figures = Figures(0.75, 0.8, (0.75,) * 7)
    frames = []
    for index in range(5):
        prediction = np.zeros((HEIGHT, WIDTH), np.uint8)
        prediction[:, : 20 * index] = 1
        frames.append(Frame(index, np.full((HEIGHT, WIDTH, 3), 100 + index, np.uint8), prediction, prediction))
    return Trajectory(
        settings=Settings(eps=4, steps=4),
        picture=Picture("grey", frames[0].pixels, None, (WIDTH, HEIGHT)),
        reference=frames[0].prediction,
        own_prediction=True,
        target=None,
        device="CPU",
        clean=figures,
        curve=tuple(Point(index, 0.0, 0.0, 0.8, 0.75 - index / 10) for index in range(5)),
        frames=tuple(frames),
        final=frames[3],
        report=Report(Figures(0.125, 0.2, (0.125,) * 7), 0.2, 0.8, 3, 1.0, 30.0, 4, 4, 1.0, False),
    )


def opened(data: bytes, kind: str) -> tuple[list[np.ndarray], list[int]]:
    """The frames of a file as (H,W,3) uint8, and how long each is shown in milliseconds."""
    if kind == ".mp4":
        with av.open(io.BytesIO(data)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            length = container.duration / 1000
        return [frame[::2, ::2] for frame in frames], [round(length / len(frames))] * len(frames)
    with Image.open(io.BytesIO(data)) as picture:
        shown = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(picture)]
    return [frame for frame, _ in shown], [duration for _, duration in shown]


@pytest.mark.parametrize(("kind", "off"), [(".webp", 0), (".gif", 3), (".mp4", 12)])
def test_frames_are_the_stored_iterations_and_the_result(trajectory, kind, off):
    film = Film(("picture", "perturbation", "map"), fps=4)
    frames, durations = opened(animation(trajectory, VOC7, film, kind), kind)
    assert sum(durations) == 5 * 250 + 1500
    assert len(frames) == (11 if kind == ".mp4" else 6)
    for index in range(5):
        stored, frame = trajectory.frames[index], frames[index].astype(int)
        parts = (
            stored.pixels,
            draw.perturbation(stored.pixels, trajectory.picture.pixels, 4),
            draw.colour_map(stored.prediction, VOC7.screen_palette),
        )
        for place, part in enumerate(parts):
            left = place * (WIDTH + MARGIN)
            difference = np.abs(frame[:HEIGHT, left : left + WIDTH] - part)
            # H.264 blurs what stands beside an edge.
            assert np.quantile(difference, 0.95) <= off
        words = words_in(f"iteration {index} of 4    mIoU {0.75 - index / 10:.1%}", frame.shape[1])
        written = frame[HEIGHT : HEIGHT + len(words)]
        assert np.abs(written - words).mean() <= off
        assert (words > 128).any()
    assert np.abs(frames[-1][HEIGHT : HEIGHT + len(words)].astype(int) - words_in("result    mIoU 12.5%", frame.shape[1])).mean() <= off
    assert all((one != other).any() for one, other in pairwise(frames[:6]))


@pytest.mark.parametrize("kind", FORMATS)
def test_length_is_as_asked_for(trajectory, kind):
    for seconds in (1.0, 4.0):
        frames, durations = opened(animation(trajectory, VOC7, Film(fps=2, seconds=seconds), kind), kind)
        assert sum(durations) == seconds * 1000
        words = words_in("result    mIoU 12.5%", frames[0].shape[1])
        assert np.abs(frames[-1][HEIGHT : HEIGHT + len(words)].astype(int) - words).mean() < 12


def test_loop_is_written_or_not(trajectory):
    for loop in (True, False):
        film = Film(("map",), loop=loop)
        with Image.open(io.BytesIO(animation(trajectory, VOC7, film, ".gif"))) as gif:
            assert ("loop" in gif.info) is loop
        with Image.open(io.BytesIO(animation(trajectory, VOC7, film, ".webp"))) as webp:
            assert webp.info["loop"] == (0 if loop else 1)


@pytest.mark.parametrize("wrong", [{"parts": ()}, {"parts": ("sound",)}, {"fps": 3}, {"seconds": 0.1}, {"seconds": 61.0}])
def test_a_film_that_cannot_be_made_is_told(wrong):
    with pytest.raises(UserError):
        Film(**wrong)


def test_words_fit_into_narrow_pictures(trajectory):
    for _, words in film_moments(trajectory):
        line = words_in(words, 160)
        assert not line[:, -1].any()


def test_the_terminal_writes_a_film(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.open(ASSETS / "samples" / "chelsea.png").resize((96, 64)).save(photo)
    command = ["attack", "--image", str(photo), "--attack", "pgd", "--steps", "2", "--json", str(tmp_path / "out.json")]
    file = tmp_path / "new" / "run.webp"
    assert main([*command, "--animate", str(file), "--animate-show", "map", "--animate-fps", "10"]) == 0
    frames, durations = opened(file.read_bytes(), ".webp")
    assert durations == [100, 100, 100, 1500]
    assert frames[0].shape[1] == 96
    capsys.readouterr()
    assert main([*command, "--animate", str(tmp_path / "run.avi")]) == 2
    assert ".gif, .webp, .mp4, not run.avi" in capsys.readouterr().err
    assert main([*command, "--animate", str(file), "--animate-fps", "7"]) == 2
    assert "frames a second, not 7" in capsys.readouterr().err
