"""How a training job words its end, and what it makes of a log."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from sagelocal.services.sagemaker.job import failure_reason
from sagelocal.services.sagemaker.metrics import MetricDefinitionError, Metrics, patterns
from sagelocal.services.sagemaker.python import create_environment


class FakeCloudWatch:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def put_metric_data(self, **request: Any) -> None:
        self.put.append(request)


@pytest.mark.parametrize("length", [0, 10, 990, 1024, 5000])
def test_a_failure_reason_has_the_exit_code_in_its_1024_characters(length: int) -> None:
    # WHEN
    reason = failure_reason("x" * length, 139)
    # THEN
    assert reason.startswith("AlgorithmError: ")
    assert reason.endswith(", exit code: 139")
    assert len(reason) == min(1024, len("AlgorithmError: , exit code: 139") + length)


def test_a_client_s_error_is_not_called_the_algorithm_s() -> None:
    assert failure_reason("ClientError: no images", 2) == "ClientError: no images, exit code: 2"


def test_every_match_of_a_line_is_a_metric() -> None:
    # GIVEN
    cloudwatch = FakeCloudWatch()
    metrics = Metrics(cloudwatch, "job/algo-1", [{"Name": "loss", "Regex": "loss=([^ ]+)"}])
    # WHEN
    for line in ("loss=3 loss=2\n", "nothing\n", "loss=nan loss=inf\n", "loss=what\n"):
        metrics.read(line)
    # THEN
    (put,) = cloudwatch.put
    assert [each["Value"] for each in put["MetricData"]] == [3, 2]
    assert put["MetricData"][0]["Dimensions"] == [{"Name": "Host", "Value": "job/algo-1"}]
    assert [(each["MetricName"], each["Value"]) for each in metrics.final] == [("loss", 2)]


@pytest.mark.parametrize("regex", ["(", "loss"], ids=["no expression", "no group"])
def test_a_definition_that_finds_nothing_is_refused_by_name(regex: str) -> None:
    # WHEN / THEN
    with pytest.raises(MetricDefinitionError, match="of metric loss"):
        patterns([{"Name": "loss", "Regex": regex}])


def test_a_job_s_python_has_what_this_one_has_and_a_folder_of_its_own(tmp_path: Path) -> None:
    # GIVEN
    commands = create_environment(tmp_path / "python")
    # WHEN
    told = subprocess.run(
        [commands / "python3", "-c", "import sys, numpy; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    # THEN
    assert told.stdout.strip() == str(tmp_path / "python")
    assert (commands / "pip").exists()
