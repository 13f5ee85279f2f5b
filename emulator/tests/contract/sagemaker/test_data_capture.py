"""Data capture: requests and responses are written to S3 in SageMaker's format."""

import base64
import json
import re
import threading
from typing import Any

import pytest

from ...waiting import eventually
from .resources import SageMaker


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
    for key in sagemaker.list_keys("data_capture/"):
        lines += sagemaker.download(f"s3://{sagemaker.bucket}/{key}").splitlines()
    return [json.loads(line) for line in lines]


def test_request_is_captured_within_seconds(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture(sagemaker))
    # WHEN
    response = sagemaker.invoke(endpoint, b"\x89PNG", ContentType="image/png", InferenceId="seven")["Body"].read()
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
    assert data["endpointOutput"]["data"] == response.decode()
    assert record["eventMetadata"]["inferenceId"] == "seven"
    (key,) = sagemaker.list_keys("data_capture/")
    assert re.fullmatch(
        rf"data_capture/{endpoint}/AllTraffic/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key
    )


def test_requests_are_written_in_batches(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture(sagemaker))
    # WHEN
    threads = [threading.Thread(target=sagemaker.invoke_json, args=(endpoint,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(records(sagemaker)) == 20)
    # THEN
    assert len(sagemaker.list_keys("data_capture/")) < 20
    assert len({record["eventMetadata"]["eventId"] for record in records(sagemaker)}) == 20


def test_deleting_an_endpoint_writes_all_captured_data(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture(sagemaker))
    for _ in range(5):
        sagemaker.invoke_json(endpoint)
    # WHEN
    sagemaker.delete_endpoint(endpoint)
    # THEN
    assert len(records(sagemaker)) == 5


def test_capture_can_be_limited_to_outputs_or_disabled(sagemaker: SageMaker) -> None:
    # GIVEN
    outputs = capture(sagemaker, CaptureOptions=[{"CaptureMode": "Output"}])
    disabled = capture(sagemaker, EnableCapture=False)
    with_outputs, without = sagemaker.deploy(**outputs), sagemaker.deploy(**disabled)
    # WHEN
    for endpoint in (without, with_outputs):
        sagemaker.invoke_json(endpoint)
        sagemaker.delete_endpoint(endpoint)
    # THEN
    (record,) = records(sagemaker)
    assert list(record["captureData"]) == ["endpointOutput"]


def test_endpoint_describes_its_data_capture(sagemaker: SageMaker) -> None:
    # WHEN
    endpoint = sagemaker.deploy(**capture(sagemaker))
    # THEN
    assert sagemaker.client.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/data_capture",
    }


@pytest.mark.parametrize("destination", ["s3://missing-bucket/x"], ids=["no bucket"])
def test_endpoint_keeps_serving_if_capture_fails(sagemaker: SageMaker, destination: str) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture(sagemaker, DestinationS3Uri=destination))
    # WHEN
    sagemaker.invoke_json(endpoint)
    eventually(lambda: destination.split("/")[2] in sagemaker.emulator.log.read_text())
    # THEN
    assert sagemaker.invoke_json(endpoint)["model"] == "first"
