"""Fixtures that serve the review page in a thread of the test process."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import uvicorn

from evaluation.review.queue import Queue
from evaluation.review.server import Address, create_app, make_server
from tests.unit.evaluation.review.fakes import FakeS3, add_selected, make_store, png


@dataclass(frozen=True)
class Served:
    """A running server of the review page for one reviewer."""

    address: Address
    queue: Queue
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def origin(self) -> str:
        """The page's origin: the URL without a path."""
        return f"http://127.0.0.1:{self.address.port}"

    def client(self) -> requests.Session:
        """Return an HTTP client that has opened the page and received its cookie, as a browser does."""
        session = requests.Session()
        session.trust_env = False  # no proxy
        assert session.get(self.address.url).status_code == 200
        return session

    def stop(self) -> None:
        """Stop the server."""
        self.server.should_exit = True
        self.thread.join(10)


Serve = Callable[..., Served]


def make_bucket() -> FakeS3:
    """Return a bucket with three images to review."""
    s3 = FakeS3()
    for record_id, colour in (("a", "red"), ("b", "green"), ("c", "blue")):
        add_selected(s3, record_id, image=png(colour))
    return s3


def start(s3: FakeS3, reviewer: str = "ana", classes: tuple[str, ...] = ("bicycle", "motorcycle")) -> Served:
    """Start a server that shows the images of a bucket in the order of their IDs."""
    address, queue = Address(), Queue(make_store(s3), reviewer, shuffle=lambda keys: None)
    server = make_server(create_app(queue, address, classes=classes, environment="dev"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, daemon=True)
    thread.start()
    return Served(address, queue, server, thread)


@pytest.fixture
def s3() -> FakeS3:
    """A bucket with three images to review."""
    return make_bucket()


@pytest.fixture
def serve(s3: FakeS3) -> Iterator[Serve]:
    """A function that starts a server for the images of the bucket; the arguments are those of `start` after `s3`."""
    running: list[Served] = []

    def serve(*arguments: Any) -> Served:
        running.append(start(s3, *arguments))
        return running[-1]

    yield serve
    for served in running:
        served.stop()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A running server, shared by the tests that store no answers."""
    running = start(make_bucket())
    yield running
    running.stop()
