"""Writes the invocation metrics of endpoints to CloudWatch, in batches and in the background.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

NAMESPACE = "AWS/SageMaker"
INTERVAL = 1.0  # seconds between two writes
MAX_LATENCIES = 20  # latencies written per metric and batch; few, because moto keeps all values in memory


@dataclass(frozen=True)
class Target:
    """The endpoint and variant whose invocations are counted."""

    account: str
    region: str
    endpoint: str
    variant: str


@dataclass(frozen=True)
class Invocation:
    """One request that reached a model.

    Attributes
    ----------
    status : HTTP status of the model's response; 0 after a timeout, 503 if the model server cannot be reached
    latency : microseconds that the model took to respond
    overhead : microseconds of the invocation outside the model
    concurrent : number of requests that the model server was processing, including this request
    """

    status: int
    latency: float
    overhead: float
    concurrent: int


class Invocations:
    """Writes the invocation metrics of all endpoints."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Target, Invocation]] = SimpleQueue()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="invocations", daemon=True).start()

    def add(self, target: Target, invocation: Invocation) -> None:
        """Queue one invocation for writing."""
        self._queue.put((target, invocation))

    def stop(self) -> None:
        """Stop writing; queued invocations are discarded."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            for target, batch in self._drain_queue().items():
                backend = cloudwatch_backends[target.account][target.region]
                backend.put_metric_data(NAMESPACE, metric_data(target, batch))

    def _drain_queue(self) -> Mapping[Target, list[Invocation]]:
        batches: dict[Target, list[Invocation]] = defaultdict(list)
        while True:
            try:
                target, invocation = self._queue.get_nowait()
            except Empty:
                return batches
            batches[target].append(invocation)


def metric_data(target: Target, batch: Sequence[Invocation]) -> list[dict[str, Any]]:
    """Return PutMetricData's `MetricData` for a batch of invocations.

    Each invocation adds 0 or 1 to an error metric, so that the metric's average is the error rate.
    """
    counts = {
        "Invocations": [1 for _ in batch],
        "Invocation4XXErrors": [int(400 <= each.status < 500) for each in batch],
        "Invocation5XXErrors": [int(each.status >= 500) for each in batch],
        "InvocationModelErrors": [int(not 200 <= each.status < 300) for each in batch],
        "ConcurrentRequestsPerModel": [each.concurrent for each in batch],
    }
    latencies = {
        "ModelLatency": sorted(each.latency for each in batch),
        "OverheadLatency": sorted(each.overhead for each in batch),
    }
    dimensions = [{"Name": "EndpointName", "Value": target.endpoint}, {"Name": "VariantName", "Value": target.variant}]
    data = [{"MetricName": name, "StatisticValues": _statistics(values)} for name, values in counts.items()] + [
        {"MetricName": name, "Unit": "Microseconds", "Values": sample(values)} for name, values in latencies.items()
    ]
    return [{"Unit": "Count", "Dimensions": dimensions, **each} for each in data]


def sample(values: Sequence[float]) -> list[float]:
    """Return at most `MAX_LATENCIES` evenly spaced values of a sorted sequence, including the largest value."""
    step = -(-len(values) // MAX_LATENCIES)
    return list(values[::-1][::step])


def _statistics(values: Sequence[int]) -> dict[str, float]:
    return {"SampleCount": len(values), "Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
