"""A lesson on one sheet of A4: an HTML page that needs nothing else and prints to one page."""

import base64
import io
from collections.abc import Mapping
from html import escape

import numpy as np
from PIL import Image

from segviz.classroom.evidence import Evidence, measured_answer, with_figures
from segviz.classroom.lessons import AskedStep, Lesson, LessonFigure, LessonStep
from segviz.classroom.questions import ChoiceQuestion, CurveQuestion, NumberQuestion

STYLE = """
@page { size: A4; margin: 11mm 12mm; }
* { box-sizing: border-box; }
body { font: 9.3px/1.35 system-ui, sans-serif; color: #222; max-width: 186mm; margin: 0 auto; }
h1 { font-size: 19px; margin: 0 0 1mm; }
h2 { font-size: 11px; margin: 0 0 1mm; }
p { margin: 0 0 1.2mm; }
ol, ul { margin: 0 0 1.2mm; padding-left: 4mm; }
.steps { columns: 2; column-gap: 6mm; margin-top: 2mm; }
section { break-inside: avoid; border-top: 1px solid #bbb; padding: 1.4mm 0 1mm; }
.pictures { display: flex; gap: 1.5mm; }
figure { margin: 0 0 1mm; flex: 1 1 0; max-width: 29mm; }
img { width: 100%; display: block; border-radius: 1mm; }
figcaption { font-size: 7.5px; color: #555; }
.ask { font-weight: 600; }
.measured { border-left: 2px solid #d9480f; padding-left: 2mm; }
footer { columns: 2; column-gap: 6mm; border-top: 2px solid #222; margin-top: 1mm; padding-top: 1.4mm; }
footer > div { break-inside: avoid; }
"""
THUMBNAIL = 220
"""Pixels of a picture's longer side on the sheet."""


def handout(lesson: Lesson, evidence: Mapping[str, Evidence]) -> str:
    """The lesson with its questions, the measured answers, what students usually answer wrong and what to discuss, as HTML."""
    steps = "".join(section_on_paper(lesson, number, evidence) for number in range(len(lesson.steps)))
    wrong = "".join(f"<li>{escape(one)}</li>" for one in lesson.wrong)
    discussion = "".join(f"<li>{escape(one)}</li>" for one in lesson.discussion)
    papers = "".join(f'<li><a href="{escape(url)}">{escape(title)}</a></li>' for title, url in lesson.papers)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(lesson.title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(lesson.title)}</h1><p>{escape(lesson.about)} {lesson.minutes} minutes.</p>
<div class="steps">{steps}</div>
<footer><div><h2>What the papers say</h2><p>{escape(lesson.claim)}</p><ul>{papers}</ul></div>
<div><h2>What was measured here</h2><p>{escape(with_figures(lesson.ours, evidence))}</p></div>
<div><h2>Usual wrong answers</h2><ul>{wrong}</ul></div><div><h2>For the discussion</h2><ol>{discussion}</ol></div></footer>
</body></html>
"""


def section_on_paper(lesson: Lesson, number: int, evidence: Mapping[str, Evidence]) -> str:
    """One step on the sheet."""
    step = lesson.steps[number]
    choices = step.asked.choices if step.asked is not None else ()
    shown = list(dict.fromkeys((*step.pictures, *choices, *step.revealed)))[:3]
    pictures = "".join(picture_on_paper(one, step, evidence) for one in shown)
    asked = "" if step.asked is None else asked_on_paper(lesson, number, step.asked, evidence)
    words = f"<h2>{number + 1}. {escape(step.title)}</h2><p>{escape(step.text)}</p>"
    return f'<section>{words}<div class="pictures">{pictures}</div>{asked}</section>'


def picture_on_paper(shown: LessonFigure, step: LessonStep, evidence: Mapping[str, Evidence]) -> str:
    """A small picture with its caption."""
    picture = evidence[shown.run].pictures[shown.name]
    height, width = picture.shape[:2]
    left, top, right, bottom = step.crop or (0.0, 0.0, 1.0, 1.0)
    image = Image.fromarray(picture).crop((int(left * width), int(top * height), int(right * width), int(bottom * height)))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=85)
    data, caption = base64.b64encode(stream.getvalue()).decode(), escape(shown.caption or shown.name)
    return f'<figure><img src="data:image/webp;base64,{data}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def asked_on_paper(lesson: Lesson, number: int, asked: AskedStep, evidence: Mapping[str, Evidence]) -> str:
    """A question with what was measured and why."""
    measured, question = measured_answer(lesson, number, evidence), asked.question
    if isinstance(question, NumberQuestion):
        told = f"{measured:.0f} {question.unit}"
    elif isinstance(question, ChoiceQuestion):
        assert isinstance(measured, int)
        told = question.options[measured]
    elif isinstance(question, CurveQuestion):
        assert isinstance(measured, list)
        told = ", ".join(f"{at:g}: {height:.0%}" for at, height in zip(question.at, measured, strict=True))
    else:
        assert isinstance(measured, np.ndarray)
        told = f"the lit part of the picture, {(measured[..., 0] > 0).mean():.0%} of it"
    return f'<p class="ask">{escape(question.ask)}</p><p class="measured"><b>Measured: {escape(told)}.</b> {escape(asked.reason)}</p>'
