"""Production variants: restarts of servers, idle serverless variants, draining, and selection of a variant."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sagelocal.services.sagemaker import production_variants
from sagelocal.services.sagemaker.model_server import ModelResponse
from sagelocal.services.sagemaker.production_variants import Fleet, RetiredError, Variant

from ...waiting import eventually


class FakeServer:
    """A model server whose state a test controls.

    running    : whether the process runs
    checks     : how often `alive` was read
    healthy    : whether the server responds to pings
    responding : whether the server responds to requests
    """

    def __init__(self) -> None:
        self.running = True
        self.checks = 0
        self.healthy = True
        self.responding = threading.Event()
        self.responding.set()

    @property
    def alive(self) -> bool:
        self.checks += 1
        return self.running

    def ping(self) -> bool:
        return self.healthy

    def ends_within(self, seconds: float) -> bool:
        return not self.running

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ModelResponse:
        if not self.running:
            raise ConnectionRefusedError
        self.responding.wait(10)
        return ModelResponse(200, "text/plain", body)

    def stop(self) -> None:
        self.running = False


class FakeLog:
    """A log stream that stores only whether it is closed."""

    group = "group"
    closed = False

    def close(self) -> None:
        self.closed = True


class StartedVariant:
    """A production variant with fake servers.

    servers : the servers that were started, in this order
    """

    def __init__(self, name: str = "AllTraffic", weight: float = 1, *, on_demand: bool = False) -> None:
        self.servers: list[FakeServer] = []
        self.log = FakeLog()
        log: Any = self.log
        self.variant = Variant(name, weight, image="image:1", log=log, start=self._start, on_demand=on_demand)

    def _start(self) -> Any:
        self.servers.append(FakeServer())
        return self.servers[-1]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartedVariant]:
    """A variant whose server is checked and pinged every millisecond."""
    monkeypatch.setattr(production_variants, "WATCH_INTERVAL", 0.001)
    monkeypatch.setattr(production_variants, "PING_INTERVAL", 0.0)
    started = StartedVariant()
    yield started
    started.variant.stop_watching()


def test_server_that_fails_pings_is_restarted(started: StartedVariant) -> None:
    # WHEN the server no longer responds to pings
    started.servers[0].healthy = False
    eventually(lambda: len(started.servers) == 2)
    # THEN
    assert not started.servers[0].alive
    assert started.variant.invoke(b"x", {}).body == b"x"


def test_busy_server_that_fails_pings_is_not_restarted(started: StartedVariant) -> None:
    # GIVEN a server that processes a request
    server = started.servers[0]
    server.responding.clear()
    client = threading.Thread(target=started.variant.invoke, args=(b"x", {}))
    client.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN the server does not respond to pings
    server.healthy = False
    before = server.checks
    eventually(lambda: server.checks > before + 20)
    # THEN
    assert (server.alive, len(started.servers)) == (True, 1)
    server.healthy = True
    server.responding.set()
    client.join()


def test_request_to_an_ended_server_is_sent_to_its_replacement() -> None:
    # GIVEN a server that has ended and has not been checked since
    started = StartedVariant()
    started.servers[0].running = False
    # WHEN
    response = started.variant.invoke(b"x", {})
    # THEN
    assert response.status == 200
    assert len(started.servers) == 2
    started.variant.stop_watching()


def test_idle_serverless_variant_stops_its_server_until_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(production_variants, "WATCH_INTERVAL", 0.001)
    monkeypatch.setattr(production_variants, "IDLE_LIMIT", 0.05)
    started = StartedVariant(on_demand=True)
    # WHEN
    eventually(lambda: not started.servers[0].running)
    # THEN
    assert len(started.servers) == 1
    assert started.variant.invoke(b"x", {}).body == b"x"
    assert len(started.servers) == 2
    started.variant.stop_watching()


def test_drained_variant_completes_its_pending_request_and_refuses_new_ones(started: StartedVariant) -> None:
    # GIVEN a variant that processes a request
    server, bodies = started.servers[0], []
    server.responding.clear()
    client = threading.Thread(target=lambda: bodies.append(started.variant.invoke(b"x", {}).body))
    client.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN the variant is drained
    draining = threading.Thread(target=started.variant.drain, args=(10,))
    draining.start()
    eventually(lambda: started.variant._retired)
    with pytest.raises(RetiredError):
        started.variant.invoke(b"y", {})
    alive = server.alive
    server.responding.set()
    for thread in (client, draining):
        thread.join()
    # THEN the server ends only after its request
    assert alive
    assert bodies == [b"x"]
    assert (server.alive, started.log.closed, len(started.servers)) == (False, True, 1)


@pytest.mark.parametrize(
    ("weights", "target", "expected"),
    [((1, 0), None, {"a"}), ((1, 1), None, {"a", "b"}), ((1, 0), "b", {"b"}), ((0, 0), None, {None})],
    ids=["one weight", "equal weights", "by name", "weights of zero"],
)
def test_variant_is_chosen_by_weight_or_name(
    weights: tuple[float, float], target: str | None, expected: set[str | None]
) -> None:
    # GIVEN
    variants = [StartedVariant(name, weight).variant for name, weight in zip("ab", weights, strict=True)]
    fleet = Fleet(tuple(variants), {})
    # WHEN
    chosen = [fleet.choose(target) for _ in range(100)]
    # THEN
    assert {variant.name if variant else None for variant in chosen} == expected
    fleet.drain(0)
