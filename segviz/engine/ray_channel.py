"""The server's end of an engine on a machine of a Ray cluster; Ray is needed only here."""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

from segviz.engine.channel import Hear, Process
from segviz.engine.messages import FromWorker, Hello, ToWorker
from segviz.places import CODE

JOINING = threading.Lock()

logger = logging.getLogger(__name__)


class Relay:
    """An actor on a machine of the cluster: it has an engine process there, and passes on what is said."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[FromWorker | None] = queue.SimpleQueue()
        self._process = Process(self._told.put)

    def send(self, message: ToWorker) -> None:
        """Say something to the engine."""
        self._process.send(message)

    def listen(self) -> Iterator[FromWorker]:
        """All that the engine says, until it has ended."""
        while (message := self._told.get()) is not None:
            yield message


class RayChannel:
    """An engine that Ray places on a machine with a free GPU or, in a cluster without any, on some machine.

    Joins the cluster that the environment variable RAY_ADDRESS names, else starts one on this machine. There is an engine for each GPU,
    else for each machine; one that was lost comes back where there is room. This package has to be installed on all machines.
    """

    def __init__(self, hear: Hear, device: int | None = None):
        self._hear = hear
        self._outgoing: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._actor: Any = None
        self._ended = False
        threading.Thread(target=self._run, name="segviz-ray", daemon=True).start()

    def send(self, message: ToWorker) -> None:
        """Send a message; returns at once."""
        self._outgoing.put(message)

    def end(self) -> None:
        """Kill the actor, with which its process ends."""
        self._ended = True
        self._outgoing.put(None)
        self._kill()

    def _kill(self) -> None:
        # Once: who asks Ray for something after it was shut down starts it anew.
        actor, self._actor = self._actor, None
        if actor is not None:
            import ray

            with contextlib.suppress(Exception):
                ray.kill(actor)

    def _run(self) -> None:
        try:
            self._serve()
        except ModuleNotFoundError:
            logger.error("SEGVIZ_ENGINE=ray needs Ray. Install it with: pip install ray")
        except Exception as error:
            if not self._ended:
                logger.error("An engine on the Ray cluster was lost: %s", error)
        self._outgoing.put(None)
        self._hear(None)

    def _serve(self) -> None:
        """Have the actor placed, and pass on what it says until it is no more."""
        # Whatever is asked of Ray while the server ends is not to start another cluster.
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
        import ray

        with JOINING:
            if not ray.is_initialized():
                ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, configure_logging=False)
        gpus = int(ray.cluster_resources().get("GPU", 0))
        path = os.pathsep.join([str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])])
        place = {
            "num_cpus": 1,
            "num_gpus": 1 if gpus else 0,
            "max_concurrency": 2,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": {"PYTHONPATH": path}},
        }
        actor: Any = ray.remote(Relay).options(**place).remote()
        self._actor = actor
        if self._ended:
            self._kill()
        threading.Thread(target=self._write, args=(actor,), name="segviz-ray", daemon=True).start()
        for told in actor.listen.remote():
            message = ray.get(told)
            if isinstance(message, Hello):
                message = Hello(gpus or sum(node["Alive"] for node in ray.nodes()))
            self._hear(message)

    def _write(self, actor: Any) -> None:
        import ray

        with contextlib.suppress(Exception):
            while (message := self._outgoing.get()) is not None:
                # One after the other: Ray promises no order to an actor that also listens.
                ray.get(actor.send.remote(message))
