"""Health, figures and the password, over the routes alone."""

import asyncio
import re

import pytest
import runs
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from waiting import wait_until

from segviz.engine.jobs import Engine
from segviz.live import password
from segviz.live.routes import Live
from segviz.live.service import Service


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def figures(client: TestClient, path: str = "/metrics") -> dict[str, float]:
    answer = client.get(path)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {sample.name + "".join(sorted(sample.labels.values())): sample.value for family in families for sample in family.samples}


def test_figures_follow_the_runs(engine):
    client = TestClient(Starlette(routes=Service(Live(lambda: engine).streams, lambda: engine).routes("/below/")))
    assert client.get("/below/healthz").text == "ok"
    assert figures(client, "/below/metrics")["segviz_step_seconds_count"] == 0
    job = engine.submit("a", runs.counting, (5,), view=runs.counted)
    wait_until(lambda: not job.active)
    found = figures(client, "/below/metrics")
    assert found["segviz_runs_ended_totaldone"] == 1
    assert found["segviz_runsrunning"] == found["segviz_runswaiting"] == found["segviz_queue"] == found["segviz_streams"] == 0
    assert found["segviz_step_seconds_count"] >= 5
    assert found["segviz_step_seconds_sum"] > 0
    assert found["process_resident_memory_bytes"] > 2**20


def test_a_server_that_has_ended_is_not_healthy(engine):
    client = TestClient(Starlette(routes=Service(Live(lambda: engine).streams, lambda: engine).routes()))
    assert client.get("/healthz").status_code == 200
    engine.close()
    assert client.get("/healthz").status_code == 503


@pytest.fixture
def gated(monkeypatch) -> TestClient:
    """An app of a page, a stream, health and figures below /lab behind the password."""
    monkeypatch.setattr(password, "WRONG_SECONDS", 0)

    async def page(request):
        return PlainTextResponse("the app")

    async def stream(socket):
        await socket.accept()
        await socket.send_text("news")

    routes = [Route(f"/lab{path}", page) for path in ("/", "/compare", "/healthz", "/metrics")]
    app = Starlette(
        routes=[*routes, WebSocketRoute("/lab/live/x", stream)],
        middleware=[Middleware(password.PasswordGate, password="pässword", base="/lab")],
    )
    return TestClient(app, follow_redirects=False)


def test_nothing_is_seen_without_the_password(gated):
    assert gated.get("/lab/healthz").text == "the app"
    for path in ("/lab/", "/lab/compare", "/lab/metrics"):
        answer = gated.get(path)
        assert (answer.status_code, "the app" in answer.text) == (401, False)
    with pytest.raises(WebSocketDisconnect) as closed, gated.websocket_connect("/lab/live/x") as stream:
        stream.receive_text()
    assert closed.value.code == 4401


def test_signing_in_leads_to_the_page_and_opens_the_streams(gated):
    form = gated.get("/lab/compare?a=1&b=2", headers={"accept": "text/html"})
    assert form.status_code == 401
    assert 'action="/lab/sign-in"' in form.text
    then = re.search('name="next" value="([^"]*)"', form.text)[1].replace("&amp;", "&")
    wrong = gated.post("/lab/sign-in", data={"password": "guess", "next": then})
    assert wrong.status_code == 401
    assert "This is not the password." in wrong.text
    right = gated.post("/lab/sign-in", data={"password": "pässword", "next": then})
    assert (right.status_code, right.headers["location"]) == (303, "/lab/compare?a=1&b=2")
    assert "HttpOnly" in right.headers["set-cookie"]
    assert gated.get("/lab/").text == "the app"
    with gated.websocket_connect("/lab/live/x") as stream:
        assert stream.receive_text() == "news"


@pytest.mark.parametrize("then", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"])
def test_signing_in_leads_nowhere_else(gated, then):
    assert gated.post("/lab/sign-in", data={"password": "pässword", "next": then}).headers["location"] == "/lab/"


def test_programs_give_the_password_as_basic(gated):
    assert gated.get("/lab/metrics", auth=("any", "pässword")).text == "the app"
    assert gated.get("/lab/metrics", auth=("any", "wrong")).status_code == 401
    assert gated.get("/lab/metrics", headers={"authorization": "Basic !"}).status_code == 401


def test_wrong_passwords_are_answered_one_at_a_time(monkeypatch):
    asleep: list[int] = []
    now = 0

    async def sleep(seconds):
        nonlocal now
        now += 1
        asleep.append(now)
        await real(0)
        now -= 1

    real = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def guesses():
        gate = password.PasswordGate(Starlette(), "right")
        return await asyncio.gather(*(gate.is_password(str(number)) for number in range(5)))

    assert asyncio.run(guesses()) == [False] * 5
    assert asleep == [1] * 5
