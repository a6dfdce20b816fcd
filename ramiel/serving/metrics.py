"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from ramiel.serving.limits import Held
from ramiel.serving.models import Model

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_REQUESTS = (1, 2, 4, 8, 16, 32, 64, 128)
_MODEL = ("model", "version")


class Metrics:
    """The metrics of one server. Labels are names of models that exist, so that clients cannot
    make new ones."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "ramiel_requests",
            "Requests for inference that were answered, by HTTP status.",
            (*_MODEL, "code"),
            registry=self.registry,
        )
        self.seconds = self._histogram(
            "request_seconds", "From the headers of a request to its response.", _SECONDS
        )
        self.queue_seconds = self._histogram(
            "queue_seconds", "The time that requests wait.", _SECONDS
        )
        self.compute_seconds = self._histogram(
            "compute_seconds", "From when a request is taken to its result.", _SECONDS
        )
        self.together = self._histogram(
            "group_requests", "Requests that are computed together.", _REQUESTS
        )
        self._waiting = Gauge(
            "ramiel_waiting_requests", "Requests that wait.", _MODEL, registry=self.registry
        )

        self._held = Gauge(
            "ramiel_held_bytes",
            "Bytes of bodies of requests and responses in memory.",
            registry=self.registry,
        )

    def _histogram(self, name: str, told: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(
            f"ramiel_{name}", told, _MODEL, registry=self.registry, buckets=tuple(buckets)
        )

    def watch(self, model: Model) -> None:
        """Shows how many requests wait for a model."""
        labels = (model.name, str(model.version))
        self._waiting.labels(*labels).set_function(lambda: model.queue.waiting)

    def watch_held(self, held: Held) -> None:
        """Shows how many bytes of bodies are in memory."""
        self._held.set_function(lambda: held.bytes)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)


class Observed:
    """What is told of one model."""

    def __init__(self, metrics: Metrics, name: str, version: int) -> None:
        labels = (name, str(version))
        self._queue = metrics.queue_seconds.labels(*labels)
        self._compute = metrics.compute_seconds.labels(*labels)
        self._together = metrics.together.labels(*labels)

    def computed(self, waited_s: float, took_s: float) -> None:
        self._queue.observe(waited_s)
        self._compute.observe(took_s)

    def gathered(self, requests: int) -> None:
        self._together.observe(requests)
