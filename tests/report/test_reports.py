"""Reports are parsed again: they need nothing else, and hold the settings, pixels, curves, figures, code and hashes of the result."""

import base64
import hashlib
import io
import json
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from segviz import __version__
from segviz.cli import main
from segviz.data.label_sets import VOC7
from segviz.places import ASSETS
from segviz.report.charts import ReportChart, ReportCurve, chart_html
from segviz.report.document import Document, report_html
from segviz.report.kinds import (
    comparison_document,
    run_document,
    scaling_document,
    study_document,
    survey_document,
    transfer_document,
    trial_document,
)
from segviz.settings import Settings
from segviz.studies import first_views, precomputed
from segviz.studies.defences import DefenceFigures, Survey
from segviz.studies.table import row_of


class Read(HTMLParser):
    """What a report says, by kind: texts of elements, addresses, pictures, the data of charts."""

    def __init__(self, html: str):
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.pictures: dict[str, np.ndarray] = {}
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")
        self.addresses += [given[name] for name in ("src", "href") if name in given]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "img":
            kind, _, data = given["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures[given["alt"]] = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open:
            self.texts[self._open[-1]][-1] += data
            if self._open[-1] in ("td", "th"):
                self.rows[-1][-1] += data

    @property
    def charts(self) -> list[dict]:
        return [json.loads(text) for text in self.texts["script"][:-1]]

    def row(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)


def read(document: Document) -> Read:
    """A report that is whole in itself, and whose code is Python."""
    html = report_html(document)
    found = Read(html)
    assert all(address.startswith("data:") or address == document.link for address in found.addresses)
    assert "@media print" in found.texts["style"][0]
    assert "@import" not in html
    assert "url(" not in html
    compile(found.texts["code"][0], "report", "exec")
    assert found.row("segviz") == ["segviz", __version__]
    for name, pixels in document.hashed.items():
        assert found.row(f"pixels of the {name}")[1] == hashlib.sha256(pixels.tobytes()).hexdigest()
    return found


def test_a_run():
    run = first_views.load("lab")
    found = read(run_document(run, VOC7, "http://here/"))
    assert (found.pictures["Input"] == run.picture.pixels).all()
    assert (found.pictures["Adversarial"] == run.final.pixels).all()
    assert "blue -4 to red +4 of 255" in " ".join(found.pictures)
    accuracy, loss = found.charts
    assert [[x, y] for x, y, _ in accuracy["places"][0]] == [[point.index, point.miou] for point in run.curve]
    assert [y for _, y, _ in loss["places"][0]] == [point.loss for point in run.curve]
    assert found.row("adversarial, mIoU")[1] == f"{run.report.adversarial.miou:.1%}"
    assert "Mean IoU over the classes" in found.row("adversarial, mIoU")[2]
    assert found.row("Epsilon, in n/255")[1] == "4 grey levels"
    weights = (ASSETS / "models" / "voc7-lraspp.safetensors").read_bytes()
    assert found.row("weights of voc7-lraspp")[1] == hashlib.sha256(weights).hexdigest()
    assert "attack='pgd'" in found.texts["code"][0]


def test_the_link_of_a_run_makes_the_run():
    run = first_views.load("lab")
    changed = Settings(image="dog", eps=2.0, attack="apgd-js", steps=50)
    link = run_document(first_views.replace(run, settings=changed), VOC7, "http://here/base/").link
    assert urlsplit(link).path == "/base/"
    assert parse_qs(urlsplit(link).query) == {"image": ["dog"], "eps": ["2"], "attack": ["apgd-js"], "steps": ["50"]}


def test_a_comparison():
    entrants = first_views.load("compare")
    found = read(comparison_document(entrants, first_views.BUDGET, VOC7, "http://here/compare?budget=20"))
    assert "http://here/compare?budget=20" in found.addresses
    assert len(found.pictures) == 2 + 3 * len(entrants)
    assert len(found.charts[0]["places"]) == len(entrants)
    mious = sorted(f"{entrant.trajectory.report.adversarial.miou:.1%}" for entrant in entrants)
    assert sorted(found.row("adversarial, mIoU")[1:]) == mious


def test_a_defence():
    trial = first_views.load("defences")
    found = read(trial_document(trial, VOC7, ""))
    assert (found.pictures["Attack knows the defence: Adversarial"] == trial.adaptive.final.pixels).all()
    assert len(found.charts[0]["places"]) == 3


def test_defences_over_pictures():
    rows = (DefenceFigures("", 1, 6, 0.7, 0.1, 0.1), DefenceFigures("jpeg", 1, 6, 0.6, 0.4, 0.2))
    found = read(survey_document(Survey(rows, 2, 2), Settings(), 20, ""))
    row = next(row for row in found.rows if "jpeg" in row)
    assert {"60.0%", "40.0%", "20.0%"} <= set(row)


def test_a_transfer():
    study = first_views.load("transfer")
    found = read(transfer_document(study, ""))
    assert (found.pictures["Input"] == study.exhibits[0].pixels).all()
    assert sum("sees it" in name for name in found.pictures) == sum(len(exhibit.maps) for exhibit in study.exhibits)


def test_a_scaling_attack():
    study = first_views.load("scaling")
    found = read(scaling_document(study, VOC7, ""))
    assert (found.pictures["Attack image"] == study.result.pixels).all()
    assert (found.pictures["Attack image, scaled"] == study.result.scaled).all()
    assert any(row[0] == "opencv-linear" for row in found.rows)


def test_a_study():
    study = precomputed.STUDIES[0]
    rows = tuple(row_of(point, [result for _, result in pairs]) for point, pairs in precomputed.load(study).items())
    found = read(study_document(study, rows, ""))
    places = found.charts[0]["places"]
    assert [y for _, y, _ in places[0]] != [y for _, y, _ in places[1]]
    assert all(0 <= y <= 1 for line in places for _, y, _ in line)


def test_what_others_wrote_is_no_html():
    evil = "<script>alert(1)</script>"
    chart = ReportChart(evil, evil, evil, [ReportCurve(evil, [(0, 0.5), (1, None), (2, 0.25)])])
    found = report_html(Document(evil, {"scope": evil, "warnings": [evil], evil: evil}, [], charts=[chart], code=evil))
    assert evil not in found


def test_a_gap_breaks_the_line_and_a_point_alone_is_a_mark():
    drawn = chart_html(ReportChart("t", "x", "y", [ReportCurve("a", [(0, 0.5), (1, None), (2, 0.25)]), ReportCurve("b", [(1, 0.1)])]))
    assert drawn.count('d="M') == 2
    assert drawn.split('d="')[1].split('"')[0].count("M") == 2
    assert 'r="5"' in drawn


@pytest.mark.parametrize(
    "command",
    [
        ["attack", "--attack", "pgd", "--steps", "2", "--image", "PHOTO", "--json", "OUT"],
        ["transfer", "--attack", "fgsm", "--image", "PHOTO", "--csv", "OUT"],
        ["scale-attack", "--source", "PHOTO", "--target", "SMALL", "--json", "OUT"],
    ],
)
def test_the_terminal_writes_a_report(tmp_path, command):
    for name, size in (("PHOTO", (96, 64)), ("SMALL", (48, 32))):
        Image.open(ASSETS / "samples" / "chelsea.png").resize(size).save(tmp_path / f"{name}.png")
    named = {"OUT": str(tmp_path / "out"), "PHOTO": str(tmp_path / "PHOTO.png"), "SMALL": str(tmp_path / "SMALL.png")}
    file = tmp_path / "new" / "report.html"
    assert main([*(named.get(word, word) for word in command), "--report", str(file)]) == 0
    found = Read(file.read_text())
    shown = np.asarray(Image.open(named["PHOTO"]).convert("RGB"))
    assert any(picture.shape == shown.shape and (picture == shown).all() for picture in found.pictures.values())
    compile(found.texts["code"][0], "report", "exec")
