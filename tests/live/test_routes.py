"""Streams of live runs: whole whatever the pace, pictures without loss, limits that hold."""

import io
import json
import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import numpy as np
import pytest
import runs
from PIL import Image
from waiting import LIMIT, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from segviz.engine.view import LiveView
from segviz.live import routes


def counting(server, steps, **options):
    return server.engine.submit("a", runs.counting, (steps,), view=runs.counted, **options)


def messages(stream):
    """All messages to the end, and the code that it was closed with."""
    found = []
    try:
        while True:
            found.append(json.loads(stream.recv(timeout=LIMIT)))
    except ConnectionClosed as closed:
        return found, closed.rcvd.code if closed.rcvd else None


def get(url):
    with urllib.request.urlopen(url, timeout=LIMIT) as answer:
        return answer.read(), answer.headers


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_stream_tells_all_points_once_and_ends_with_the_run(server):
    job = counting(server, 200)
    with connect(f"{server.ws}/live/{job.run.id}") as stream:
        found, code = messages(stream)
    assert code == 1000
    assert found[-1]["state"] == "done"
    points = []
    for message in found:
        if message["view"]:
            (series,) = message["view"]["series"]
            assert series["from"] == len(points)
            points += series["y"]
    assert points == [float(number) for number in range(200)]
    assert len(found) < 100


def test_who_comes_late_gets_everything(server):
    job = counting(server, 100000)
    wait_until(lambda: job.run.news.get("done", 0) > 20)
    with connect(f"{server.ws}/live/{job.run.id}") as stream:
        message = json.loads(stream.recv(timeout=LIMIT))
    assert message["state"] == "running"
    assert len(message["view"]["series"][0]["x"]) > 20
    latest = json.loads(get(f"{server.http}/live/{job.run.id}/latest")[0])
    assert latest["view"]["series"][0]["from"] == 0
    assert latest["view"]["done"] >= message["view"]["done"]


def test_pictures_are_lossless_and_may_be_kept_for_ever(server):
    job = counting(server, 4)
    wait_until(lambda: not job.active)
    view = job.run.news["pictures"]
    address = f"{server.http}/live/{job.run.id}/frames"
    photo, headers = get(f"{address}/{view['photo']['src']}")
    assert "immutable" in headers["Cache-Control"]
    assert (pixels(photo) == 100).all()
    assert view["changed"]["base"] == "photo"
    difference = pixels(get(f"{address}/{view['changed']['src']}")[0])
    assert (pixels(photo) + difference - np.uint8(128) == 103).all()
    assert (pixels(get(f"{address}/{view['map']['src']}")[0]) == 100 % 7).all()


def test_guessed_addresses_give_nothing(server):
    job = counting(server, 100000)
    guess = job.run.id[:-1] + ("A" if job.run.id[-1] != "A" else "B")
    for path in ("latest", "frames/x.png"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{server.http}/live/{guess}/{path}")
    with connect(f"{server.ws}/live/{guess}") as stream:
        assert messages(stream) == ([], 4404)
    wait_until(lambda: bool(job.run.pictures))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{server.http}/live/{job.run.id}/frames/..%2f..%2fapp.py")


def test_too_many_streams_are_refused_with_a_reason(server, monkeypatch):
    monkeypatch.setattr(routes, "MAX_STREAMS_PER_ADDRESS", 3)
    job = counting(server, 100000)
    with ExitStack() as others:
        for _ in range(3):
            first = others.enter_context(connect(f"{server.ws}/live/{job.run.id}"))
            first.recv(timeout=LIMIT)
        with connect(f"{server.ws}/live/{job.run.id}") as stream, pytest.raises(ConnectionClosed) as refused:
            stream.recv(timeout=LIMIT)
        assert refused.value.rcvd.code == 4429
        assert "3 streams are open from this address" in refused.value.rcvd.reason
        first.close()
        wait_until(lambda: server.live.streams.by_address.total() == 2)
        with connect(f"{server.ws}/live/{job.run.id}") as stream:
            assert json.loads(stream.recv(timeout=LIMIT))["state"] == "running"
    wait_until(lambda: not server.live.streams.by_address)
    wait_until(lambda: not job.run.listeners)


def loud(number: object, *asked: object) -> LiveView:
    """A view that is far larger than any should be."""
    return LiveView(0, 0, "x" * 2_000_000)


def test_a_reader_that_never_reads_is_dropped(server, monkeypatch):
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", 0.5)
    job = server.engine.submit("a", runs.counting, (100000, 0.02), view=loud)
    wait_until(lambda: bool(job.run.news))
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.connect(("127.0.0.1", server.port))
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13"
    lazy.sendall(f"GET /live/{job.run.id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode())
    wait_until(lambda: bool(server.live.streams.by_address))
    with connect(f"{server.ws}/live/{job.run.id}", max_size=None) as stream:
        # Whoever reads is not kept waiting.
        for _ in range(3):
            stream.recv(timeout=LIMIT)
    wait_until(lambda: not server.live.streams.by_address)
    lazy.close()


def test_streams_work_below_a_path(server):
    job = counting(server, 3)
    with connect(f"{server.ws}/below/it/live/{job.run.id}") as stream:
        assert messages(stream)[0][-1]["state"] == "done"
    assert get(f"{server.http}/below/it/live/{job.run.id}/latest")


def test_a_hundred_watchers_of_one_run_get_its_end(server):
    job = counting(server, 50, key="k")
    ends = []

    def watch():
        with connect(f"{server.ws}/live/{job.run.id}") as stream:
            ends.append(messages(stream)[0][-1]["state"])

    threads = [threading.Thread(target=watch) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ends == ["done"] * 100
