"""The one builder of reports: a result with pictures, curves, link and code as an HTML file that needs nothing else."""

import base64
import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from segviz import __version__, draw
from segviz.models.keys import split_key
from segviz.models.zoo import catalogue
from segviz.report.charts import ReportChart, chart_html
from segviz.report.facts import figures_in, list_html, rows_html, settings_of, tables_in

HERE = Path(__file__).parent
LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python-headless", "pillow")


@dataclass(frozen=True)
class Shot:
    """A picture of a report: `pixels` (H,W,3) uint8, written without loss."""

    title: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Document:
    """What a report holds.

    `result` are settings and figures as `segviz.results` makes them, `models` the keys of the networks in it. `link` opens the page with
    these settings, empty where no link can hold them; `code` repeats it. The `hashed` are pictures whose pixels are told by hash, by name.
    """

    title: str
    result: Mapping[str, Any]
    models: Sequence[str]
    pictures: Sequence[Shot] = ()
    charts: Sequence[ReportChart] = ()
    link: str = ""
    code: str = ""
    hashed: Mapping[str, np.ndarray] = field(default_factory=dict)


def report_html(document: Document) -> str:
    """The report as HTML."""
    result = document.result
    left_out = [f"Left out: {one['picture']}: {one['why']}" for one in result.get("left_out", ())]
    warnings = "".join(f'<p class="warning">{escape(said)}</p>' for said in [*result.get("warnings", ()), *left_out])
    tables = "".join(f"<h3>{escape(name.replace('_', ' ').capitalize())}</h3>{rows_html(rows)}" for name, rows in tables_in(result).items())
    sections = {
        "Pictures": "".join(map(picture_html, document.pictures)),
        "Curves": "".join(map(chart_html, document.charts)),
        "Figures": list_html(figures_in(result), explained=True) + tables,
        "Settings": list_html(settings_of(result)),
        "Open it again": f'<p><a href="{escape(document.link)}">{escape(document.link)}</a></p>' if document.link else "",
        "Python code": f"<pre><code>{escape(document.code)}</code></pre>" if document.code else "",
        "Versions and hashes": list_html(versions()) + list_html(hashes(document)),
    }
    wrapped = {"Pictures": "pictures", "Curves": "charts"}
    body = "".join(
        f'<section><h2>{name}</h2><div class="{wrapped.get(name, "text")}">{made}</div></section>'
        for name, made in sections.items()
        if made
    )
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    title = escape(document.title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1><p>Scope: {escape(str(result.get("scope", "")))}. Figures are measured on 8-bit pictures.</p>{warnings}
{body}
<script>{script}</script></body></html>
"""


def picture_html(shot: Shot) -> str:
    """A picture with its title below."""
    title = escape(shot.title)
    source = "data:image/png;base64," + base64.b64encode(draw.png(shot.pixels)).decode()
    return f'<figure><img src="{source}" alt="{title}"><figcaption>{title}</figcaption></figure>'


def versions() -> dict[str, str]:
    """What made the figures: this program, Python and the libraries that decide numbers."""
    found = {"segviz": __version__, "Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hashes(document: Document) -> dict[str, str]:
    """SHA-256 of the files of weights, and of the pixels of pictures, row by row."""
    weights = {}
    for key in dict.fromkeys(split_key(model)[0] for model in document.models):
        entry = catalogue().get(key)
        if entry is not None and entry.file is not None and entry.file.is_file():
            weights[f"weights of {key}"] = hashlib.sha256(entry.file.read_bytes()).hexdigest()
    pixels = {name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in document.hashed.items()}
    return weights | {f"pixels of the {name}": told for name, told in pixels.items()}
