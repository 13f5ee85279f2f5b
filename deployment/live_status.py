"""Read the current status of an environment, with few and mostly free requests.

Each kind of request is repeated only after its interval. GetMetricData is billed by metric, and listing S3 objects by
request. The other requests are free: https://aws.amazon.com/cloudwatch/pricing/, https://aws.amazon.com/s3/pricing/
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from common.errors import OperatorError
from common.names import resource_prefix, stack_name
from common.stack import Stack
from evaluation.execution_metrics import Outcomes, read_outcomes
from evaluation.history import Entry, History
from evaluation.review.answers import answered_images
from evaluation.review.entries import ReviewStore, list_entry_keys
from registry.endpoint import deployed_model_package, describe_endpoint
from registry.model_registry import version_number

EXECUTIONS_RANGE = timedelta(minutes=15)
DRIFT_RANGE = timedelta(days=7)
# Minimum number of seconds between two requests of the same kind
ENDPOINT_INTERVAL, METRICS_INTERVAL, LISTING_INTERVAL = 5.0, 15.0, 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """The state of the endpoint.

    Attributes
    ----------
    status : SageMaker's status of the endpoint, such as `InService`; None if the endpoint does not exist
    instances : number of instances; None if SageMaker does not report it
    model : version of the model, such as `v3`, or `unknown`
    """

    status: str | None
    instances: int | None = None
    model: str = "unknown"


@dataclass(frozen=True)
class Unknown:
    """A placeholder for a value that could not be read, with the reason."""

    reason: str


@dataclass(frozen=True)
class LiveStatus:
    """The status of an environment.

    Attributes
    ----------
    time : time of the status
    outcomes : outcomes of the executions that ended within EXECUTIONS_RANGE
    alarms : names of the alarms in the state ALARM
    open_reviews : number of images that no person has reviewed yet
    drift : the latest comparison with the baseline within DRIFT_RANGE; None if there was no comparison
    """

    environment: str
    time: datetime
    endpoint: Endpoint | Unknown
    outcomes: Outcomes | Unknown
    alarms: Sequence[str] | Unknown
    open_reviews: int | Unknown
    drift: Entry | Unknown | None


class Polled(Generic[T]):
    """A value that is read again only after an interval.

    Parameters
    ----------
    read : reads the value
    interval : minimum number of seconds between two calls of `read`
    clock : returns the time in seconds
    """

    def __init__(self, read: Callable[[], T], interval: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._interval, self._clock = read, interval, clock
        self._due = float("-inf")
        self._value: T | Unknown = Unknown("not read yet")

    def __call__(self) -> T | Unknown:
        """Return the value, or the reason why it could not be read."""
        if self._clock() >= self._due:
            try:
                self._value = self._read()
            except (OperatorError, BotoCoreError, ClientError) as error:
                self._value = Unknown(" ".join(str(error).split()))
            self._due = self._clock() + self._interval
        return self._value


class StatusReader:
    """Reads the status of an environment repeatedly.

    Parameters
    ----------
    client : returns a boto3 client, given a service name
    """

    def __init__(self, stack: Stack, client: Callable[[str], Any]) -> None:
        self._stack = stack
        self._sagemaker, self._cloudwatch = client("sagemaker"), client("cloudwatch")
        self._models: dict[str, str] = {}  # model version by endpoint configuration name; configurations never change
        self._endpoint = Polled(self._read_endpoint, ENDPOINT_INTERVAL)
        self._outcomes = Polled(self._read_outcomes, METRICS_INTERVAL)
        self._alarms = Polled(self._read_alarms, METRICS_INTERVAL)
        s3 = client("s3")
        self._reviews = ReviewStore(
            stack.bucket, stack.review_prefix, stack.labels_prefix, s3=s3, classes=stack.classes
        )
        self._history = History(stack.bucket, stack.history_prefix, stack.environment, s3)
        self._open_reviews = Polled(self._count_open_reviews, LISTING_INTERVAL)
        self._drift = Polled(self._read_drift, LISTING_INTERVAL)

    def read(self) -> LiveStatus:
        """Return the current status."""
        return LiveStatus(
            environment=self._stack.environment,
            time=datetime.now(UTC),
            endpoint=self._endpoint(),
            outcomes=self._outcomes(),
            alarms=self._alarms(),
            open_reviews=self._open_reviews(),
            drift=self._drift(),
        )

    def _read_endpoint(self) -> Endpoint:
        live = describe_endpoint(self._stack.endpoint_name, sagemaker=self._sagemaker)
        if live is None:
            return Endpoint(None)
        config = live["EndpointConfigName"]
        if config not in self._models:
            package = deployed_model_package(self._stack.endpoint_name, sagemaker=self._sagemaker)
            self._models[config] = f"v{version_number(package)}" if package else "unknown"
        # SageMaker reports no instance count while it creates the endpoint, or if the endpoint is serverless
        counts = [variant.get("CurrentInstanceCount") for variant in live.get("ProductionVariants", ())]
        known = [count for count in counts if count is not None]
        return Endpoint(live["EndpointStatus"], sum(known) if known else None, self._models[config])

    def _read_outcomes(self) -> Outcomes:
        now = datetime.now(UTC)
        return read_outcomes(
            self._stack.state_machine_arn,
            stack_name(self._stack.environment),
            now - EXECUTIONS_RANGE,
            now,
            cloudwatch=self._cloudwatch,
        )

    def _read_alarms(self) -> Sequence[str]:
        prefix = resource_prefix(self._stack.environment)
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        found = [
            alarm for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(kind, ())
        ]
        return sorted(alarm["AlarmName"].removeprefix(prefix) for alarm in found if alarm.get("StateValue") == "ALARM")

    def _count_open_reviews(self) -> int:
        answered = answered_images(self._reviews)
        return sum(not is_answered for _, is_answered in list_entry_keys(self._reviews, answered))

    def _read_drift(self) -> Entry | None:
        return self._history.latest("drift", datetime.now(UTC) - DRIFT_RANGE)
