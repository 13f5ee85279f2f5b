"""Production variants: restarts, idle servers, draining, and the choice by weight or name."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sagelocal.services.sagemaker import production_variants
from sagelocal.services.sagemaker.model_server import ModelResponse
from sagelocal.services.sagemaker.production_variants import Fleet, RetiredError, Variant

from ...waiting import eventually


class FakeServer:
    """A model server whose state a test controls."""

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
    """A log stream that only stores whether it is closed."""

    group = "group"
    closed = False

    def close(self) -> None:
        self.closed = True


class StartedVariant:
    """A variant, its servers in the order of their start, and its log."""

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
    """A variant whose server is checked continuously."""
    monkeypatch.setattr(production_variants, "WATCH_INTERVAL", 0.001)
    monkeypatch.setattr(production_variants, "PING_INTERVAL", 0.0)
    started = StartedVariant()
    yield started
    started.variant.stop_watching()


def test_server_that_fails_pings_is_restarted(started: StartedVariant) -> None:
    # WHEN
    started.servers[0].healthy = False
    eventually(lambda: len(started.servers) == 2)
    # THEN
    assert not started.servers[0].alive
    assert started.variant.invoke(b"x", {}).body == b"x"


def test_busy_server_need_not_respond_to_pings(started: StartedVariant) -> None:
    # GIVEN
    server = started.servers[0]
    server.responding.clear()
    client = threading.Thread(target=started.variant.invoke, args=(b"x", {}))
    client.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN
    server.healthy = False
    before = server.checks
    eventually(lambda: server.checks > before + 20)
    # THEN
    assert (server.alive, len(started.servers)) == (True, 1)
    server.healthy = True
    server.responding.set()
    client.join()


def test_request_to_a_dead_server_is_sent_to_its_replacement() -> None:
    # GIVEN a dead server that has not been noticed yet
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


def test_drained_variant_finishes_pending_requests_and_accepts_no_more(started: StartedVariant) -> None:
    # GIVEN
    server, bodies = started.servers[0], []
    server.responding.clear()
    client = threading.Thread(target=lambda: bodies.append(started.variant.invoke(b"x", {}).body))
    client.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN
    draining = threading.Thread(target=started.variant.drain, args=(10,))
    draining.start()
    eventually(lambda: started.variant._retired)
    with pytest.raises(RetiredError):
        started.variant.invoke(b"y", {})
    alive = server.alive
    server.responding.set()
    for thread in (client, draining):
        thread.join()
    # THEN
    assert alive
    assert bodies == [b"x"]
    assert (server.alive, started.log.closed, len(started.servers)) == (False, True, 1)


@pytest.mark.parametrize(
    ("weights", "target", "expected"),
    [((1, 0), None, {"a"}), ((1, 1), None, {"a", "b"}), ((1, 0), "b", {"b"}), ((0, 0), None, {None})],
    ids=["one weight", "equal weights", "by name", "no weight"],
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
