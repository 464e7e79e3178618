"""The command `study`: its files, its output, its mistakes."""

import json

from segviz.cli import main

STUDY = """
models = ["voc7-lraspp"]
attacks = ["fgsm"]
eps = [2]
images = { folder = "FOLDER", limit = 2 }
"""


def test_a_study_leaves_a_table_and_goes_on_from_its_store(small_data, tmp_path, capsys):
    file, out, store = tmp_path / "small.toml", tmp_path / "out", tmp_path / "store"
    file.write_text(STUDY.replace("FOLDER", str(small_data)))
    assert main(["study", str(file), "--out", str(out), "--store", str(store)]) == 0
    said = capsys.readouterr()
    assert "2 runs computed, 0 were stored, 0 failed" in said.err
    assert said.out.startswith("voc7-lraspp")
    assert len(said.out.splitlines()) == 1
    assert len((out / "table.csv").read_text().splitlines()) == 2
    (row,) = json.loads((out / "table.json").read_text())
    assert row["images"] == 2
    assert f"{row['adversarial']['miou']:.1%}" in said.out
    assert "Plotly.newPlot" in (out / "curves.html").read_text()
    # The same grid with one image more computes that one alone.
    file.write_text(file.read_text().replace("limit = 2", "limit = 3"))
    report = tmp_path / "elsewhere" / "report.html"
    assert main(["study", str(file), "--out", str(out), "--store", str(store), "--report", str(report)]) == 0
    assert "1 runs computed, 2 were stored" in capsys.readouterr().err
    (row,) = json.loads((out / "table.json").read_text())
    assert f"{row['adversarial']['miou']:.1%}" in report.read_text()


def test_mistakes_are_one_line(tmp_path, capsys):
    file = tmp_path / "bad.toml"
    file.write_text('models = ["voc7-lraspp"]\nattacks = ["fgsm"]\neps = [-1]\n')
    assert main(["study", str(file), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "bad.toml: eps is -1; it must be a number between 0 and 255" in said
