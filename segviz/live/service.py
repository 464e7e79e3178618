"""What the people who run a server ask it: `/healthz` and, for Prometheus, `/metrics`."""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from segviz.engine.jobs import Engine, State, engine
from segviz.live.routes import Streams


class ServerFigures:
    """A collector of Prometheus over the engine and the streams of this server."""

    def __init__(self, engine_of: Callable[[], Engine], streams: Streams):
        self._engine, self._streams = engine_of, streams

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        running = self._engine()
        states = [run.state for run in running.runs()]
        runs = GaugeMetricFamily("segviz_runs", "Runs by what they do", labels=["state"])
        for state in (State.RUNNING, State.WAITING):
            runs.add_metric([state.value], states.count(state))
        yield runs
        yield GaugeMetricFamily("segviz_queue", "Runs that wait for a place on a device", running.in_line())
        ended = CounterMetricFamily("segviz_runs_ended", "Runs that have ended, by how", labels=["state"])
        for state, count in running.ended.items():
            ended.add_metric([state.value], count)
        yield ended
        steps = running.steps
        told = "Time of a step of a run on its device"
        yield SummaryMetricFamily("segviz_step_seconds", told, count_value=steps.count, sum_value=steps.seconds)
        models = GaugeMetricFamily("segviz_models_bytes", "Memory that models take", labels=["device"])
        room = GaugeMetricFamily("segviz_models_budget_bytes", "Memory that models may take", labels=["device"])
        for number, memory in enumerate(running.memory()):
            device = f"{number} {memory.device}".strip()
            models.add_metric([device], sum(size for _, size in memory.models))
            room.add_metric([device], memory.budget)
        yield models
        yield room
        yield GaugeMetricFamily("segviz_streams", "Streams of live runs that browsers hold open", self._streams.by_address.total())


class Service:
    """The routes over one engine and the streams of one server."""

    def __init__(self, streams: Streams, engine_of: Callable[[], Engine] = engine):
        self._engine = engine_of
        self._registry = CollectorRegistry()
        self._registry.register(ServerFigures(engine_of, streams))
        ProcessCollector(registry=self._registry)
        ProcessCollector(namespace="segviz_engine", pid=lambda: str(engine_of().process()), registry=self._registry)

    def routes(self, base: str = "") -> list[BaseRoute]:
        """The routes below the path that the server is told to be at."""
        root = f"/{base.strip('/')}" if base.strip("/") else ""
        return [Route(f"{root}/healthz", self.health), Route(f"{root}/metrics", self.metrics)]

    async def health(self, request: Request) -> Response:
        """200 while runs can be made, else 503."""
        if self._engine().alive():
            return PlainTextResponse("ok", headers={"Cache-Control": "no-store"})
        return PlainTextResponse("The engine cannot be started; the server's log tells more.", 503, headers={"Cache-Control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """The figures as Prometheus reads them."""
        text = await asyncio.to_thread(generate_latest, self._registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)
