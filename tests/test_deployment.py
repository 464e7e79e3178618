"""What puts the app somewhere: files that tools read, and the app as a container runs it, below a path and behind a password."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.error import HTTPError

import pytest
import yaml
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from segviz.live.routes import GONE
from segviz.places import HOME

INSTRUCTION = re.compile(r"^(ARG|FROM|ENV|COPY|RUN|WORKDIR|USER|VOLUME|EXPOSE|HEALTHCHECK|CMD) (.+)$")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, a pair per instruction."""
    text = re.sub(r"\\\n\s*", "", (HOME / "Dockerfile").read_text())
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    found = [INSTRUCTION.match(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [match.groups() for match in found]


def values(instruction: str) -> list[str]:
    return [value for name, value in instructions() if name == instruction]


def test_the_image_is_built_of_what_is_here():
    stages = [re.fullmatch(r"(\S+) AS (\w+)", value).groups() for value in values("FROM")]
    assert [name for _, name in stages] == ["base", "dev", "app"]
    assert {source for source, name in stages if name != "base"} == {"base"}
    copied = [value.split()[-2] for value in values("COPY")]
    assert all((HOME / source).exists() for source in copied)
    ignored = (HOME / ".dockerignore").read_text().split()
    needed = {"app.py", "pages", "segviz", "assets", ".streamlit", "requirements.txt"}
    assert not needed & set(ignored)
    assert all((HOME / name).exists() for name in needed)


def test_the_image_runs_the_app_as_somebody_without_rights():
    command = json.loads(values("CMD")[-1])
    assert command[:3] == ["streamlit", "run", "app.py"]
    assert f"--server.port={values('EXPOSE')[-1]}" in command
    assert values("USER")[-1] == "segviz"
    check = json.loads(values("HEALTHCHECK")[-1].partition("CMD ")[2])
    compile(check[-1], "healthcheck", "exec")


def test_torch_is_taken_for_the_device_that_was_asked_for():
    assert "TORCH=cpu" in values("ARG")
    install = next(value for value in values("RUN") if "pip install" in value)
    assert install.index("whl/${TORCH}") < install.index("-r /tmp/requirements.txt")
    pattern = re.search(r"grep -E '([^']+)'", install)[1]
    taken = [line for line in (HOME / "requirements.txt").read_text().split("\n") if re.search(pattern, line)]
    assert [re.split("[<>=]", line)[0] for line in taken] == ["torch", "torchvision"]


def test_compose_builds_for_both_devices():
    services = yaml.safe_load((HOME / "compose.yaml").read_text())["services"]
    cpu, gpu = services["segviz"], services["segviz-gpu"]
    assert cpu["build"]["args"] == {"TORCH": "cpu"}
    assert gpu["build"]["args"]["TORCH"].startswith("cu")
    assert gpu["environment"] == cpu["environment"]
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    known = (HOME / "docs" / "deployment.md").read_text()
    assert all(f"`{name}`" in known or f"`{name}=" in known for name in cpu["environment"])


def test_a_space_reads_the_header_of_the_readme():
    header = yaml.safe_load((HOME / "README.md").read_text().split("---\n")[1])
    assert (header["sdk"], str(header["app_port"])) == ("docker", values("EXPOSE")[-1])
    assert {header["colorFrom"], header["colorTo"]} <= {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_devcontainer_is_a_stage_of_the_image():
    found = json.loads((HOME / ".devcontainer" / "devcontainer.json").read_text())
    assert (HOME / ".devcontainer" / found["build"]["dockerfile"]).resolve() == HOME / "Dockerfile"
    assert any(value.endswith(f" AS {found['build']['target']}") for value in values("FROM"))
    assert found["remoteUser"] in values("USER")


def test_the_app_below_a_path_and_behind_a_password(tmp_path):
    """Pages, streams, health and figures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"SEGVIZ_PASSWORD": "open sesame", "STREAMLIT_SERVER_BASE_URL_PATH": "lab", "SEGVIZ_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    server = subprocess.Popen(command, cwd=HOME, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def status(path: str, **headers: str) -> int:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=30) as answer:
                return answer.status
        except HTTPError as error:
            return error.code

    try:
        while True:
            assert server.poll() is None, server.stdout.read()
            try:
                assert status("/lab/healthz") == 200
                break
            except OSError:
                time.sleep(0.1)
        entry = {"Authorization": "Basic Om9wZW4gc2VzYW1l"}
        for path in ("/lab/", "/lab/metrics", "/lab/_stcore/host-config"):
            assert status(path) == 401
            assert status(path, **entry) == 200
        figures: dict[str, str] = {}
        # The engine starts once the server has answered.
        while "segviz_engine_process_resident_memory_bytes" not in figures:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{port}/lab/metrics", headers=entry), timeout=30
            ) as answer:
                figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().split("\n") if line and not line.startswith("#"))
            time.sleep(0.1)
        for process in ("process", "segviz_engine_process"):
            assert float(figures[f"{process}_resident_memory_bytes"]) > 2**20
        address = f"ws://127.0.0.1:{port}/lab/live/none"
        with pytest.raises(InvalidStatus) as refused:
            connect(address)
        assert refused.value.response.status_code == 403
        with connect(address, additional_headers=entry) as stream:
            while stream.close_code is None:
                with pytest.raises(Exception, match=str(GONE)):
                    stream.recv(timeout=30)
        assert stream.close_code == GONE
    finally:
        server.terminate()
        server.communicate()
