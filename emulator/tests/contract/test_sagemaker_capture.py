"""Data capture: what an endpoint was asked and answered lies in S3 as SageMaker writes it."""

import base64
import json
import re
import threading
from typing import Any

import pytest

from .sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually


def capture(sagemaker: SageMaker, **config: Any) -> dict[str, Any]:
    return {
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{sagemaker.bucket}/data_capture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            **config,
        }
    }


def records(sagemaker: SageMaker) -> list[dict[str, Any]]:
    lines: list[bytes] = []
    for key in sagemaker.keys("data_capture/"):
        lines += sagemaker.get(f"s3://{sagemaker.bucket}/{key}").splitlines()
    return [json.loads(line) for line in lines]


def test_a_request_is_captured_within_seconds(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve(**capture(sagemaker))
    # WHEN
    answer = sagemaker.invoke(endpoint, b"\x89PNG", ContentType="image/png", InferenceId="seven")["Body"].read()
    (record,) = eventually(lambda: records(sagemaker))
    # THEN
    data = record["captureData"]
    assert data["endpointInput"] == {
        "observedContentType": "image/png",
        "mode": "INPUT",
        "data": base64.b64encode(b"\x89PNG").decode(),
        "encoding": "BASE64",
    }
    assert data["endpointOutput"]["encoding"] == "JSON"
    assert data["endpointOutput"]["data"] == answer.decode()
    assert record["eventMetadata"]["inferenceId"] == "seven"
    (key,) = sagemaker.keys("data_capture/")
    assert re.fullmatch(
        rf"data_capture/{endpoint}/AllTraffic/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key
    )


def test_requests_are_gathered_in_files(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve(**capture(sagemaker))
    # WHEN
    threads = [threading.Thread(target=sagemaker.ask, args=(endpoint,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(records(sagemaker)) == 20)
    # THEN
    assert len(sagemaker.keys("data_capture/")) < 20
    assert len({record["eventMetadata"]["eventId"] for record in records(sagemaker)}) == 20


def test_all_is_written_when_the_endpoint_is_deleted(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve(**capture(sagemaker))
    for _ in range(5):
        sagemaker.ask(endpoint)
    # WHEN
    sagemaker.client.delete_endpoint(EndpointName=endpoint)
    # THEN
    assert len(records(sagemaker)) == 5


def test_what_is_not_to_be_captured_is_not(sagemaker: SageMaker) -> None:
    # GIVEN
    outputs = capture(sagemaker, CaptureOptions=[{"CaptureMode": "Output"}])
    nothing = capture(sagemaker, EnableCapture=False)
    with_outputs, without = sagemaker.serve(**outputs), sagemaker.serve(**nothing)
    # WHEN
    for endpoint in (without, with_outputs):
        sagemaker.ask(endpoint)
        sagemaker.client.delete_endpoint(EndpointName=endpoint)
    # THEN
    (record,) = records(sagemaker)
    assert list(record["captureData"]) == ["endpointOutput"]


def test_an_endpoint_tells_of_its_capture(sagemaker: SageMaker) -> None:
    # WHEN
    endpoint = sagemaker.serve(**capture(sagemaker))
    # THEN
    assert sagemaker.client.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/data_capture",
    }


@pytest.mark.parametrize("destination", ["s3://bucket-that-is-not-there/x"], ids=["no bucket"])
def test_an_endpoint_answers_on_where_nothing_can_be_captured(sagemaker: SageMaker, destination: str) -> None:
    # GIVEN
    endpoint = sagemaker.serve(**capture(sagemaker, DestinationS3Uri=destination))
    # WHEN
    sagemaker.ask(endpoint)
    eventually(lambda: destination.split("/")[2] in sagemaker.emulator.log.read_text())
    # THEN
    assert sagemaker.ask(endpoint)["model"] == "first"
