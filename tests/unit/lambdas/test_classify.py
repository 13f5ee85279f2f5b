"""The function classify sends an image to the endpoint, and validates the response."""

import base64
import io
import json
import re
import socket
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from common.inference_ids import inference_id
from common.paths import TERRAFORM_DIRECTORY
from registry import batch_transform
from tests.unit.lambdas.images import draw

PNG, JPEG = draw("PNG"), draw("JPEG")


def make_event(image: bytes) -> dict[str, Any]:
    """Return the event that serialize passes on for an image."""
    return {"image_data": base64.b64encode(image).decode(), "s3_key": "test/image", "inferences": []}


class FakeRuntime:
    """A SageMaker Runtime client whose requests all return `response`, or raise `error`."""

    def __init__(self, response: bytes = b"[0.25, 0.75]", *, error: Exception | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._response = response
        self._error = error

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self._error:
            raise self._error
        return {"Body": io.BytesIO(self._response), "CustomAttributes": "v7"}


class FakeS3:
    """An S3 client whose requests all return an object with `content`, or raise `error`."""

    def __init__(self, content: bytes = b"", *, error: Exception | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._content = content
        self._error = error

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self._error:
            raise self._error
        return {"ContentLength": len(self._content), "Body": io.BytesIO(self._content), "VersionId": "first"}


class BrokenBody:
    """A response body that raises an error when it is read, because the connection breaks."""

    def read(self) -> bytes:
        raise ResponseStreamingError(error="connection broken")


def client_error(
    code: str,
    *,
    status: int = 400,
    message: str = "some message",
    original_status: int | None = None,
    original_message: str = "original message",
) -> ClientError:
    """Return the error that boto3 raises for an error response of InvokeEndpoint.

    Parameters
    ----------
    status : HTTP status of SageMaker's response
    original_status, original_message : HTTP status and message of the model container's response
    """
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **(
            {}
            if original_status is None
            else {"OriginalStatusCode": original_status, "OriginalMessage": original_message}
        ),
    }
    return ClientError(response, "InvokeEndpoint")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that Terraform gives the function."""
    monkeypatch.setenv("ENDPOINT_NAME", "some-endpoint")
    monkeypatch.setenv("CLASS_NAMES", '["bicycle", "motorcycle"]')


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, runtime: Any, event: Any) -> Any:
    """Run the function with a fake SageMaker Runtime client."""
    monkeypatch.setattr(module, "runtime", runtime)
    return module.handler(event, None)


@pytest.mark.parametrize("in_envelope", [False, True], ids=["plain", "in an envelope"])
@pytest.mark.parametrize("image", [PNG, JPEG, b"GIF89a"], ids=["png", "jpeg", "gif"])
def test_image_is_sent_and_the_probabilities_are_returned_with_class_names(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, in_envelope: bool, image: bytes
) -> None:
    # GIVEN
    runtime, event = FakeRuntime(), make_event(image)

    # WHEN
    result = run(classify, monkeypatch, runtime, {"statusCode": 200, "body": event} if in_envelope else event)

    # THEN
    assert runtime.requests == [
        {
            "EndpointName": "some-endpoint",
            "ContentType": "application/x-image",
            "Accept": "application/json",
            "InferenceId": inference_id("test/image", "latest"),
            "Body": image,
        }
    ]
    assert result == {
        "statusCode": 200,
        "body": {
            **event,
            "inferences": [0.25, 0.75],
            "predictions": [
                {"class": "bicycle", "probability": 0.25},
                {"class": "motorcycle", "probability": 0.75},
            ],
            "model_version": "v7",
        },
    }


def test_image_that_is_not_in_the_event_is_read_from_s3_by_version(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an event with only the key and version of an image, whose size is the maximum that the model accepts
    runtime, s3 = FakeRuntime(), FakeS3(JPEG.ljust(classify.MAX_BYTES, b"\0"))
    monkeypatch.setattr(classify, "s3", s3)
    event = {"image_data": "", "s3_bucket": "bucket", "s3_key": "incoming/a/b.jpg", "s3_version": "first"}

    # WHEN
    result = run(classify, monkeypatch, runtime, event)

    # THEN
    assert s3.requests == [{"Bucket": "bucket", "Key": "incoming/a/b.jpg", "VersionId": "first"}]
    assert runtime.requests[0]["Body"] == JPEG.ljust(classify.MAX_BYTES, b"\0")
    assert (result["body"]["image_data"], result["body"]["inferences"]) == ("", [0.25, 0.75])


@pytest.mark.parametrize(
    ("s3", "error"),
    [
        (
            FakeS3(error=client_error("NoSuchVersion", status=404)),
            "ImageMissingError",
        ),
        (FakeS3(b"0" * (5 * 2**20 + 1)), "ImageTooLargeError"),
        (FakeS3(b""), "ImageInvalidError"),
        (FakeS3(error=ReadTimeoutError(endpoint_url="some-url")), "StorageUnavailableError"),
    ],
    ids=["deleted since", "too large", "empty", "S3 times out"],
)
def test_error_about_an_image_in_s3_contains_its_uri(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, s3: FakeS3, error: str
) -> None:
    # GIVEN
    runtime = FakeRuntime()
    monkeypatch.setattr(classify, "s3", s3)

    # WHEN / THEN
    with pytest.raises(getattr(classify, error), match="s3://bucket/key"):
        run(classify, monkeypatch, runtime, {"image_data": "", "s3_bucket": "bucket", "s3_key": "key"})
    assert runtime.requests == []


def test_classify_and_batch_transform_send_the_same_content_type(classify: ModuleType) -> None:
    # The model's container decides by the content type which image formats it accepts.
    assert classify.CONTENT_TYPE == batch_transform.CONTENT_TYPE


def test_response_with_the_integers_zero_and_one_is_accepted(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    runtime = FakeRuntime(b"[0, 1]")

    # WHEN
    result = run(classify, monkeypatch, runtime, make_event(PNG))

    # THEN
    assert result["body"]["inferences"] == [0.0, 1.0]


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"\xff\xfe\xfd",
        b"null",
        b"0.75",
        b'{"bicycle": 0.25, "motorcycle": 0.75}',
        b"[]",
        b"[1.0]",
        b"[0.2, 0.3, 0.5]",
        b"[[0.25, 0.75]]",
        b"[NaN, 0.75]",
        b"[0.25, Infinity]",
        b"[-0.1, 0.75]",
        b"[0.25, 1.1]",
        b"[0.25, 1" + b"0" * 400 + b"]",
        b'[0.25, "0.75"]',
        b"[false, true]",
        b"[0.25, null]",
    ],
    ids=[
        "empty",
        "html",
        "not UTF-8",
        "null",
        "one number",
        "object",
        "empty list",
        "too short",
        "too long",
        "nested",
        "not a number",
        "infinite",
        "negative",
        "above 1",
        "too large for a float",
        "string",
        "booleans",
        "null in a list",
    ],
)
def test_response_without_one_probability_per_class_is_rejected(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, response: bytes
) -> None:
    # GIVEN
    runtime = FakeRuntime(response)

    # WHEN / THEN
    with pytest.raises(classify.ResponseError):
        run(classify, monkeypatch, runtime, make_event(PNG))


def test_long_response_is_truncated_in_the_error(classify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    runtime = FakeRuntime(json.dumps([0.5] * 1000).encode())

    # WHEN / THEN
    with pytest.raises(classify.ResponseError) as raised:
        run(classify, monkeypatch, runtime, make_event(PNG))
    assert len(str(raised.value)) < 300


def test_missing_endpoint_raises_endpoint_missing_error(classify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    error = client_error("ValidationError", message="Endpoint some-endpoint of account 123456789012 not found.")

    # WHEN / THEN
    with pytest.raises(classify.EndpointMissingError, match="some-endpoint does not exist"):
        run(classify, monkeypatch, FakeRuntime(error=error), make_event(PNG))


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationError"),
        client_error("AccessDeniedException", status=403),
    ],
    ids=["invalid request", "access denied"],
)
def test_permanent_error_of_the_endpoint_is_raised_unchanged(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, error: ClientError
) -> None:
    # GIVEN
    runtime = FakeRuntime(error=error)

    # WHEN / THEN
    with pytest.raises(ClientError) as raised:
        run(classify, monkeypatch, runtime, make_event(PNG))
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationError", message="Request 4c3b has oversize body."),
        client_error("413", status=413, message="HTTP content length exceeded 5246976 bytes."),
    ],
    ids=["serverless", "instances"],
)
def test_image_that_exceeds_the_endpoints_limit_raises_image_too_large_error(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, error: ClientError
) -> None:
    # GIVEN
    event = {**make_event(PNG), "s3_bucket": "bucket"}

    # WHEN / THEN
    message = f"s3://bucket/test/image has {len(PNG)} bytes, which some-endpoint does not accept: {error}"
    with pytest.raises(classify.ImageTooLargeError, match=re.escape(message)):
        run(classify, monkeypatch, FakeRuntime(error=error), event)


@pytest.mark.parametrize("status", [400, 413, 415])
def test_error_for_a_rejected_image_has_the_models_reason_without_the_traceback(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    # GIVEN an error response in the format of AWS's inference toolkit: a reason and a traceback
    message = "the image is truncated\nTraceback (most recent call last):\n  File ..."
    error = client_error("ModelError", status=424, original_status=status, original_message=message)

    # WHEN / THEN
    with pytest.raises(classify.ImageInvalidError) as raised:
        run(classify, monkeypatch, FakeRuntime(error=error), {**make_event(PNG), "s3_bucket": "bucket"})
    assert str(raised.value) == "the model rejects s3://bucket/test/image: the image is truncated"


@pytest.mark.parametrize(
    "error",
    [
        client_error("ModelError", status=424, original_status=500),
        client_error("ModelError", status=424, original_status=503),
        client_error("ModelError", status=424, original_status=0),
        client_error("ModelNotReadyException", status=429),
        client_error("ThrottlingException"),
        client_error("ServiceUnavailable", status=503),
        client_error("InternalDependencyException", status=530),
        ConnectTimeoutError(endpoint_url="some-url"),
        ReadTimeoutError(endpoint_url="some-url"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=[
        "model error 500",
        "model error 503",
        "model without response",
        "model not ready",
        "throttled",
        "service unavailable",
        "internal error",
        "connect timeout",
        "read timeout",
        "incomplete content",
    ],
)
def test_transient_error_of_the_endpoint_raises_endpoint_unavailable_error(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # GIVEN
    runtime = FakeRuntime(error=error)

    # WHEN
    with pytest.raises(classify.EndpointUnavailableError, match="some-endpoint is unavailable") as raised:
        run(classify, monkeypatch, runtime, make_event(PNG))

    # THEN the function itself does not retry
    assert str(error) in str(raised.value)
    assert len(runtime.requests) == 1


def test_broken_connection_raises_endpoint_unavailable_error(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    runtime = FakeRuntime()
    monkeypatch.setattr(runtime, "invoke_endpoint", lambda **_: {"Body": BrokenBody()})

    # WHEN / THEN
    with pytest.raises(classify.EndpointUnavailableError, match="connection broken"):
        run(classify, monkeypatch, runtime, make_event(PNG))


def read_function_timeouts() -> dict[str, int]:
    """Return the timeout in seconds of each function in terraform/modules/functions."""
    source = (TERRAFORM_DIRECTORY / "modules" / "functions" / "main.tf").read_text()
    return {name: int(seconds) for name, seconds in re.findall(r"(\w+) = \{\n.*\n\s+timeout +=\s(\d+)", source)}


def test_endpoint_unavailable_error_is_raised_before_the_function_times_out(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a server that accepts a connection and never responds
    config = classify.runtime.meta.config
    with socket.create_server(("127.0.0.1", 0)) as server:
        runtime = boto3.client(
            "sagemaker-runtime",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config.merge(Config(read_timeout=0.1)),
        )

        # WHEN
        with pytest.raises(classify.EndpointUnavailableError, match="Read timeout"):
            run(classify, monkeypatch, runtime, make_event(PNG))

    # THEN the function's timeout is longer than the timeouts of one request to S3 and one to the endpoint. The connect
    # timeout counts twice, once for TCP and once for TLS.
    configs = [config, classify.s3.meta.config]
    assert [each.retries["total_max_attempts"] for each in configs] == [1, 1]
    assert config.read_timeout > 60
    seconds = sum(2 * each.connect_timeout + each.read_timeout for each in configs)
    assert seconds < read_function_timeouts()["classify"]


@pytest.mark.parametrize(
    ("image_data", "message"),
    [
        ("", "s3_bucket must be a non-empty string"),
        (None, "image_data must be a non-empty string"),
        (7, "image_data must be a non-empty string"),
        ("no base64!", "image_data must be base64"),
        ("iVBORw0", "image_data must be base64"),
        ("äöü=", "image_data must be base64"),
    ],
    ids=["neither data nor bucket", "null", "number", "not base64", "truncated base64", "umlauts"],
)
def test_event_without_a_valid_image_is_rejected_before_the_endpoint_is_invoked(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, image_data: Any, message: str
) -> None:
    # GIVEN
    runtime = FakeRuntime()

    # WHEN
    with pytest.raises(classify.EventError, match=message):
        run(classify, monkeypatch, runtime, {"image_data": image_data})

    # THEN
    assert runtime.requests == []


@pytest.mark.parametrize("name", ["ENDPOINT_NAME", "CLASS_NAMES"])
def test_error_names_the_missing_environment_variable(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # GIVEN
    monkeypatch.delenv(name)

    # WHEN / THEN
    with pytest.raises(classify.SettingsError, match=name):
        run(classify, monkeypatch, FakeRuntime(), make_event(PNG))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT_NAME", ""),
        ("CLASS_NAMES", ""),
        ("CLASS_NAMES", "bicycle,motorcycle"),
        ("CLASS_NAMES", '"bicycle"'),
        ("CLASS_NAMES", "[1, 2]"),
        ("CLASS_NAMES", "[]"),
    ],
    ids=["empty endpoint", "empty", "not json", "single name", "numbers", "empty list"],
)
def test_error_names_the_invalid_environment_variable(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    # GIVEN
    monkeypatch.setenv(name, value)

    # WHEN / THEN
    with pytest.raises(classify.SettingsError, match=name):
        run(classify, monkeypatch, FakeRuntime(b"[]"), make_event(PNG))


def test_result_for_the_largest_inline_image_and_100_classes_is_below_the_size_limit(
    classify: ModuleType, serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN 100 class names that are longer than any in CIFAR-100, and probabilities with many digits
    names = [f"large_omnivores_and_herbivores_{number}" for number in range(100)]
    monkeypatch.setenv("CLASS_NAMES", json.dumps(names))
    runtime = FakeRuntime(json.dumps([0.0012345678901234567] * 100).encode())
    event = {**make_event(PNG.ljust(serialize.MAX_INLINE_BYTES, b"\0")), "s3_key": "k" * 1024}

    # WHEN
    result = run(classify, monkeypatch, runtime, event)

    # THEN the result is below Step Functions' limit of 262,144 bytes, with 4,096 bytes left for Lambda's metadata
    assert len(result["body"]["predictions"]) == 100
    assert len(json.dumps(result)) < 262_144 - 4_096


def test_log_names_the_execution_and_the_image_even_if_the_model_rejects_the_image(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN
    runtime = FakeRuntime(error=client_error("ModelError", status=424, original_status=400))
    event = {"execution": "some-arn", "body": {**make_event(PNG), "s3_bucket": "bucket"}}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(classify.ImageInvalidError):
        run(classify, monkeypatch, runtime, event)

    # THEN
    (record,) = caplog.records
    assert (record.__dict__["execution"], record.__dict__["image"]) == ("some-arn", "s3://bucket/test/image")


@pytest.mark.parametrize(("fields", "version"), [({}, "latest"), ({"s3_version": "2"}, "2")])
def test_request_has_the_inference_id_of_the_object_version(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], version: str
) -> None:
    # GIVEN the event of an image whose object version is known or unknown
    runtime = FakeRuntime()
    event = {**make_event(PNG), "s3_key": "incoming/Zoë/1.png", **fields}

    # WHEN
    run(classify, monkeypatch, runtime, event)

    # THEN the captured request can be found by a label with the same key and version
    assert runtime.requests[0]["InferenceId"] == inference_id("incoming/Zoë/1.png", version)
    assert len(runtime.requests[0]["InferenceId"]) == 64


@pytest.mark.parametrize("key", [None, "", 7])
def test_request_for_an_image_without_a_key_has_no_inference_id(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, key: object
) -> None:
    # GIVEN an image that is in the event, but not in S3
    runtime = FakeRuntime()
    event = {**make_event(PNG), "s3_key": key}

    # WHEN
    run(classify, monkeypatch, runtime, event)

    # THEN data capture identifies the request by its event ID, which is unique
    assert "InferenceId" not in runtime.requests[0]
