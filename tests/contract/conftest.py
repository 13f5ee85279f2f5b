"""One emulator for all contract tests: a process of its own, as a user has it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from sagelocal.core.environment import neutral, pointing_at

if TYPE_CHECKING:
    from emulator.tests.contract.statemachines import StateMachines

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = Path(__file__).parent / "containers"
# How the stand-ins for container images are named: `tests/<name>:1` runs containers/<name>.py train|serve; AWS's own
# are as they are on a laptop.
IMAGES = {
    rf"tests/{path.stem}:1": {mode: ["{python}", str(path), mode] for mode in ("train", "serve")}
    for path in CONTAINERS.glob("*.py")
} | json.loads((ROOT / "terraform/environments/local.images.json").read_text())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are contract tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.contract)


@dataclass
class RunningEmulator:
    """An emulator's process, and clients of it."""

    url: str
    images_file: Path
    process: subprocess.Popen[str]
    log: Path
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client that points at it and does not retry."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(inject_host_prefix=False, read_timeout=60, retries={"total_max_attempts": 1}),
            )
        return self._clients[key]

    def stop(self) -> int:
        """End it; the exit status of its process."""
        self.process.terminate()
        return self.process.wait(timeout=30)


def start_emulator(directory: Path, *arguments: str) -> RunningEmulator:
    """Start `python -m emulator` and wait until it answers; its stderr is kept in `directory`."""
    images = directory / "images.json"
    images.write_text(json.dumps(IMAGES))
    log = directory / "emulator.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "sagelocal", "serve", "--images", str(images), *arguments],
            cwd=ROOT,
            env={**neutral(os.environ), **pointing_at("http://127.0.0.1:9")},  # an old address must not harm it
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("sagelocal is ready at http://127.0.0.1:"), log.read_text()
    return RunningEmulator(line.split()[-1], images, process, log)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """A running emulator."""
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture
def machines(emulator: RunningEmulator) -> "StateMachines":
    """A factory of state machines."""
    from emulator.tests.contract.statemachines import StateMachines  # it builds on this module

    return StateMachines(emulator.client("stepfunctions"))


@pytest.fixture
def functions(emulator: RunningEmulator) -> Any:
    """A client of Lambda."""
    return emulator.client("lambda")


@pytest.fixture
def inbox(emulator: RunningEmulator) -> tuple[str, str]:
    """A topic's ARN, and the URL of a queue that gets what is published there."""
    topic = emulator.client("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    emulator.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return topic, queue
