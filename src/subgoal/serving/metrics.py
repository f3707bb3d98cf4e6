"""What a server counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server.

    Attributes:
        requests: Replies by route and status.
        under_way: Requests that were begun and are not answered.
        seconds: Time of a reply by route.
        tokens: Tokens that the student read or wrote (`kind`), and those that were kept computed.
        turns: Turns by who wrote them.
        cost: Money for the LLM that was asked.
        batch: How many answers were computed together.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = {"registry": self._registry, "namespace": "subgoal"}
        route = ("route",)
        self.requests = Counter("requests", "Replies", (*route, "status"), **own)
        self.under_way = Gauge("under_way", "Requests begun and not answered", **own)
        self.seconds = Histogram("seconds", "Time of a reply", route, buckets=_SECONDS, **own)
        self.tokens = Counter("tokens", "Tokens of the student", ("kind",), **own)
        self.turns = Counter("turns", "Turns by who wrote them", ("by",), **own)
        self.cost = Counter("ask_cost", "Money for the LLM that was asked", **own)
        self.batch = Histogram("batch", "Answers computed together", buckets=_SIZES, **own)
        self._own = own

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Report a value that is looked up whenever it is asked for."""
        Gauge(name, what, **self._own).set_function(value)

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self._registry)
