"""The terminal, as a user types it."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segviz.attacks.rows import ATTACKS
from segviz.cli import main
from segviz.models.zoo import MODELS
from segviz.places import ASSETS

CHELSEA = str(ASSETS / "samples" / "chelsea.png")


@pytest.fixture
def small_photo(tmp_path: Path) -> str:
    file = tmp_path / "photo.png"
    Image.open(CHELSEA).resize((96, 64)).save(file)
    return str(file)


def test_a_reader_that_goes_away_is_no_error():
    """As in `python -m segviz models | head -1`."""
    with subprocess.Popen(
        [sys.executable, "-m", "segviz", "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ASSETS.parent
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_attack_writes_json_and_pictures(tmp_path):
    """Through a real process: the sample finds its own label map, progress goes to stderr."""
    out = tmp_path / "new" / "out.json"
    command = ["attack", "--model", "voc7-lraspp", "--image", CHELSEA, "--attack", "pgd", "--eps", "4", "--steps", "3", "--seed", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "segviz", *command, "--json", str(out), "--save", str(tmp_path / "pictures")],
        cwd=ASSETS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert "3/3" in done.stderr
    assert "mIoU of the image" in done.stderr
    result = json.loads(out.read_text())
    assert (result["model"], result["attack"], result["eps"], result["steps"], result["seed"]) == ("voc7-lraspp", "pgd", 4, 3, 0)
    for part in ("clean", "adversarial"):
        assert 0 <= result[part]["miou"] <= 1
        assert 0 <= result[part]["pixel_accuracy"] <= 1
        assert set(result[part]["iou"]) == {"background", "cat", "cow", "dog", "horse", "person", "sheep"}
    assert result["iou_ratio"] == pytest.approx(result["adversarial"]["miou"] / result["clean"]["miou"])
    assert result["linf"] == 4
    assert result["gradient_evaluations"] == 3
    assert {"device", "l2", "psnr", "seconds"} <= set(result)
    pictures = {file.name: np.asarray(Image.open(file)) for file in (tmp_path / "pictures").iterdir()}
    assert set(pictures) == {"input.png", "adversarial.png", "perturbation.png", "clean_map.png", "adversarial_map.png", "flipped.png"}
    assert all(picture.shape == (213, 320, 3) for picture in pictures.values())
    assert np.abs(pictures["adversarial.png"].astype(int) - pictures["input.png"]).max() == 4


@pytest.mark.parametrize("key", ATTACKS)
def test_every_attack_runs(small_photo, key, capsys):
    norm = ATTACKS[key].norms[-1]
    assert main(["attack", "--image", small_photo, "--attack", key, "--steps", "2", "--norm", norm]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["reference"] == "own prediction"
    assert result["clean"]["pixel_accuracy"] == 1
    assert result["steps"] == (1 if ATTACKS[key].one_step else 2)


def test_label_map_of_ones_own(small_photo, tmp_path, capsys):
    labels = tmp_path / "labels.png"
    Image.fromarray(np.full((64, 96), 8, np.uint8)).save(labels)
    assert main(["attack", "--image", small_photo, "--labels", str(labels), "--attack", "fgsm"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"]["iou"]["dog"] in (None, 0)


def test_attack_towards_a_map_of_another_size(small_photo, tmp_path, capsys):
    file = tmp_path / "map.png"
    ids = np.zeros((20, 30), np.uint8)
    ids[:, 15:] = 8
    Image.fromarray(ids).save(file)
    command = ["attack", "--image", small_photo, "--attack", "pgd", "--eps", "8", "--steps", "10", "--target-map", str(file)]
    assert main([*command, "--save", str(tmp_path)]) == 0
    result, said = capsys.readouterr()
    result = json.loads(result)
    assert (result["goal"], result["target_map"]) == ("map", str(file))
    assert result["success"] == pytest.approx(result["against_target"]["pixel_accuracy"])
    assert result["success"] > 0.7
    assert f"target reached: {result['success']:.1%}" in said
    drawn = np.asarray(Image.open(tmp_path / "target_map.png"))
    assert drawn.shape == (64, 96, 3)
    assert not drawn[:, :48].any()
    assert (drawn[:, 48:] == (64, 0, 0)).all()
    assert main([*command, "--goal", "everywhere", "--target", "cat"]) == 2
    assert "Leave out --goal everywhere" in capsys.readouterr().err
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(file)
    assert main(command) == 2
    assert "values 99" in capsys.readouterr().err
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(file)
    assert main(command) == 2
    assert "target map is void" in capsys.readouterr().err


def test_evaluate(small_data, tmp_path):
    out = tmp_path / "out.json"
    assert main(["evaluate", "--data", str(small_data), "--attack", "ifgsm", "--eps", "4", "--steps", "3", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["images"] == 4
    assert result["scope"] == "data set"
    assert result["adversarial"]["miou"] < result["clean"]["miou"]
    assert result["linf"] <= 4
    assert main(["evaluate", "--data", str(small_data), "--limit", "2", "--json", str(out)]) == 0
    clean_only = json.loads(out.read_text())
    assert clean_only["images"] == 2
    assert clean_only["adversarial"] is None


def test_evaluate_leaves_out_images_without_the_class(small_data, capsys):
    command = ["evaluate", "--data", str(small_data), "--attack", "ifgsm", "--eps", "8", "--steps", "5"]
    assert main([*command, "--goal", "class", "--target", "cat"]) == 0
    out, said = capsys.readouterr()
    result = json.loads(out)
    assert result["images"] == 1
    assert result["success"] > 0.2
    assert {one["picture"] for one in result["left_out"]} == {"person", "horses", "astronaut"}
    assert all("No pixel is labelled cat" in one["why"] for one in result["left_out"])
    assert "left out: horses: No pixel is labelled cat" in said
    assert main([*command, "--region", "class:horse"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
    assert main([*command, "--goal", "class", "--target", "sheep"]) == 2
    assert "No picture of the data set" in capsys.readouterr().err


def test_evaluate_a_suite(small_data, capsys):
    assert main(["evaluate", "--data", str(small_data), "--attack", "sea", "--eps", "1", "--steps", "3"]) == 0
    result = json.loads(capsys.readouterr().out)
    members = {member["name"]: member for member in result["members"]}
    assert set(members) == {"apgd-mce-bal", "apgd-mce", "apgd-js"}
    for rate in ("miou", "nmiou", "pixel_accuracy", "image_accuracy"):
        assert result["adversarial"][rate] <= min(member["figures"][rate] for member in members.values()) + 1e-9
    assert sum(member["wins"] for member in members.values()) == pytest.approx(1)
    assert result["gradient_evaluations"] == 9
    assert 0 < result["constant_miou"] < 1


def test_evaluate_smallest_perturbations(small_data, capsys):
    command = ["evaluate", "--data", str(small_data), "--limit", "2", "--attack", "pdpgd", "--steps", "40", "--unclipped", "--json", "-"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    thresholds = {row["threshold"]: row for row in result["smallest"]}
    assert set(thresholds) == {0.9, 0.98, 0.99}
    assert 2 >= thresholds[0.9]["reached"] >= thresholds[0.98]["reached"] >= thresholds[0.99]["reached"]
    assert thresholds[0.9]["reached"] > 0
    medians = [row["median"] for row in result["smallest"] if row["median"] is not None]
    assert medians == sorted(medians)
    assert not Path("-").exists()


def test_published_settings_region_and_variant(small_photo, capsys):
    command = ["attack", "--image", small_photo, "--eps", "8"]
    assert main([*command, "--attack", "ifgsm", "--published"]) == 0
    result = json.loads(capsys.readouterr().out)
    # Arnab et al.: ceil(min(8 + 4, 1.25 * 8)) iterations of one grey level, against the own prediction.
    assert (result["steps"], result["alpha"], result["against"]) == (10, 1, "prediction")
    assert main(["attacks", "--json"]) == 0
    papers = {row["key"]: row["published"] for row in json.loads(capsys.readouterr().out)}
    assert papers["ifgsm"][0] == "Arnab et al., 2018"
    assert main([*command, "--attack", "ifgsm", "--published", "kurakin"]) == 0
    assert json.loads(capsys.readouterr().out)["against"] == "truth"
    assert main([*command, "--attack", "ifgsm", "--published", "nobody"]) == 2
    assert "no settings of 'nobody' for I-FGSM. Known: Arnab et al., 2018, Kurakin et al., 2016." in capsys.readouterr().err
    polygon = "polygon:0,0 50,0 50,100 0,100"
    assert main([*command, "--attack", "apgd-js", "--steps", "2", "--variant", "constant", "--region", polygon]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["variant"], result["region"]) == ("constant", polygon)
    assert main([*command, "--attack", "mi-fgsm", "--steps", "2", "--transform", "si", "--transform", "ti"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["transforms"], result["gradient_evaluations"]) == (["si", "ti"], 10)


def test_evaluate_takes_the_folder_from_the_environment_and_checks_label_sets(small_data, monkeypatch, capsys):
    monkeypatch.setenv("SEGVIZ_DATA", str(small_data))
    assert main(["evaluate", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["label_set"] == "VOC7"
    assert main(["evaluate", "--limit", "1", "--data-labels", "Cityscapes19"]) == 2
    assert "no meaningful counterpart" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: Image.new("L", (50, 40)).save(folder / "labels" / "horses.png"), "labels/horses.png: The label map is 50x40"),
        (lambda folder: Image.new("L", (128, 96), 99).save(folder / "labels" / "person.png"), "labels/person.png: The label map holds"),
        (lambda folder: (folder / "images" / "person.png").write_bytes(b"no picture"), "images/person.png: This is not a picture"),
        (lambda folder: [Image.new("L", (128, 96), 255).save(file) for file in (folder / "labels").iterdir()], "void everywhere"),
    ],
)
def test_evaluate_says_which_file_of_a_folder_is_wrong(small_data, tmp_path, capsys, change, message):
    (folder := tmp_path / "data").mkdir()
    for part in ("images", "labels"):
        shutil.copytree(small_data / part, folder / part)
        (folder / part / "astronaut.png").unlink()
    change(folder)
    assert main(["evaluate", "--data", str(folder)]) == 2
    assert message in capsys.readouterr().err.replace(str(folder) + "/", "").splitlines()[-1]


def test_certify_writes_json_and_pictures(small_photo, tmp_path, capsys):
    out, folder = tmp_path / "new" / "out.json", tmp_path / "pictures"
    command = ["certify", "--image", small_photo, "--sigma", "0.02", "--n0", "2", "--n", "60", "--json", str(out), "--save", str(folder)]
    assert main(command) == 0
    assert "certified within an L2 radius of 3.4 grey levels" in capsys.readouterr().err
    result = json.loads(out.read_text())
    assert (result["sigma"], result["first_looks"], result["looks"], result["looks_taken"]) == (0.02, 2, 60, 62)
    assert (result["reference"], result["stopped"], result["scope"]) == ("own prediction", False, "one image")
    assert result["radius_grey_levels"] == pytest.approx(255 * 0.02 * 0.67449, rel=1e-4)
    assert result["eps"] == pytest.approx(result["radius_grey_levels"] / np.sqrt(3 * 64 * 96))
    assert set(result["certified"]["iou"]) == {"background", "cat", "cow", "dog", "horse", "person", "sheep"}
    pictures = {file.stem: np.asarray(Image.open(file)) for file in folder.iterdir()}
    assert set(pictures) == {"input", "clean_map", "noisy_map", "certified_map"}
    white = (pictures["certified_map"] == 255).all(2)
    assert white.mean() == pytest.approx(result["abstained"])
    assert 0 < white.mean() < 0.5
    assert (pictures["certified_map"] == pictures["noisy_map"])[~white].all()


def test_why_writes_json_and_pictures(small_photo, tmp_path):
    out, folder = tmp_path / "out.json", tmp_path / "pictures"
    assert main(["why", "--image", small_photo, "--at", "40,20", "--json", str(out), "--save", str(folder)]) == 0
    result = json.loads(out.read_text())
    assert (result["x"], result["y"], result["width"], result["height"], result["class"]) == (40, 20, 96, 64, "cat")
    assert 0 < result["reach"]["0.5"] <= result["reach"]["0.9"] <= 56
    assert {file.name: Image.open(file).size for file in folder.iterdir()} == {"gradient.png": (96, 64), "integrated.png": (96, 64)}


@pytest.mark.parametrize(("at", "said"), [("96,0", "x goes from 0 to 95"), ("1;2", "no pixel"), ("-1,2", "")])
def test_why_wants_a_pixel_of_the_picture(small_photo, capsys, at, said):
    try:
        code = main(["why", "--image", small_photo, "--at", at])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert said in capsys.readouterr().err


def test_certify_adds_up_a_data_set(small_data, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SEGVIZ_DATA", raising=False)
    data = shutil.copytree(small_data, tmp_path / "data")
    void = sorted((data / "labels").iterdir())[0]
    Image.fromarray(np.full_like(np.asarray(Image.open(void)), 255)).save(void)
    command = ["certify", "--data", str(data), "--limit", "3", "--sigma", "0.02", "--n0", "1", "--n", "70"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["scope"], result["pictures"], result["warnings"]) == ("data set", 2, [])
    assert [lacking["picture"] for lacking in result["left_out"]] == [void.stem]
    assert 0.3 < result["certified"]["pixel_accuracy"] < 1
    assert result["certified"]["pixel_accuracy"] + result["abstained"] < 1.05


def test_scale_attack_is_what_the_library_makes_of_the_written_picture(small_photo, tmp_path):
    target = tmp_path / "target.png"
    Image.open(ASSETS / "samples" / "astronaut.png").convert("RGB").resize((64, 64)).save(target)
    out, figures = tmp_path / "new" / "attack.png", tmp_path / "out.json"
    command = ["scale-attack", "--source", small_photo, "--target", str(target), "--size", "24x16"]
    assert main([*command, "--library", "opencv", "--kernel", "linear", "--eps", "1", "--out", str(out), "--json", str(figures)]) == 0
    result = json.loads(figures.read_text())
    attack = np.asarray(Image.open(out))
    wanted = np.asarray(Image.open(target).resize((24, 16), Image.Resampling.LANCZOS))
    error = np.abs(cv2.resize(attack, (24, 16), interpolation=cv2.INTER_LINEAR).astype(int) - wanted)
    assert (result["feasible"], result["max_error"], result["mean_error"]) == (True, error.max(), pytest.approx(error.mean()))
    assert result["max_error"] == 1
    assert (result["source_size"], result["size"], result["verdict"]) == ([96, 64], [24, 16], "optimal")
    mse = np.square(attack.astype(float) - np.asarray(Image.open(small_photo))).mean()
    assert result["psnr"] == pytest.approx(10 * np.log10(255**2 / mse), rel=1e-4)
    assert {"ssim", "changed_pixels", "seconds", "linf", "l2"} <= set(result)


def test_scale_attack_by_ratio_reports_what_is_out_of_reach(small_photo, capsys):
    command = ["scale-attack", "--source", small_photo, "--target", CHELSEA, "--ratio", "4", "--eps", "0"]
    assert main([*command, "--library", "torch", "--kernel", "cubic"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["size"], result["feasible"], result["max_error"], result["antialias"]) == ([24, 16], True, 0, False)
    stripes = np.zeros((16, 24, 3), np.uint8)
    stripes[:, ::2] = 255
    file = Path(small_photo).with_name("stripes.png")
    Image.fromarray(stripes.repeat(4, 0).repeat(4, 1)).save(file)
    command[4] = str(file)
    assert main([*command, "--library", "pillow", "--kernel", "linear"]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["feasible"], result["verdict"]) == (False, "infeasible")
    assert result["missed_pixels"] > 0
    assert "Misses the target" in output.err


def test_listings(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    assert main(["models", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)
    assert [model["key"] for model in models] == list(MODELS)
    assert models[0]["key"] == "voc7-lraspp"
    assert models[0]["state"] == "bundled"
    espnet = next(model for model in models if model["key"] == "espnetv2-voc-2.0-384")
    assert (espnet["state"], espnet["label_set"], espnet["licence"]) == ("to be downloaded", "VOC21", "MIT")
    assert {"enet-city", "torchvision-deeplabv3-resnet50", "espnetv2-city-2.0-1024x512"} <= {model["key"] for model in models}
    assert main(["attacks", "--json"]) == 0
    keys = "fgsm fgsm-ll ifgsm ifgsm-ll pgd mi-fgsm segpgd cospgd apgd-ce apgd-mce apgd-mce-bal apgd-js apgd-msl padam-ce padam-cos"
    further = "cira cira-plus dag almaprox pdpgd eroseg sea battery quick"
    assert set(f"{keys} {further}".split()) <= {attack["key"] for attack in json.loads(capsys.readouterr().out)}
    assert main(["models"]) == main(["attacks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(MODELS) + len(ATTACKS)
    row = next(line for line in lines if line.startswith("espnetv2-voc-2.0-384 "))
    assert all(part in row for part in ("to be downloaded", "VOC21", "3.4 MB", "MIT"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["attack", "--image", CHELSEA],
        ["attack", "--image", CHELSEA, "--attack", "nonsense"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--model", "nonsense"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--eps", "-1"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--eps", "four"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--steps", "0"],
        ["attack", "--image", CHELSEA, "--attack", "fgsm", "--restarts", "2"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--goal", "everywhere"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--goal", "everywhere", "--target", "zebra"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--variant", "constant"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--layer", "encoder"],
        ["attack", "--image", CHELSEA, "--attack", "cira", "--layer", "nowhere"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--published"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--region", "circle:1"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--transform", "magic"],
        ["attack", "--image", CHELSEA, "--attack", "cira", "--transform", "di"],
        ["attack", "--image", CHELSEA, "--attack", "pgd", "--goal", "swap", "--target", "cat"],
        ["attack", "--image", "no/such/file.png", "--attack", "pgd"],
        ["attack", "--image", __file__, "--attack", "pgd"],
        ["attack", "--image", CHELSEA, "--labels", CHELSEA, "--attack", "pgd"],
        ["attack", "--image", CHELSEA, "--attack", "fgsm", "--json", "/dev/null/out.json"],
        ["evaluate", "--data", "no/such/folder"],
        ["certify"],
        ["certify", "--image", CHELSEA, "--tau", "0.4"],
        ["certify", "--image", CHELSEA, "--n", "20"],
        ["certify", "--image", CHELSEA, "--sigma", "0"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--size", "64"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--size", "99999x99999"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--ratio", "0.5"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--ratio", "4", "--size", "64x64"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--ratio", "4", "--kernel", "box"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--ratio", "4", "--eps", "-1"],
        ["scale-attack", "--source", CHELSEA, "--target", CHELSEA, "--ratio", "4", "--out", "attack.jpg"],
        ["scale-attack", "--source", "no/such/file.png", "--target", CHELSEA, "--ratio", "4"],
    ],
)
def test_wrong_arguments_end_in_one_line_and_code_2(arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert len(lines[0]) > 20


def test_transfer(small_data, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SEGVIZ_DATA", raising=False)
    table, out = tmp_path / "new" / "out.csv", tmp_path / "out.json"
    command = ["transfer", "--sources", "voc7-lraspp", "--victims", "voc7-lraspp", "voc7-fcn8s+scale50", "--eps", "8", "--steps", "2"]
    assert main([*command, "--data", str(small_data), "--limit", "2", "--csv", str(table), "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "PGD: IoU ratio in % over 2 pictures" in printed.err
    result = json.loads(out.read_text())
    assert (result["scope"], result["pictures"], result["reference"]) == ("data set", 2, "label map")
    rows = list(csv.DictReader(table.open()))
    assert [(row["source"], row["victim"]) for row in rows] == [
        ("voc7-lraspp", "voc7-lraspp"),
        ("voc7-lraspp", "voc7-fcn8s+scale50"),
    ]
    for row, cell in zip(rows, result["cells"], strict=True):
        assert float(row["iou_ratio"]) == pytest.approx(cell["miou"] / cell["clean_miou"])
    photo = str(small_data / "images" / "person.png")
    assert main([*command, "--image", photo, "--study", "transforms", "--transform", "si", "--steps", "5"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["scope"], result["reference"]) == ("one image", "own prediction")
    assert [(run["name"], run["steps"], run["gradient_evaluations"]) for run in result["runs"]] == [("plain", 5, 5), ("si", 1, 5)]
    assert main([*command, "--limit", "1", "--study", "curves", "--attack", "ifgsm"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["iteration"] for cell in cells if cell["victim"] == "voc7-lraspp"] == [0, 1, 2, "result"]
    assert main([*command, "--study", "scales", "--attack", "pgd"]) == 2
    assert main(["transfer", "--sources", "voc7-lraspp", "enet-city", "--attack", "fgsm"]) == 2
    assert "no label set in common" in capsys.readouterr().err


def test_defences_prints_a_table(small_data, tmp_path, capsys):
    report = tmp_path / "report.html"
    command = ["defences", "--attack", "fgsm", "--budget", "4", "--defence", "median=5", "--data", str(small_data), "--limit", "2"]
    assert main([*command, "--report", str(report)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("defence,views,pictures,clean,naive,adaptive")
    assert [row.split(",")[:3] for row in rows] == [["", "1", "2"], ["median=5", "1", "2"]]
    assert f"<td>{float(rows[1].split(',')[4]):.1%}</td>" in report.read_text()
    assert main(["defences", "--attack", "fgsm", "--defence", "magic"]) == 2
    assert "Unknown defence 'magic'" in capsys.readouterr().err
