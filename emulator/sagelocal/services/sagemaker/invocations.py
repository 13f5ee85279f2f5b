"""What CloudWatch is told of an endpoint's invocations, in batches off the request's path.

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
INTERVAL = 1.0  # seconds for which invocations are gathered
LATENCIES = 20  # kept of each batch, from the whole range of it: moto keeps every value for good


@dataclass(frozen=True)
class Place:
    """What invocations are counted for."""

    account: str
    region: str
    endpoint: str
    variant: str


@dataclass(frozen=True)
class Invocation:
    """One request that reached a model.

    Attributes
    ----------
    status : the model's own, 0 where it did not answer
    latency, overhead : microseconds that the model took, and all else
    concurrent : requests that its server had at once, this one included
    """

    status: int
    latency: float
    overhead: float
    concurrent: int


class Invocations:
    """The writer of all endpoints' metrics."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Place, Invocation]] = SimpleQueue()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="invocations", daemon=True).start()

    def take(self, place: Place, invocation: Invocation) -> None:
        """Hand in one."""
        self._queue.put((place, invocation))

    def stop(self) -> None:
        """End the writer."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            for place, batch in self._gather().items():
                backend = cloudwatch_backends[place.account][place.region]
                backend.put_metric_data(NAMESPACE, metrics(place, batch))

    def _gather(self) -> Mapping[Place, list[Invocation]]:
        gathered: dict[Place, list[Invocation]] = defaultdict(list)
        while True:
            try:
                place, invocation = self._queue.get_nowait()
            except Empty:
                return gathered
            gathered[place].append(invocation)


def metrics(place: Place, batch: Sequence[Invocation]) -> list[dict[str, Any]]:
    """A batch as PutMetricData takes it: a failure is a 1 and a success a 0, so that their average is the rate."""
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
    dimensions = [{"Name": "EndpointName", "Value": place.endpoint}, {"Name": "VariantName", "Value": place.variant}]
    data = [{"MetricName": name, "StatisticValues": _set_of(values)} for name, values in counts.items()] + [
        {"MetricName": name, "Unit": "Microseconds", "Values": thinned(values)} for name, values in latencies.items()
    ]
    return [{"Unit": "Count", "Dimensions": dimensions, **each} for each in data]


def thinned(values: Sequence[float]) -> list[float]:
    """At most `LATENCIES` of sorted values, evenly, the greatest among them."""
    step = -(-len(values) // LATENCIES)
    return list(values[::-1][::step])


def _set_of(values: Sequence[int]) -> dict[str, float]:
    return {"SampleCount": len(values), "Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
