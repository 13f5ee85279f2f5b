"""A variant's server is looked after."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sagelocal.services.sagemaker import variants
from sagelocal.services.sagemaker.servers import Answer
from sagelocal.services.sagemaker.variants import Fleet, RetiredError, Variant

from ...contract.waiting import eventually


class FakeServer:
    """A model server that does as it is told."""

    def __init__(self) -> None:
        self.running = True
        self.looks = 0
        self.healthy = True
        self.answering = threading.Event()
        self.answering.set()

    @property
    def alive(self) -> bool:
        self.looks += 1
        return self.running

    def ping(self) -> bool:
        return self.healthy

    def ends_within(self, seconds: float) -> bool:
        return not self.running

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if not self.running:
            raise ConnectionRefusedError
        self.answering.wait(10)
        return Answer(200, "text/plain", body)

    def stop(self) -> None:
        self.running = False


class FakeLog:
    """A log that only says whether it is closed."""

    group = "group"
    closed = False

    def close(self) -> None:
        self.closed = True


class Started:
    """A variant, its servers in the order of their start, and its log."""

    def __init__(self, name: str = "AllTraffic", weight: float = 1) -> None:
        self.servers: list[FakeServer] = []
        self.log = FakeLog()
        log: Any = self.log
        self.variant = Variant(name, weight, image="image:1", log=log, start=self._start)

    def _start(self) -> Any:
        self.servers.append(FakeServer())
        return self.servers[-1]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """A variant that is looked at all the time."""
    monkeypatch.setattr(variants, "LOOK_INTERVAL", 0.001)
    monkeypatch.setattr(variants, "PING_INTERVAL", 0.0)
    made = Started()
    yield made
    made.variant.leave()


def test_a_server_that_hangs_is_replaced(started: Started) -> None:
    # WHEN
    started.servers[0].healthy = False
    eventually(lambda: len(started.servers) == 2)
    # THEN
    assert not started.servers[0].alive
    assert started.variant.invoke(b"x", {}).body == b"x"


def test_a_server_that_is_busy_need_not_answer_pings(started: Started) -> None:
    # GIVEN
    server = started.servers[0]
    server.answering.clear()
    asking = threading.Thread(target=started.variant.invoke, args=(b"x", {}))
    asking.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN
    server.healthy = False
    before = server.looks
    eventually(lambda: server.looks > before + 20)
    # THEN
    assert (server.alive, len(started.servers)) == (True, 1)
    server.healthy = True
    server.answering.set()
    asking.join()


def test_a_request_to_a_dead_server_is_answered_by_its_successor() -> None:
    # GIVEN: a variant whose servers are not looked at before they are asked
    started = Started()
    started.servers[0].running = False
    # WHEN
    answer = started.variant.invoke(b"x", {})
    # THEN
    assert answer.status == 200
    assert len(started.servers) == 2
    started.variant.leave()


def test_a_drained_variant_answers_what_it_has_and_takes_no_more(started: Started) -> None:
    # GIVEN
    server, answers = started.servers[0], []
    server.answering.clear()
    asking = threading.Thread(target=lambda: answers.append(started.variant.invoke(b"x", {}).body))
    asking.start()
    eventually(lambda: started.variant._busy == 1)
    # WHEN
    draining = threading.Thread(target=started.variant.drain, args=(10,))
    draining.start()
    eventually(lambda: started.variant._retired)
    with pytest.raises(RetiredError):
        started.variant.invoke(b"y", {})
    alive = server.alive
    server.answering.set()
    for thread in (asking, draining):
        thread.join()
    # THEN
    assert alive
    assert answers == [b"x"]
    assert (server.alive, started.log.closed, len(started.servers)) == (False, True, 1)


@pytest.mark.parametrize(
    ("weights", "target", "expected"),
    [((1, 0), None, {"a"}), ((1, 1), None, {"a", "b"}), ((1, 0), "b", {"b"}), ((0, 0), None, {None})],
    ids=["all to one", "shared", "aimed", "no weight"],
)
def test_a_variant_is_drawn_by_weight(
    weights: tuple[float, float], target: str | None, expected: set[str | None]
) -> None:
    # GIVEN
    made = [Started(name, weight).variant for name, weight in zip("ab", weights, strict=True)]
    fleet = Fleet(tuple(made), {})
    # WHEN
    drawn = [fleet.choose(target) for _ in range(100)]
    # THEN
    assert {variant.name if variant else None for variant in drawn} == expected
    fleet.drain(0)
