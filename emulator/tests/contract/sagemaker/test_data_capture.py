"""Data capture: requests and responses are written to S3 in SageMaker's format."""

import base64
import json
import re
import threading
from typing import Any

from ...waiting import eventually
from ..functions import unique
from .resources import SageMaker


def capture_config(sagemaker: SageMaker, **config: Any) -> dict[str, Any]:
    """Return the parameter of CreateEndpointConfig that captures all requests and responses.

    config : members of DataCaptureConfig, which override the defaults
    """
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


def captured_records(sagemaker: SageMaker) -> list[dict[str, Any]]:
    """Return all captured records in the bucket."""
    lines: list[bytes] = []
    for key in sagemaker.list_keys("data_capture/"):
        lines += sagemaker.download(f"s3://{sagemaker.bucket}/{key}").splitlines()
    return [json.loads(line) for line in lines]


def test_request_and_response_are_captured(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture_config(sagemaker))
    # WHEN
    response = sagemaker.invoke(endpoint, b"\x89PNG", ContentType="image/png", InferenceId="seven")["Body"].read()
    (record,) = eventually(lambda: captured_records(sagemaker))
    # THEN the record and its key have SageMaker's format
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


def test_one_file_contains_several_captured_requests(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture_config(sagemaker))
    # WHEN 20 requests are sent at the same time
    threads = [threading.Thread(target=sagemaker.invoke_json, args=(endpoint,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(captured_records(sagemaker)) == 20)
    # THEN there are fewer files than requests
    assert len(sagemaker.list_keys("data_capture/")) < 20
    assert len({record["eventMetadata"]["eventId"] for record in captured_records(sagemaker)}) == 20


def test_all_captured_data_are_written_when_the_endpoint_is_deleted(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy(**capture_config(sagemaker))
    for _ in range(5):
        sagemaker.invoke_json(endpoint)
    # WHEN
    sagemaker.delete_endpoint(endpoint)
    # THEN
    assert len(captured_records(sagemaker)) == 5


def test_capture_can_be_limited_to_outputs_or_disabled(sagemaker: SageMaker) -> None:
    # GIVEN an endpoint that captures only outputs, and an endpoint that captures nothing
    outputs = capture_config(sagemaker, CaptureOptions=[{"CaptureMode": "Output"}])
    disabled = capture_config(sagemaker, EnableCapture=False)
    with_outputs, without_capture = sagemaker.deploy(**outputs), sagemaker.deploy(**disabled)
    # WHEN
    for endpoint in (without_capture, with_outputs):
        sagemaker.invoke_json(endpoint)
        sagemaker.delete_endpoint(endpoint)
    # THEN
    (record,) = captured_records(sagemaker)
    assert list(record["captureData"]) == ["endpointOutput"]


def test_description_of_the_endpoint_contains_its_data_capture(sagemaker: SageMaker) -> None:
    # WHEN
    endpoint = sagemaker.deploy(**capture_config(sagemaker))
    # THEN
    assert sagemaker.client.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/data_capture",
    }


def test_endpoint_responds_although_capture_fails(sagemaker: SageMaker) -> None:
    # GIVEN an endpoint that captures into a bucket that does not exist
    bucket = unique("missing-bucket")
    endpoint = sagemaker.deploy(**capture_config(sagemaker, DestinationS3Uri=f"s3://{bucket}/x"))
    # WHEN
    sagemaker.invoke_json(endpoint)
    eventually(lambda: bucket in sagemaker.emulator.log.read_text())
    # THEN
    assert sagemaker.invoke_json(endpoint)["model"] == "first"
