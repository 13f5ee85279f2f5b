"""Failure reasons, metrics and the virtual environment of a training job."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.job_run import failure_reason
from sagelocal.services.sagemaker.training_metrics import Metrics, compile_patterns
from sagelocal.services.sagemaker.virtual_environment import create_environment


class FakeCloudWatch:
    """A CloudWatch client that stores the requests of PutMetricData."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def put_metric_data(self, **request: Any) -> None:
        self.requests.append(request)


@pytest.mark.parametrize("length", [0, 10, 990, 1024, 5000])
def test_failure_reason_contains_the_exit_code_within_1024_characters(length: int) -> None:
    # WHEN
    reason = failure_reason("x" * length, 139)
    # THEN
    assert reason.startswith("AlgorithmError: ")
    assert reason.endswith(", exit code: 139")
    assert len(reason) == min(1024, len("AlgorithmError: , exit code: 139") + length)


def test_client_error_has_no_second_prefix_in_the_failure_reason() -> None:
    assert failure_reason("ClientError: no images", 2) == "ClientError: no images, exit code: 2"


def test_every_finite_number_that_matches_is_published_as_a_metric() -> None:
    # GIVEN
    cloudwatch = FakeCloudWatch()
    metrics = Metrics(cloudwatch, "job/algo-1", [{"Name": "loss", "Regex": "loss=([^ ]+)"}])
    # WHEN
    for line in ("loss=3 loss=2\n", "nothing\n", "loss=nan loss=inf\n", "loss=what\n"):
        metrics.read(line)
    # THEN
    (request,) = cloudwatch.requests
    assert [each["Value"] for each in request["MetricData"]] == [3, 2]
    assert request["MetricData"][0]["Dimensions"] == [{"Name": "Host", "Value": "job/algo-1"}]
    assert [(each["MetricName"], each["Value"]) for each in metrics.final] == [("loss", 2)]


@pytest.mark.parametrize("regex", ["(", "loss"], ids=["invalid expression", "no group"])
def test_invalid_metric_definition_is_refused(regex: str) -> None:
    # WHEN / THEN
    with pytest.raises(InvalidRequestError, match="of metric loss"):
        compile_patterns([{"Name": "loss", "Regex": regex}])


def test_virtual_environment_of_a_job_has_the_installed_packages(tmp_path: Path) -> None:
    # GIVEN
    commands = create_environment(tmp_path / "python")
    # WHEN
    ended = subprocess.run(
        [commands / "python3", "-c", "import sys, numpy; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    # THEN
    assert ended.stdout.strip() == str(tmp_path / "python")
    assert (commands / "pip").exists()
