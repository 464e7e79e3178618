"""The package: what the wheel holds, and the command that it installs, away from the checkout."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path
from zipfile import ZipFile

import pytest

from segviz import __version__
from segviz.cli import main
from segviz.places import HOME


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(HOME),
    ]
    subprocess.run(build, check=True)
    return next(folder.glob("segviz-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of the wheel alone."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(folder), str(wheel)], check=True
    )
    return folder


def segviz(installed: Path, elsewhere: Path, *arguments: str) -> subprocess.Popen[str]:
    """The installed command, run in the folder `elsewhere`."""
    return subprocess.Popen(
        [sys.executable, str(installed / "bin" / "segviz"), *arguments],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(installed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_wheel_holds_what_the_app_needs(wheel):
    """Every file of the package, the app, its pages, its configuration and its assets; screenshots stay behind."""
    held = {name.removeprefix("segviz/app/") for name in ZipFile(wheel).namelist()}
    wanted = [HOME / "app.py", HOME / ".streamlit" / "config.toml"]
    for folder in ("segviz", "pages", "assets"):
        wanted += [file for file in (HOME / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    names = {file.relative_to(HOME).as_posix() for file in wanted}
    screenshots = {name for name in names if name.startswith("assets/screenshots/")}
    assert screenshots
    assert {"segviz/ui/viewer/viewer.js", "assets/models/voc7-lraspp.safetensors", "pages/attack_lab.py"} <= names
    assert names - screenshots <= held
    assert not screenshots & held


def test_the_wheel_asks_for_what_requirements_txt_says(wheel):
    with ZipFile(wheel) as archive:
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    asked = {canonical(line) for line in re.findall(r"^Requires-Dist: ([^;\n]+)$", metadata, re.MULTILINE)}
    assert asked == {canonical(line) for line in (HOME / "requirements.txt").read_text().split("\n") if line}
    assert f"\nVersion: {__version__}\n" in metadata


def test_requirements_of_the_tests_are_those_of_the_extras():
    """`pip install -r tests/requirements.txt` and `pip install -e .[dev]` lead to the same, but for what commits ask for."""
    extras = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) == {"hub", "ray", "dev"}
    first, *lines = (HOME / "tests" / "requirements.txt").read_text().split()
    assert [first, lines.pop(0)] == ["-r", "../requirements.txt"]
    every = {line for extra in extras.values() for line in extra} - {"segviz[hub,ray]", "pre-commit>=4"}
    assert set(lines) == every


def canonical(requirement: str) -> tuple[str, frozenset[str]]:
    """Name and bounds of a requirement, in any order."""
    name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement.strip()).groups()
    return name, frozenset(bounds.split(","))


def test_the_command_does_what_the_module_does(installed, tmp_path, capsys):
    process = segviz(installed, tmp_path, "models", "--json")
    out, _ = process.communicate()
    assert process.returncode == 0
    assert main(["models", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert [model["key"] for model in json.loads(out)] == [model["key"] for model in here]
    assert {model["state"] for model in json.loads(out) if model["key"].startswith("voc7-")} == {"bundled"}


def test_an_attack_from_elsewhere(installed, tmp_path):
    process = segviz(installed, tmp_path, "attack", "--image", "chelsea", "--attack", "fgsm", "--json", "out.json", "--save", "pictures")
    out, _ = process.communicate()
    assert process.returncode == 0, out
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["adversarial"]["miou"] < result["clean"]["miou"]
    assert str(installed) in result["image"]
    assert (tmp_path / "pictures" / "adversarial.png").is_file()


def test_own_models_are_looked_for_in_the_current_folder(installed, tmp_path):
    (tmp_path / "segviz.toml").write_text("[models.mine]\nfactory = 'nowhere.py:build'\n")
    out, _ = segviz(installed, tmp_path, "models").communicate()
    assert f"[models.mine] in {tmp_path / 'segviz.toml'}" in out


def test_the_app_from_elsewhere(installed, tmp_path):
    """With the configuration that comes along, and with an option for Streamlit."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = segviz(installed, tmp_path, "app", "--server.headless", "true", "--server.port", str(port))
    try:
        while True:
            assert server.poll() is None, server.stdout.read()
            try:
                assert urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).read() == b"ok"
                break
            except OSError:
                time.sleep(0.1)
    finally:
        server.terminate()
        server.communicate()


def test_the_app_finds_its_configuration(installed, tmp_path):
    """As Streamlit reads it when it is started with the installed app.py."""
    script = (
        "from segviz.places import APP; from streamlit import config; config._main_script_path = str(APP); "
        "print(config.get_config_options(force_reparse=True)['server.maxUploadSize'].value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "10"


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"segviz {__version__}\n"


def test_only_the_app_passes_arguments_on(capsys):
    with pytest.raises(SystemExit) as end:
        main(["models", "--server.port", "8600"])
    assert end.value.code == 2
    assert "unrecognized arguments: --server.port 8600" in capsys.readouterr().err
