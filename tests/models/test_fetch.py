"""Downloads against a local server: whole, cut, resumed, refused, offline, at once."""

import hashlib
import http.server
import socket
import threading

import pytest

from segviz.models import fetch as module
from segviz.models.fetch import fetch
from segviz.types import UserError

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `cut_at` closes the connection after that many bytes, once; `ranges` honours Range."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut_at, self.ranges, self.seen, self.body = None, True, [], CONTENT
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append(asked)
        if self.path != "/weights.pth":
            self.send_error(404)
            return
        body, start = self.server.body, 0
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        cut, self.server.cut_at = self.server.cut_at, None
        self.wfile.write(body[start:cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def test_whole_download_reports_progress(server, tmp_path):
    seen = []
    file = fetch(server.url, tmp_path / "new" / "weights.pth", SHA, lambda done, total: seen.append((done, total)))
    assert file.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert not file.with_name("weights.pth.part").exists()
    assert fetch(server.url, file, SHA[:8]) == file
    assert server.seen == [None]


def test_good_file_in_a_folder_that_cannot_be_written(server, tmp_path, monkeypatch):
    def refuse(file):
        raise PermissionError(13, "Read-only file system")

    (tmp_path / "weights.pth").write_bytes(CONTENT)
    monkeypatch.setattr(module, "locked", refuse)
    assert fetch(server.url, tmp_path / "weights.pth", SHA) == tmp_path / "weights.pth"
    with pytest.raises(UserError, match="Cannot write"):
        fetch(server.url, tmp_path / "other.pth", SHA)


def test_goes_on_after_a_cut(server, tmp_path):
    server.cut_at = 300_000
    assert fetch(server.url, tmp_path / "weights.pth", SHA).read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-"]


def test_goes_on_after_an_interrupted_call(server, tmp_path):
    def stop_half_way(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, tmp_path / "weights.pth", SHA, stop_half_way)
    assert not (tmp_path / "weights.pth").exists()
    assert fetch(server.url, tmp_path / "weights.pth", SHA).read_bytes() == CONTENT
    assert server.seen[1].startswith("bytes=")


def test_server_that_ignores_ranges(server, tmp_path):
    server.cut_at, server.ranges = 300_000, False
    assert fetch(server.url, tmp_path / "weights.pth", SHA).read_bytes() == CONTENT


@pytest.mark.parametrize("left_over", [CONTENT, CONTENT + b"more"])
def test_left_over_part_as_long_as_the_file_or_longer(server, tmp_path, left_over):
    (tmp_path / "weights.pth.part").write_bytes(left_over)
    assert fetch(server.url, tmp_path / "weights.pth", SHA).read_bytes() == CONTENT


def test_wrong_hash_is_refused_and_removed(server, tmp_path):
    server.body = b"something else"
    with pytest.raises(UserError, match="refused and removed"):
        fetch(server.url, tmp_path / "weights.pth", SHA)
    assert {file.name for file in tmp_path.iterdir()} == {"weights.pth.lock"}


def test_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "weights.pth").write_bytes(CONTENT[:-1])
    assert fetch(server.url, tmp_path / "weights.pth", SHA).read_bytes() == CONTENT


def test_missing_at_the_server(server, tmp_path):
    with pytest.raises(UserError, match="404"):
        fetch(server.url.replace("weights", "other"), tmp_path / "weights.pth", SHA)
    assert server.seen == [None]


def test_offline_names_file_address_and_place_and_accepts_a_file_put_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"
    file = tmp_path / "weights.pth"
    with pytest.raises(UserError) as caught:
        fetch(url, file, SHA)
    assert url in str(caught.value)
    assert str(file) in str(caught.value)
    file.write_bytes(CONTENT)
    assert fetch(url, file, SHA) == file
    file.write_bytes(b"by hand, but wrong")
    with pytest.raises(UserError, match="another sha256 and was removed"):
        fetch(url, file, SHA)
    assert not file.exists()


def test_many_at_once_download_once(server, tmp_path):
    results = []
    threads = [threading.Thread(target=lambda: results.append(fetch(server.url, tmp_path / "weights.pth", SHA))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert server.seen == [None]


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        fetch(server.url, tmp_path / "file" / "weights.pth", SHA)


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGVIZ_CACHE", str(tmp_path))
    assert module.cache_folder() == tmp_path
