"""`make watch` reads the live status of an environment and shows it in the terminal."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from common.terminal import WIDTH
from deployment.live_status import Endpoint, LiveStatus, Polled, StatusReader, Unknown
from deployment.live_view import follow, make_console, render
from evaluation.execution_metrics import Outcomes
from tests.unit.evaluation.report.live_results import make_entry
from tests.unit.stacks import make_stack

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-local-vehicles/3"
BUSY = Outcomes(succeeded=180, low_confidence=15, invalid_image=3, failed=1, timed_out=1, aborted=0, p50=0.5, p95=1.25)
IDLE = Outcomes(succeeded=0, low_confidence=0, invalid_image=0, failed=0, timed_out=0, aborted=0)


class FakeAws:
    """AWS clients for the endpoint, its model, the alarms and the metrics of an environment.

    Parameters
    ----------
    endpoint : response of DescribeEndpoint, or None if the endpoint does not exist
    alarms : state of each alarm by name
    """

    def __init__(self, *, endpoint: dict[str, Any] | None = None, alarms: dict[str, str] | None = None) -> None:
        self.endpoint = endpoint
        self.alarms = alarms or {}
        self.metrics: dict[str, float] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []

    def __call__(self, service: str) -> "FakeAws":
        return self

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        self.requests.append("DescribeEndpoint")
        if self.endpoint is None:
            error = {"Code": "ValidationException", "Message": f"Could not find endpoint {EndpointName}"}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return self.endpoint

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        self.requests.append("DescribeEndpointConfig")
        return {"ProductionVariants": [{"ModelName": "some-model"}]}

    def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        return {"PrimaryContainer": {"ModelPackageName": PACKAGE}}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, operation: str) -> "FakePages":
        self.requests.append(operation)
        if operation == "list_objects_v2":
            return FakePages({}, self.objects)
        alarms = [{"AlarmName": name, "StateValue": state} for name, state in self.alarms.items()]
        return FakePages({"MetricAlarms": alarms, "MetricDataResults": []})


class FakePages:
    """A paginator with one page, which also lists the objects below a prefix."""

    def __init__(self, page: dict[str, Any], objects: dict[str, bytes] | None = None) -> None:
        self._page, self._objects = page, objects or {}

    def paginate(self, Prefix: str = "", **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [{"Key": key, "LastModified": datetime.now(UTC)} for key in self._objects if key.startswith(Prefix)]
        yield {**self._page, "Contents": found}


def in_service(instances: int | None = 2) -> dict[str, Any]:
    """Return the description of an endpoint in service; `instances` is None for a serverless endpoint."""
    counts = {} if instances is None else {"CurrentInstanceCount": instances}
    return {"EndpointStatus": "InService", "EndpointConfigName": "some-config", "ProductionVariants": [counts]}


def make_status(**changes: Any) -> LiveStatus:
    """Return the status of an environment with an endpoint and executions; `changes` replace fields."""
    content: dict[str, Any] = {
        "environment": "local",
        "time": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        "endpoint": Endpoint("InService", 2, "v3"),
        "outcomes": BUSY,
        "alarms": [],
        "open_reviews": 12,
        "drift": None,
    }
    return LiveStatus(**{**content, **changes})


def text_of(status: LiveStatus) -> str:
    """Return the text that the terminal shows for a status."""
    console = Console(file=io.StringIO(), width=WIDTH)
    console.print(render(status))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_status_contains_endpoint_model_and_alarms() -> None:
    # GIVEN
    aws = FakeAws(endpoint=in_service(), alarms={"scones-local-workflow-failures": "ALARM", "scones-local-a": "OK"})

    # WHEN
    status = StatusReader(make_stack(), aws).read()

    # THEN
    assert status.endpoint == Endpoint("InService", 2, "v3")
    assert status.alarms == ["workflow-failures"]
    assert status.outcomes == IDLE


def test_status_contains_the_number_of_open_reviews_and_the_latest_drift_result() -> None:
    # GIVEN two images to review, of which one has an answer, and the results of two drift jobs
    aws = FakeAws()
    groups = {"confidence": False, "image_statistics": True, "embedding": True}
    drift = [make_entry("drift", "v3", outcome="no_drift"), make_entry("drift", "v3", outcome="drift", groups=groups)]
    aws.objects = {
        "review/selected/a.json": b"",
        "review/selected/a": b"",
        "review/selected/b.json": b"",
        "review/selected/b": b"",
        "labels/answers/a.json": b"",
        **{f"history/drift/2026/03/01/{number}.json": json.dumps(entry).encode() for number, entry in enumerate(drift)},
    }

    # WHEN
    status = StatusReader(make_stack(), aws).read()

    # THEN
    assert status.open_reviews == 1
    assert status.drift == drift[1]
    assert "drifted: image statistics, embedding (v3, 2026-03-01 12:00:00 UTC)" in " ".join(text_of(status).split())


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        pytest.param(None, Endpoint(None), id="missing"),
        pytest.param(in_service(None), Endpoint("InService", None, "v3"), id="serverless"),
    ],
)
def test_instance_count_is_none_for_a_missing_or_serverless_endpoint(
    endpoint: dict[str, Any] | None, expected: Endpoint
) -> None:
    assert StatusReader(make_stack(), FakeAws(endpoint=endpoint)).read().endpoint == expected


def test_value_is_read_again_only_after_its_interval() -> None:
    # GIVEN
    now, values = [0.0], iter("abc")
    polled = Polled(lambda: next(values), 5, clock=lambda: now[0])

    # WHEN
    found = []
    for moment in (0, 4.9, 5, 9, 10):
        now[0] = moment
        found.append(polled())

    # THEN
    assert found == ["a", "a", "b", "b", "c"]


def test_value_that_cannot_be_read_is_unknown_and_the_other_values_are_read() -> None:
    # GIVEN
    aws = FakeAws(endpoint=in_service())

    def fail(operation: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://monitoring")

    aws.get_paginator = fail  # type: ignore[method-assign]

    # WHEN
    status = StatusReader(make_stack(), aws).read()

    # THEN
    assert status.endpoint == Endpoint("InService", 2, "v3")
    assert isinstance(status.alarms, Unknown)
    assert "Could not connect" in status.alarms.reason


def test_every_line_fits_in_80_columns() -> None:
    # GIVEN long values
    alarms = [f"some-alarm-with-a-long-name-{number}" for number in range(9)]
    status = make_status(alarms=alarms, endpoint=Unknown("x" * 200))

    # WHEN
    lines = text_of(status).splitlines()

    # THEN the lines are wrapped, and no text is truncated
    assert max(map(len, lines)) <= WIDTH
    text = "".join("".join(lines).split())
    assert all(alarm in text for alarm in alarms)
    assert "x" * 100 in text


def test_executions_are_shown_by_outcome_with_durations_and_share_below_the_threshold() -> None:
    # WHEN
    words = " ".join(text_of(make_status()).split())

    # THEN outcomes without executions are not shown
    assert "200 ended in the last 15 minutes" in words
    assert "succeeded 180 90.0%" in words
    assert "7.7% of 195 images below the threshold" in words
    assert "p50 0.50 s, p95 1.25 s" in words
    assert "aborted" not in words


def test_status_without_executions_is_shown_without_an_error() -> None:
    # WHEN
    words = " ".join(text_of(make_status(outcomes=IDLE, endpoint=Endpoint(None))).split())

    # THEN
    assert "0 ended in the last 15 minutes" in words
    assert "does not exist" in words


def test_one_block_of_lines_is_printed_for_each_interval_if_the_output_is_not_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN a Ctrl-C after the third block
    intervals: list[float] = []

    def sleep(seconds: float) -> None:
        intervals.append(seconds)
        if len(intervals) == 3:
            raise KeyboardInterrupt

    # WHEN
    with pytest.raises(KeyboardInterrupt):
        follow(make_status, make_console(), interval=5, once=False, sleep=sleep)

    # THEN
    output = capsys.readouterr().out
    assert intervals == [5, 5, 5]
    assert output.count("2026-03-01 12:00:00 UTC") == 3
    assert "\x1b" not in output


def test_option_once_prints_only_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    follow(make_status, make_console(), interval=5, once=True)

    # THEN
    assert capsys.readouterr().out.count("InService") == 1
