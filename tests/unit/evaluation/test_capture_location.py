"""Captured data of a model is found in S3, read, and waited for."""

# ruff: noqa: N803  boto3's argument names
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from common.inference_ids import inference_id
from common.times import Window
from evaluation.capture_location import CaptureLocation, find_captures, read_captures, wait_for_records
from evaluation.capture_table import ALL_TIME, Captures
from tests.unit.evaluation.runs import capture_line, make_execution, make_png, make_run
from tests.unit.staging.fakes import FakeS3

FINISHED = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
ALL = {"EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/data_capture/v2"}
LOCATION = CaptureLocation("s3://b/data_capture", "v2", "cars", "cars-2", is_complete=True)


def make_captures(*lines: bytes) -> Captures:
    """Return captured data from a file with these lines."""
    captures = Captures()
    captures.add("00-00-000-a.jsonl", b"\n".join(lines), classes=2)
    return captures


class FakeClock:
    """A clock that advances only during pauses."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeSageMaker:
    """A SageMaker client with one endpoint.

    Parameters
    ----------
    served : name of the endpoint configuration that the endpoint serves, or None if there is no endpoint
    captures : `DataCaptureConfig` of each endpoint configuration by name
    """

    def __init__(self, served: str | None, captures: dict[str, dict[str, Any]]) -> None:
        self._served, self._captures = served, captures

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        if self._served is None:
            raise missing("endpoint")
        return {"EndpointStatus": "InService", "EndpointConfigName": self._served}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        if EndpointConfigName not in self._captures:
            raise missing("endpoint configuration")
        return {"DataCaptureConfig": self._captures[EndpointConfigName]}


def missing(kind: str) -> ClientError:
    """Return SageMaker's error for a resource that does not exist."""
    return ClientError({"Error": {"Code": "ValidationException", "Message": f"Could not find {kind}"}}, "Describe")


def find(sagemaker: FakeSageMaker, config: str | None = "cars-2") -> CaptureLocation | None:
    """Find the captured data of the endpoint `cars`, with the deployed endpoint configuration `config`."""
    return find_captures("cars", config, "s3://b/data_capture", environment="local", sagemaker=sagemaker)


def test_the_location_is_read_from_the_endpoint_configuration_that_the_endpoint_uses() -> None:
    # GIVEN an endpoint that SageMaker rolled back to the older configuration cars-1
    older = {**ALL, "DestinationS3Uri": "s3://b/data_capture/v1"}
    sagemaker = FakeSageMaker("cars-1", {"cars-1": older, "cars-2": ALL})

    # WHEN
    location = find(sagemaker)

    # THEN
    assert location
    assert (location.model, location.uri, location.endpoint_config) == ("v1", "s3://b/data_capture/v1", "cars-1")


def test_captured_data_of_a_deleted_endpoint_is_found_through_the_deployed_configuration() -> None:
    assert find(FakeSageMaker(None, {"cars-2": ALL})) == LOCATION


@pytest.mark.parametrize(
    ("capture", "is_complete"),
    [
        pytest.param(ALL, True, id="all requests"),
        pytest.param({**ALL, "InitialSamplingPercentage": 20}, False, id="a sample"),
    ],
)
def test_captured_data_is_complete_only_if_all_requests_are_captured(
    capture: dict[str, Any], is_complete: bool
) -> None:
    location = find(FakeSageMaker("cars-2", {"cars-2": capture}))
    assert location
    assert location.is_complete is is_complete


@pytest.mark.parametrize("capture", [{}, {**ALL, "EnableCapture": False}], ids=["no capture", "disabled"])
def test_location_is_none_without_data_capture(capture: dict[str, Any]) -> None:
    assert find(FakeSageMaker("cars-2", {"cars-2": capture})) is None


@pytest.mark.parametrize("config", [None, "cars-2"], ids=["no configuration", "configuration deleted"])
def test_error_without_a_deployed_model_names_make_deploy(config: str | None) -> None:
    with pytest.raises(OperatorError, match="make deploy ENV=local"):
        find(FakeSageMaker(None, {}), config)


@pytest.mark.parametrize("model", ["1", "v1"])
def test_location_of_another_model_is_selected_by_its_version(model: str) -> None:
    # WHEN
    location = LOCATION.of_model(model)

    # THEN
    assert location.uri == "s3://b/data_capture/v1"
    assert not location.is_complete
    assert LOCATION.of_model("2") == LOCATION


def make_bucket(*files: tuple[str, bytes]) -> FakeS3:
    """Return a bucket with capture files.

    Parameters
    ----------
    files : version of the model, and content of the capture file
    """
    s3 = FakeS3()
    for model, content in files:
        s3.put_object(Bucket="b", Key=f"data_capture/{model}/cars/AllTraffic/2026/03/01/12/a.jsonl", Body=content)
    return s3


def test_records_of_the_model_are_read_and_requests_to_other_models_are_counted() -> None:
    # GIVEN records of an older model with three classes, and of a model with two classes
    older = b"\n".join(capture_line(make_png(), [0.9, 0.05, 0.05]) for _ in range(3))
    s3 = make_bucket(("v1", older), ("v2", capture_line(make_png(), [0.9, 0.1])))

    # WHEN
    captures, others = read_captures(LOCATION, ALL_TIME, classes=2, run=None, environment="local", s3=s3)

    # THEN
    assert [prediction.confidence for prediction in captures.predictions()] == [0.9]
    assert captures.malformed == 0
    assert others == 3


def test_error_without_records_of_the_model_names_the_first_malformed_line_and_make_run() -> None:
    s3 = make_bucket(("v1", capture_line(make_png(), [0.9, 0.1])), ("v2", b"malformed"))
    with pytest.raises(
        OperatorError,
        match=r"v2.*only 1 malformed line.*a.jsonl, line 1: not JSON \(1 request to other models\): "
        "run `make run ENV=local`",
    ):
        read_captures(LOCATION, ALL_TIME, classes=2, run=None, environment="local", s3=s3)


@pytest.mark.parametrize(
    ("location", "window", "advice"),
    [
        pytest.param(LOCATION.of_model("1"), ALL_TIME, "choose another MODEL, or an earlier SINCE", id="other model"),
        pytest.param(LOCATION, Window(ALL_TIME.start, FINISHED), "choose another SINCE or UNTIL", id="past time range"),
    ],
)
def test_error_does_not_advise_make_run_if_it_would_write_no_records_of_the_model_in_the_time_range(
    location: CaptureLocation, window: Window, advice: str
) -> None:
    with pytest.raises(OperatorError, match=rf"\(0 requests to other models\): {advice}[^`]*$"):
        read_captures(location, window, classes=2, run=None, environment="local", s3=make_bucket())


@pytest.mark.parametrize(
    ("location", "window"),
    [
        pytest.param(replace(LOCATION, is_complete=False), ALL_TIME, id="a sample"),
        pytest.param(replace(LOCATION, endpoint_config="cars-3"), ALL_TIME, id="run of another model"),
        pytest.param(LOCATION, Window(ALL_TIME.start, FINISHED), id="run after the time range"),
    ],
)
def test_reading_does_not_wait_for_records_that_may_never_arrive(
    location: CaptureLocation, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a run that has just ended, with more predictions than records
    monkeypatch.setattr("evaluation.capture_location.wait_for_records", lambda *_: pytest.fail("waited"))
    now = datetime.now(UTC).isoformat()
    executions = [make_execution(key, [0.9, 0.1]) for key in "ab"]
    run = make_run(executions, endpoint_config="cars-2", started=now, finished=now)
    s3 = make_bucket(("v2", capture_line(make_png(), [0.9, 0.1])))

    # WHEN
    captures, _ = read_captures(location, window, classes=2, run=run, environment="local", s3=s3)

    # THEN
    assert len(captures) == 1


def record_of(key: str, version: str = "latest", time: str = "2026-03-01T12:00:00Z") -> bytes:
    """Return the captured line of a request that the workflow sent about an object version."""
    return capture_line(make_png(), [0.9, 0.1], time=time, inference_id=inference_id(key, version))


def test_reading_waits_for_late_records() -> None:
    # GIVEN a run with predictions of the images a and b, and one new record at each read. The inference ID of b
    # depends on a version ID, as for large images
    run = make_run([make_execution("a", [0.9, 0.1]), make_execution("b", [0.9, 0.1]), make_execution("c", None)])
    late = [
        record_of("b", time="2026-03-01T11:59:59Z"),  # of an earlier run
        record_of("a"),
        record_of("incoming/zoe/1.png", "v1"),
        record_of("b", "v1"),
        record_of("incoming/zoe/2.png", "v1"),
    ]
    captures = Captures()
    clock = FakeClock(FINISHED)
    reads: list[int] = []

    def read() -> None:
        captures.add(f"{len(reads)}.jsonl", late[len(reads)], classes=2)
        reads.append(1)

    # WHEN
    wait_for_records(run, captures, read, sleep=clock.sleep, now=lambda: clock.now)

    # THEN
    assert len(reads) == 4


def test_several_requests_about_one_image_count_as_one_prediction() -> None:
    captures = make_captures(record_of("a"), record_of("a", "v1"))

    assert captures.count_keys_since(["a", "b"], FINISHED.replace(second=0)) == 1


def test_waiting_stops_after_the_maximum_delay_and_reports_the_missing_records(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN a run with two predictions that are not captured, and two records of drivers' photographs
    run = make_run([make_execution("a", [0.9, 0.1]), make_execution("b", [0.9, 0.1])])
    captures = make_captures(record_of("incoming/zoe/1.png", "v1"), record_of("incoming/zoe/2.png", "v1"))
    clock = FakeClock(FINISHED)

    # WHEN
    wait_for_records(run, captures, lambda: None, sleep=clock.sleep, now=lambda: clock.now)

    # THEN
    assert timedelta(minutes=5) <= clock.now - FINISHED < timedelta(minutes=6)
    assert capsys.readouterr().out == (
        "only 0 of 2 predictions of the last run are captured, although it ended at least 5 minutes ago\n"
    )
