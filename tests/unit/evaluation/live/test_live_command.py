"""`make live` and `make threshold` with captured data and labels in S3."""

# ruff: noqa: N803  boto3's argument names
import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from common.files import NoResultError, read_result
from common.times import TimeRangeError
from scripts import live
from scripts.command.environment import Environment
from staging.manifest import digest_classes
from tests.unit.evaluation.runs import capture_line, make_png
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.staging.fakes import FakeS3

NOW = datetime.now(UTC) - timedelta(hours=1)
OPTIONS = {"action": "evaluate", "since": "24h", "until": "", "model": "", "precision": None, "value": None}


class FakeSageMaker:
    """A SageMaker client with an endpoint that captures all requests."""

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        return {"EndpointStatus": "InService", "EndpointConfigName": "config"}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        destination = f"{make_stack().data_capture_uri}/v2"
        capture = {"EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": destination}
        return {"DataCaptureConfig": capture}


@pytest.fixture
def s3() -> FakeS3:
    """A bucket with 100 captured images, all of which are labelled, and 98 of which are classified correctly."""
    bucket = FakeS3()
    lines = [
        capture_line(make_png(size=(4, 4)), [0.95, 0.05], time=f"{NOW:%Y-%m-%dT%H:%M:%SZ}", inference_id=f"{number}")
        for number in range(100)
    ]
    folder = f"data_capture/v2/{make_stack().endpoint_name}/AllTraffic/{NOW:%Y/%m/%d/%H}"
    bucket.put_object(Bucket="b", Key=f"{folder}/a.jsonl", Body=b"\n".join(lines))
    labels = "".join(f"{number},{'bicycle' if number > 1 else 'motorcycle'}\n" for number in range(100))
    bucket.put_object(Bucket="b", Key="labels/a.csv", Body=f"inference_id,label\n{labels}".encode())
    return bucket


@pytest.fixture
def run(s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs the command in an empty directory; its arguments are fields of the stack, and options."""
    monkeypatch.chdir(tmp_path)
    clients = {"s3": s3, "sagemaker": FakeSageMaker()}
    monkeypatch.setattr("scripts.command.environment.aws.client", lambda service, region: clients[service])
    version = make_version(2, properties={"classes_md5": digest_classes(make_stack().classes)})
    registry = SimpleNamespace(
        versions=lambda: [version], arn_in_use=lambda: version.arn, previous_arns=list, environment="local"
    )

    def run(stack: dict[str, Any] | None = None, **options: Any) -> None:
        environment = Environment("local", argparse.Namespace(**{**OPTIONS, **options}))
        environment.__dict__.update(stack=make_stack(**(stack or {})), model_registry=registry)
        live.main(environment)

    return run


def written_threshold(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list to which the command appends the new threshold, instead of writing it into the settings file."""
    written: list[float] = []

    def write_number(environment: str, name: str, value: float) -> float:
        assert (environment, name) == ("local", "threshold")
        written.append(value)
        return 0.93

    monkeypatch.setattr(live, "write_number", write_number)
    return written


def test_live_traffic_is_evaluated_and_added_to_the_history(
    run: Any, s3: FakeS3, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # WHEN
    run(precision=0.9)

    # THEN
    result = json.loads((tmp_path / "build" / "local" / "live.json").read_text())
    assert (result["model"], result["records"], result["labels"]["used"]) == ("v2", 100, 100)
    assert result["labelled"]["accuracy"]["value"] == 0.98
    printed = capsys.readouterr().out
    assert "  accuracy            98.0%  93.0% to 99.4% (95 %), 100 images" in printed
    assert "no comparison with an earlier model: no model was in use before v2" in printed
    (key,) = s3.list_keys("history/live/")
    entry = json.loads(s3.objects[key]["body"])
    assert (entry["model"], entry["figures"]["labelled_accuracy"]["value"]) == ("v2", 0.98)


def test_the_result_is_written_even_if_it_cannot_be_added_to_the_history(
    run: Any, s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def put_object(**request: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(s3, "put_object", put_object)

    # WHEN
    run()

    # THEN
    assert (tmp_path / "build" / "local" / "live.json").is_file()
    error = capsys.readouterr().err
    assert error.startswith("warning: the result is not in the history")
    assert error.count("\n") == 1


def test_the_lowest_threshold_for_a_precision_is_written_into_the_settings(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    written = written_threshold(monkeypatch)

    # WHEN
    run(action="threshold", precision=0.95)

    # THEN
    assert written == [0.9]
    printed = capsys.readouterr().out
    assert "threshold was 0.93, is now 0.9\nrun `make up ENV=local` to apply it" in printed
    # label files do not say how their images were selected
    assert "not a random sample" in " ".join(printed.split())


def test_a_given_threshold_is_written_even_without_captured_data(
    run: Any, monkeypatch: pytest.MonkeyPatch, s3: FakeS3
) -> None:
    # GIVEN
    written = written_threshold(monkeypatch)
    s3.objects.clear()

    # WHEN
    run(action="threshold", value=0.5)

    # THEN
    assert written == [0.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "set PRECISION or VALUE, such as PRECISION=0.98 or VALUE=0.9, and not both", id="no option"),
        pytest.param({"precision": 0.9, "value": 0.9}, "and not both", id="both options"),
        pytest.param(
            {"precision": 0.98}, "100 labelled images .* are too few .* 0.98, which needs 150", id="too few labels"
        ),
        pytest.param({"precision": 0.99}, "no threshold reaches a precision of 0.99", id="precision not reached"),
    ],
)
def test_no_threshold_is_written_for_invalid_options_or_too_few_labels(
    options: dict[str, float], message: str, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = written_threshold(monkeypatch)
    with pytest.raises(OperatorError, match=message):
        run(action="threshold", **options)
    assert written == []


def test_no_threshold_is_written_without_labels(run: Any, s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    written = written_threshold(monkeypatch)
    s3.delete_object(Bucket="b", Key="labels/a.csv")
    with pytest.raises(OperatorError, match=r"no captured image since .* is labelled: label more images"):
        run(action="threshold", precision=0.9)
    assert written == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param({"since": "2099-01-01"}, TimeRangeError, "SINCE must not be in the future", id="future"),
        pytest.param({"until": "23h"}, OperatorError, "no captured records of model v2", id="no captures"),
        pytest.param({"model": "v9"}, OperatorError, "there is no model 'v9'", id="unknown model"),
        pytest.param(
            {"stack": {"data_capture_enabled": False}}, OperatorError, "run `make deploy ENV=local`", id="disabled"
        ),
    ],
)
def test_error_says_why_there_is_nothing_to_evaluate(
    options: dict[str, Any], error: type[Exception], message: str, run: Any
) -> None:
    with pytest.raises(error, match=message):
        run(**options)


def test_reason_why_nothing_is_captured_replaces_an_earlier_result(run: Any, tmp_path: Path) -> None:
    # GIVEN
    run()
    (result,) = tmp_path.rglob("live.json")

    # WHEN
    with pytest.raises(OperatorError, match="captures no data"):
        run(stack={"data_capture_enabled": False})

    # THEN
    with pytest.raises(NoResultError, match="captures no data"):
        read_result(result.parent, "live", {"model"})
    assert not list(tmp_path.rglob("live_*.png"))


def test_error_names_the_first_malformed_line_if_no_record_can_be_read(run: Any, s3: FakeS3) -> None:
    # GIVEN
    (key,) = s3.list_keys("data_capture/")
    s3.put_object(Bucket="b", Key=key, Body=b"?\n?")

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"only 2 malformed lines, the first one in .*, line 1: not JSON"):
        run()
